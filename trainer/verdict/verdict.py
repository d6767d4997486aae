"""From a snapshot to a verdict: who waits for whom, how much, and how many producers would do.

The thresholds of the wait are those of the TensorFlow Profiler: below 5 % of the step time a program is not
input-bound, from 20 % on it is highly so (openxla/xprof, ``op_stats_to_input_pipeline_analysis.cc``:
``kModeratelyInfeedBoundThresholdInPercent`` and ``kHighlyInfeedBoundThresholdInPercent``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from feedline.trainer.verdict.forecast import Limit, Load
from feedline.trainer.verdict.snapshot import MIN_BATCHES, Certainty, Snapshot

WAITS_SHARE = 0.05
"""The trainer is fed well below."""

WAITS_MUCH_SHARE = 0.20
"""... and badly from here on."""

BUSY_SHARE = 0.75
"""Producers that build for so much of the time are why the trainer waits: some always goes by in between."""

HALF_BUSY_SHARE = 0.5
"""... and from here on if nothing else explains it."""

HANDING_ON_SHARE = 0.4
"""A trainer that only hands batches on for so much of the time has too many of them."""


class Bound(StrEnum):
    """What the number of images per second depends on."""

    TRAINER = "trainer-bound"
    """It is fed: whatever else were faster, it would not be."""

    DECODE = "decode-bound"
    TRANSFORM = "transform-bound"
    READ = "read-bound"
    """Finding and reading files: the disk, or the store they come from."""

    NETWORK = "network-bound"
    """Producers wait until their batches have gone."""

    HAND_OVER = "handover-bound"
    """In the trainer: so many batches, or so little room for them, that it does not get on."""

    STARVED = "starved"
    """There are no producers, or none that can read the files."""

    WARMING_UP = "warming up"
    """Too little has happened to tell."""


STAGE_BOUNDS = (Bound.READ, Bound.DECODE, Bound.TRANSFORM)
"""In the order of `Stages`: producers are at work without a pause."""

LIMITS = {
    Bound.TRAINER: Limit.TRAINER,
    Bound.NETWORK: Limit.NETWORK,
    Bound.HAND_OVER: Limit.HAND_OVER,
} | dict.fromkeys(STAGE_BOUNDS, Limit.PRODUCERS)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What so many producers would give.

    Attributes
    ----------
    num_producers : int
        At least 0.
    images_per_s : float
        Delivered to the trainer.
    wait_share : float
        Share of the time that it would wait, 0 to 1.
    """

    num_producers: int
    images_per_s: float
    wait_share: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a snapshot comes to.

    Attributes
    ----------
    bound : Bound
        What the rate depends on.
    snapshot : Snapshot
        From which it is.
    fewer, more : Forecast or None
        With one producer fewer and with one more; None where nothing can be said. Where the wait is only
        known to be at most so long, these are at most so many images.
    headspace : float or None
        Images per second with no waiting at all; infinite if the trainer does nothing but wait, None if it
        is not known.
    num_wanted : int or None
        Producers with which the trainer would not wait, as few as possible; None if no number does, or it is
        not known.
    """

    bound: Bound
    snapshot: Snapshot
    fewer: Forecast | None = None
    more: Forecast | None = None
    headspace: float | None = None
    num_wanted: int | None = None

    @property
    def waits_much(self) -> bool:
        """Whether something should be done about it."""
        is_known = self.bound not in {Bound.WARMING_UP, Bound.TRAINER}
        return is_known and self.snapshot.wait_share >= WAITS_MUCH_SHARE

    @property
    def lacks_room(self) -> bool:
        """Whether full queues are why the trainer waits: longer ones would save most of its wait."""
        return self.bound is Bound.HAND_OVER and 2 * self.snapshot.short_s >= self.snapshot.wait_s

    def with_producers(self, num_producers: int) -> Forecast | None:
        """What any number of them would give, at least 0."""
        if self.bound not in LIMITS:
            return None
        return _forecast(load_of(self.snapshot, self.bound), num_producers)


def judge(snapshot: Snapshot) -> Verdict:
    """Say what a span of time shows."""
    bound = bound_of(snapshot)
    if bound not in LIMITS:
        return Verdict(bound, snapshot)
    load, num = load_of(snapshot, bound), snapshot.num_able
    fewer, more = _forecast(load, num - 1), _forecast(load, num + 1)
    if bound is not Bound.TRAINER and snapshot.certainty is Certainty.AT_MOST:
        # The trainer may itself take longer than what is left of the time: how fast it would be is not known.
        return Verdict(bound, snapshot, fewer, more)
    return Verdict(bound, snapshot, fewer, more, load.headspace, _wanted(load))


def bound_of(snapshot: Snapshot) -> Bound:
    """Say what the rate depends on."""
    if not snapshot.num_able:
        return Bound.STARVED
    if snapshot.num_batches < MIN_BATCHES:
        return Bound.WARMING_UP
    if snapshot.wait_share < WAITS_SHARE:
        return Bound.TRAINER
    # What was delivered may have been built before.
    return Bound.WARMING_UP if snapshot.num_built < MIN_BATCHES else _why_it_waits(snapshot)


def _why_it_waits(snapshot: Snapshot) -> Bound:
    """Producers without a pause are reason enough; else it is what becomes of what they have built."""
    if snapshot.busy_share >= BUSY_SHARE:
        return _longest_stage(snapshot)
    if snapshot.hand_over_share >= HANDING_ON_SHARE:
        return Bound.HAND_OVER
    if snapshot.comes_in_frames and snapshot.transfer_s >= snapshot.build_s:
        return Bound.NETWORK
    if snapshot.busy_share >= HALF_BUSY_SHARE:
        return _longest_stage(snapshot)
    return Bound.NETWORK if snapshot.comes_in_frames else Bound.HAND_OVER


def load_of(snapshot: Snapshot, bound: Bound) -> Load:
    """What each part of the pipeline can do, if the rate depended on `bound`."""
    return Load.of(snapshot, LIMITS.get(bound, Limit.TRAINER))


def _longest_stage(snapshot: Snapshot) -> Bound:
    stages = snapshot.stages
    spent = (stages.read_us, stages.decode_us, stages.transform_us)
    return STAGE_BOUNDS[spent.index(max(spent))]


def _forecast(load: Load, num_producers: int) -> Forecast:
    return Forecast(num_producers, load.images_per_s(num_producers), load.wait_share(num_producers))


def _wanted(load: Load) -> int | None:
    """As few as feed the trainer, but for the wait that nobody minds."""
    return load.producers_for(load.taken_per_s * (1 - WAITS_SHARE / 2))
