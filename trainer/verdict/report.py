"""A verdict in words: what `str()` of it says, in a line and in a few."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isinf

from feedline.trainer.verdict.remedies import CAN_BE_HELPED, NOTHING, Possible, Remedy, remedies
from feedline.trainer.verdict.snapshot import CacheState, Certainty, Snapshot
from feedline.trainer.verdict.verdict import WAITS_SHARE, Bound, Verdict, judge

MOST_PRODUCERS = 20
"""A report shows so many; who looks for one of more has other tools."""

WHY = {
    Bound.DECODE: "decoding is why",
    Bound.TRANSFORM: "the transforms are why",
    Bound.READ: "reading files is why",
    Bound.NETWORK: "the network is why",
    Bound.HAND_OVER: "handing batches over is why",
}

LACKS_ROOM = "producers that had no room for more batches are why"
"""... where that explains the wait."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a span of time shows, and what would help; ``str()`` of it says so.

    Attributes
    ----------
    verdict : Verdict
        With the numbers it is from, in `Verdict.snapshot`.
    remedies : tuple of Remedy
        What would help, the simplest first.
    epoch : int or None
        Of a sequence: the one that it is about.
    """

    verdict: Verdict
    remedies: tuple[Remedy, ...] = ()
    epoch: int | None = None

    @classmethod
    def of(
        cls, snapshot: Snapshot, possible: Callable[[], Possible] = lambda: NOTHING, epoch: int | None = None
    ) -> Report:
        """Judge a span; `possible` is asked, which may take a while, if something is wrong."""
        verdict = judge(snapshot)
        found = possible() if verdict.bound in CAN_BE_HELPED else NOTHING
        return cls(verdict, remedies(verdict, found), epoch)

    @property
    def sentence(self) -> str:
        """The verdict in one line: who waits how much, why, and what would help."""
        return "; ".join(_parts(self))

    def __str__(self) -> str:
        title = "" if self.epoch is None else f"epoch {self.epoch}: "
        lines = [f"{title}{self.verdict.bound}: {self.sentence}", *_numbers(self.verdict)]
        return "\n  ".join(lines)


def _parts(report: Report) -> Iterator[str]:
    verdict, snapshot = report.verdict, report.verdict.snapshot
    if verdict.bound is Bound.STARVED:
        yield "no producer can read the files" if snapshot.producers else "there are no producers"
    elif verdict.bound is Bound.WARMING_UP:
        yield f"{snapshot.num_batches} batches in {snapshot.seconds:.1f} s are too few to tell"
    else:
        yield _wait(snapshot)
        yield LACKS_ROOM if verdict.lacks_room else WHY.get(verdict.bound, _fed(verdict))
    if snapshot.cache is CacheState.FILLING and verdict.bound in {Bound.DECODE, Bound.READ}:
        yield "the cache is being filled: the next epoch finds more in it"
    if report.remedies:
        yield ", or ".join(remedy.text for remedy in report.remedies)


def _wait(snapshot: Snapshot) -> str:
    share = f"{100 * snapshot.wait_share:.0f} %"
    if snapshot.certainty is Certainty.AT_MOST and snapshot.wait_share >= WAITS_SHARE:
        return f"the trainer waits at most {share} of its time (FeedMonitor tells exactly)"
    return f"the trainer waits {share} of its time"


def _fed(verdict: Verdict) -> str:
    num, wanted = verdict.snapshot.num_able, verdict.num_wanted
    if wanted is not None and wanted < num:
        return f"it is the limit, and {wanted} of {num} producers would do"
    return "it is the limit"


def _numbers(verdict: Verdict) -> Iterator[str]:
    """The lines below the sentence."""
    snapshot = verdict.snapshot
    num = snapshot.num_batches
    yield f"{snapshot.images_per_s:,.0f} images/s over {snapshot.seconds:.1f} s, {num} batches"
    if verdict.fewer is not None and verdict.more is not None:
        around = [f"{one.num_producers}: {one.images_per_s:,.0f}" for one in (verdict.fewer, verdict.more)]
        at_most = "at most " if verdict.headspace is None else ""
        yield f"images/s forecast by number of producers: {at_most}{', '.join(around)}; {_headspace(verdict)}"
    if snapshot.num_built:
        yield "ms a batch: " + ", ".join(f"{name} {ms:.2f}" for name, ms in step_ms(snapshot).items())
    for one in snapshot.producers[:MOST_PRODUCERS]:
        yield f"{one.name} on {one.host}: {one.num_batches} batches, busy {100 * one.busy_share:.0f} %"
    if len(snapshot.producers) > MOST_PRODUCERS:
        yield f"... and {len(snapshot.producers) - MOST_PRODUCERS} producers more"


def _headspace(verdict: Verdict) -> str:
    if verdict.headspace is None:
        return "without any waiting: not known"
    if isinf(verdict.headspace):
        return "without any waiting: no limit in the trainer"
    return f"without any waiting: {verdict.headspace:,.0f}"


def step_ms(snapshot: Snapshot) -> dict[str, float]:
    """Where the time of a batch goes, in milliseconds, in the order in which it does."""
    stages, num = snapshot.stages, max(1, snapshot.num_built)
    return {
        "read": stages.read_us / 1e3 / num,
        "decode": stages.decode_us / 1e3 / num,
        "transform": stages.transform_us / 1e3 / num,
        "on the way": 1e3 * snapshot.transfer_s,
        "hand-over": 1e3 * snapshot.hand_over_s / max(1, snapshot.num_batches),
        "step": 1e3 * snapshot.step_s,
    }
