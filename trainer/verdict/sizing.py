"""How many producers there are to be: from what they and the trainer did to a number, and its reason.

Their number follows from a ratio, as that of Kubernetes' HorizontalPodAutoscaler does (kubernetes.io,
"Horizontal Pod Autoscaling", algorithm details): batches that the trainer takes, over those that a producer
makes that never pauses. It jumps there at once, and then holds: it becomes larger only while the trainer
waits, smaller only when fewer would still have time to spare, and what brought nothing is not tried again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from feedline.common.errors import ConfigurationError
from feedline.trainer.verdict.forecast import CORES_ARE_FULL
from feedline.trainer.verdict.snapshot import Certainty, Snapshot
from feedline.trainer.verdict.verdict import LIMITS, STAGE_BOUNDS, Bound, bound_of, load_of

GROW_TO = 0.9
"""As many are started as will be at work for so much of their time: batches do not all take equally long."""

SHRINK_TO = 0.8
"""... and some leave where those that stay will be for less. What lies in between is held."""

PATIENCE_S = 30.0
"""Producers that idle for so long are not needed. Those that are missing are missed at once."""

LITTLE = 0.05
"""What brings less than so much more is not worth a process."""

SLOWER = 1.1
"""A step that takes so many times as long since producers joined lacks the cores that they have."""

OTHER_LOAD = 1.5
"""Where batches or steps take so many times as long as before, what was learned before says nothing."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How many producers there may be.

    Attributes
    ----------
    least, most : int
        At least 1; equal where the number is fixed.

    Raises
    ------
    ConfigurationError
        Bounds the wrong way round.
    """

    least: int
    most: int

    def __post_init__(self) -> None:
        """Refuse what leaves no number."""
        if not 1 <= self.least <= self.most:
            raise ConfigurationError(f"workers must be (min, max), got {(self.least, self.most)}")

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to decide."""
        return self.least == self.most

    def nearest(self, num: int) -> int:
        """The number within the bounds that is nearest."""
        return min(max(num, self.least), self.most)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two spans of time, one after the other, in which the same producers were at work.

    One hiccup is in one of them; what both show is how things are.
    """

    earlier: Snapshot
    later: Snapshot

    @property
    def both(self) -> tuple[Snapshot, Snapshot]:
        """The two."""
        return self.earlier, self.later

    @property
    def best(self) -> Snapshot:
        """The one with more images per second."""
        return max(self.both, key=lambda span: span.images_per_s)


@dataclass(frozen=True, slots=True)
class Growth:
    """That there are more producers, and what for.

    Attributes
    ----------
    num_before : int
        How many there were.
    before : Snapshot
        What they did.
    forecast : float
        Images per second that more should give.
    """

    num_before: int
    before: Snapshot
    forecast: float


@dataclass(frozen=True, slots=True)
class Ceiling:
    """That more than so many are of no use, as long as the load is as it was in a span."""

    num: int
    under: Snapshot


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from one decision to the next.

    Attributes
    ----------
    growth : Growth or None
        The last change, if it has not been judged yet.
    ceiling : Ceiling or None
        What was learned of one.
    idle_since : float or None
        Fewer would have done ever since then ...
    peak : int
        ... but not fewer than these.
    """

    growth: Growth | None = None
    ceiling: Ceiling | None = None
    idle_since: float | None = None
    peak: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """How many producers there are to be.

    Attributes
    ----------
    num : int
        Within the bounds.
    memory : Memory
        For the next decision.
    reason : str
        Why there are to be others than there are; empty if they stay.
    """

    num: int
    memory: Memory
    reason: str = ""


def decide(workers: Workers, num: int, evidence: Evidence, memory: Memory, now: float) -> Decision:
    """Say how many producers there are to be.

    Parameters
    ----------
    workers : Workers
        How many there may be.
    num : int
        How many there are, all of them at work in `evidence`.
    memory : Memory
        Of the last decision about them.
    now : float
        Seconds since some moment.
    """
    growth = memory.growth
    if growth is not None:
        decision = _judge(growth, workers, num, evidence, memory)
        if decision.num != num:
            return decision
        memory = decision.memory
    if memory.ceiling is not None and not _is_alike(memory.ceiling.under, evidence.later):
        memory = replace(memory, ceiling=None)
    most = workers.most if memory.ceiling is None else workers.nearest(memory.ceiling.num)
    wishes = [_wish(span, num, most) for span in evidence.both]
    if min(wishes) > num:
        return _grow(min(wishes), num, evidence, memory)
    fewer = workers.nearest(max(wishes))
    if fewer < num:
        is_overshot = growth is not None and growth.before.certainty is Certainty.AT_MOST
        return _shrink(fewer, num, evidence, memory, now, patience_s=0.0 if is_overshot else PATIENCE_S)
    return Decision(workers.nearest(num), replace(memory, idle_since=None, peak=0))


def shed(workers: Workers, num: int, num_idle: int, evidence: Evidence, memory: Memory) -> Decision:
    """Say how many there are to be when some get nothing to do, as there is no memory for their batches."""
    served = workers.nearest(num - num_idle)
    calm = replace(memory, growth=None, ceiling=Ceiling(served, evidence.later), idle_since=None, peak=0)
    return Decision(served, calm, "memory_budget has slots for no more" if served != num else "")


def rest(workers: Workers, num: int, memory: Memory) -> Decision:
    """Say how many there are to be when nobody has asked for a batch for `PATIENCE_S`."""
    calm = replace(memory, growth=None, idle_since=None, peak=0)
    if num <= workers.least:
        return Decision(num, calm)
    return Decision(workers.least, calm, f"no batch was asked for in {PATIENCE_S:.0f} s")


def wanted(span: Snapshot, most: int) -> int | None:
    """As few producers as make what the trainer takes, with time to spare; at most `most`.

    Where cores or the trainer's hand-over set a limit to all of them, as few as come up to that. None if it
    is not known what one of them makes.
    """
    is_fed = _is_fed(span)
    load = load_of(span, Bound.TRAINER if is_fed else bound_of(span))
    if not load.build_s:
        return None
    # What it takes while it does not wait is known, even if not by how much it could be faster.
    per_s = span.batches_per_s if is_fed else load.taken_per_s
    spare = SHRINK_TO if is_fed else GROW_TO
    num = min(per_s / spare, load.way_per_s, load.made_per_s(most)) * load.build_s
    return min(most, max(1, math.ceil(num * (1 - 1e-9))))


def _wish(span: Snapshot, num: int, most: int) -> int:
    """How many a span asks for: more only if the trainer is kept waiting, fewer only if it is not."""
    if _is_fed(span):
        return min(num, wanted(span, num) or num)
    return max(num, wanted(span, most) or num) if bound_of(span) in STAGE_BOUNDS else num


def _is_fed(span: Snapshot) -> bool:
    """Whether the trainer is the limit. Who reads ahead of it may wait, beside producers that have time."""
    bound = bound_of(span)
    reads_ahead = span.certainty is Certainty.AT_MOST and bound in LIMITS
    return bound is Bound.TRAINER or (reads_ahead and 0 < span.busy_share < GROW_TO)


def _grow(num: int, now_there: int, evidence: Evidence, memory: Memory) -> Decision:
    # The span that asks for fewer: it is what both agree on.
    span = min(evidence.both, key=lambda one: _wish(one, now_there, num))
    bound = bound_of(span)
    load = load_of(span, bound)
    is_known = span.certainty is Certainty.EXACT
    takes = f"it takes {_rate(load.taken_per_s)}" if is_known else "how much it would take is not known"
    return Decision(
        num,
        replace(memory, growth=Growth(now_there, span, load.images_per_s(num)), idle_since=None, peak=0),
        f"the trainer waits {_percent(span.wait_share)} of its time, {bound}: {takes},"
        f" and a producer makes {_rate(1 / load.build_s)}",
    )


def _shrink(
    num: int, now_there: int, evidence: Evidence, memory: Memory, now: float, *, patience_s: float
) -> Decision:
    """Let some go, when for long enough no more than these were needed."""
    since = now if memory.idle_since is None else memory.idle_since
    peak = max(memory.peak, num)
    if now - since < patience_s:
        return Decision(now_there, replace(memory, idle_since=since, peak=peak))
    span = evidence.later
    return Decision(
        peak,
        replace(memory, idle_since=None, peak=0),
        f"they are busy for {_percent(span.busy_share)} of their time: the trainer takes"
        f" {_rate(span.batches_per_s)}, and a producer makes {_rate(1 / span.build_s)}",
    )


def _judge(growth: Growth, workers: Workers, num: int, evidence: Evidence, memory: Memory) -> Decision:
    """Say what a growth has brought: nothing, and it is undone; too little, and there is no other."""
    after, before = evidence.best, growth.before
    memory = replace(memory, growth=None)
    if not _has_like_steps(before, after):
        return Decision(num, memory)
    brought = after.images_per_s - before.images_per_s
    hoped = growth.forecast - before.images_per_s
    if brought < min(LITTLE * before.images_per_s, hoped / 4):
        return _back(workers.nearest(growth.num_before), growth, evidence, memory)
    if all(_is_slowed(before, span) for span in evidence.both):
        return _one_less(workers.nearest(num - 1), before, after, memory)
    if brought < hoped / 2 and not _is_fed(after):
        memory = replace(memory, ceiling=Ceiling(num, after))
    return Decision(num, memory)


def _back(num: int, growth: Growth, evidence: Evidence, memory: Memory) -> Decision:
    change = evidence.best.images_per_s / growth.before.images_per_s - 1
    text = f"more of them brought {_percent(change)} more images/s"
    return Decision(num, replace(memory, ceiling=Ceiling(num, growth.before)), text)


def _one_less(num: int, before: Snapshot, after: Snapshot, memory: Memory) -> Decision:
    longer = _percent(after.step_s / before.step_s - 1)
    text = f"the trainer's own step takes {longer} longer since more joined: they share its cores"
    return Decision(num, replace(memory, ceiling=Ceiling(num, after)), text)


def _is_slowed(before: Snapshot, after: Snapshot) -> bool:
    """Whether the trainer is fed, but takes longer for its own part, on cores that others use, too."""
    is_known = before.certainty is after.certainty is Certainty.EXACT
    is_full = after.cpu_share >= CORES_ARE_FULL and bound_of(after) is Bound.TRAINER
    return is_known and is_full and 0 < SLOWER * before.step_s < after.step_s


def _is_alike(before: Snapshot, after: Snapshot) -> bool:
    """Whether batches and steps take about as long as they did."""
    return _about_equal(before.build_s, after.build_s) and _has_like_steps(before, after)


def _has_like_steps(before: Snapshot, after: Snapshot) -> bool:
    """Whether steps do, as far as that is known and is a part of the time that matters."""
    if Certainty.AT_MOST in {before.certainty, after.certainty}:
        return True
    matter = any(one.step_s * one.batches_per_s > LITTLE for one in (before, after))
    return not matter or _about_equal(before.step_s, after.step_s)


def _about_equal(a: float, b: float) -> bool:
    return max(a, b) <= OTHER_LOAD * min(a, b)


def _rate(per_s: float) -> str:
    return "all that comes" if math.isinf(per_s) else f"{per_s:.3g} batches/s"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
