"""Jobs as the dispatcher sees them, from their opening to their closing, and who waits for their steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from feedline.trainer.dispatch.bad_samples import BadSamples
from feedline.trainer.dispatch.ledger import Ledger
from feedline.trainer.dispatch.peers import Lease
from feedline.trainer.dispatch.queue_size import QueueGauge
from feedline.trainer.dispatch.slots import SlotId, SlotNeed
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.plan.lineups import Lineups

OVERDUE_AFTER_S = 10.0
"""A lease is never overdue before."""

OVERDUE_FACTOR = 10
"""... nor before so many times the median time from lease to answer."""

UNPROVEN_S = 300.0
"""Of a job of which no batch was ever built, nobody knows how long one takes: a lease may be so old."""

IDLE_AFTER_S = 60.0
"""A job that nothing was asked of for so long gives its slots back, but never before ..."""

IDLE_FACTOR = 30
"""... so many times what one of its batches takes: what it gives up is built again when it is asked."""

UNASKED_AHEAD = 2
"""Batches that a job may have in hand before anything was asked of it."""

FAILED_AHEAD = 2
"""Failed batches that nobody asked for yet: where all fail, prefetch would go on for ever."""

FIRST_NOTE_S = 5.0
"""A wait is logged when it has lasted so long."""

RETRY_S = 2.0
"""While another producer is waited for, those that failed to read a file try again so often."""


@dataclass(slots=True)
class Demand:
    """Somebody waits for a step.

    Attributes
    ----------
    since, until : float
        When the wait began, and when it must end, on the pool's clock.
    next_note_at : float
        When to log that it is still going on.
    retry_at : float
        When producers that could not read its files are to try again.
    """

    since: float
    until: float
    next_note_at: float
    retry_at: float

    @classmethod
    def begun(cls, now: float, timeout_s: float) -> Demand:
        """One that begins now."""
        return cls(now, now + timeout_s, now + FIRST_NOTE_S, now + RETRY_S)


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a job when it is opened.

    Attributes
    ----------
    name : str
        For log lines and errors.
    num_steps : int
        Of an epoch.
    samples_of : callable
        (epoch, step) -> the files of the step, for errors.
    usual_s : float or None
        What one of its batches takes, if that is known.
    prefetches : bool
        Whether more is built than somebody waits for.
    first_slots : int or None
        With how many slots of each producer it begins, if it gets all of `need` only where that helps.
    bad : BadSamples
        What is known of its bad samples, and done with them.
    """

    job_id: int
    name: str
    num_steps: int
    need: SlotNeed
    samples_of: Callable[[StepKey], Sequence[str]]
    usual_s: float | None = None
    prefetches: bool = True
    first_slots: int | None = None
    bad: BadSamples = field(default_factory=lambda: BadSamples(Lineups(EpochPlan(1, 1))))


@dataclass(slots=True)
class Work:
    """One job, from its opening to its closing.

    Attributes
    ----------
    name : str
        For log lines and errors.
    samples_of : callable
        (epoch, step) -> the files of the step, for errors.
    demands : dict of StepKey to Demand
        Steps somebody waits for, in the order asked.
    leased, ready : dict
        The lease that works on a LEASED step; the slot of a READY one.
    answer_s : deque of float
        Recent times from lease to answer, or what was known of them before; empty if nothing is.
    pace_s : float
        What fast producers take for one of its batches; 0 if nothing is known.
    prefetches : bool
        Whether more is built than somebody waits for.
    asked : bool
        Whether anything was ever asked of it.
    asked_at : float
        When something was last asked of it, or it was opened.
    woken_at : float
        When it last got slots.
    num_served : int
        Batches that it got since.
    told : set of bytes
        Producers that know it.
    most_slots : int
        `need` never asks for more.
    gauge : QueueGauge
        Sees whether that is too little.
    bad : BadSamples
        See `Opening`.
    """

    job_id: int
    name: str
    ledger: Ledger
    need: SlotNeed
    samples_of: Callable[[StepKey], Sequence[str]]
    bad: BadSamples
    demands: dict[StepKey, Demand] = field(default_factory=dict)
    leased: dict[StepKey, Lease] = field(default_factory=dict)
    ready: dict[StepKey, SlotId] = field(default_factory=dict)
    answer_s: deque[float] = field(default_factory=lambda: deque(maxlen=65))
    pace_s: float = 0.0
    prefetches: bool = True
    asked: bool = False
    asked_at: float = 0.0
    woken_at: float = 0.0
    num_served: int = 0
    told: set[bytes] = field(default_factory=set)
    most_slots: int = 0
    gauge: QueueGauge = field(default_factory=lambda: QueueGauge(0.0))

    @classmethod
    def begun(cls, opening: Opening, now: float) -> Work:
        """That of a job that is opened now."""
        need, most = opening.need, opening.need.max_slots
        if opening.first_slots is not None:
            need = replace(need, max_slots=min(opening.first_slots, most))
        work = cls(
            opening.job_id,
            opening.name,
            Ledger(opening.num_steps),
            need,
            opening.samples_of,
            opening.bad,
            prefetches=opening.prefetches,
            asked_at=now,
            most_slots=most,
            gauge=QueueGauge(now),
        )
        work.answer_s.extend([] if opening.usual_s is None else [opening.usual_s])
        return work

    def is_idle(self, now: float) -> bool:
        """Whether nothing was asked of it for so long that its batches are worth less than their room."""
        if self.demands or self.leased:
            return False
        usual = median(self.answer_s) if self.answer_s else 0.0
        return now - self.asked_at > max(IDLE_AFTER_S, IDLE_FACTOR * usual)

    def overdue_s(self, key: StepKey, unproven_s: float) -> float:
        """Age at which a lease of a step is taken for lost.

        Before it is known how long a batch takes that is `unproven_s`, or half of what somebody waits for it:
        the other half is for another producer.
        """
        if self.answer_s:
            return max(OVERDUE_AFTER_S, OVERDUE_FACTOR * median(self.answer_s))
        demand = self.demands.get(key)
        patience_s = unproven_s if demand is None else min(unproven_s, (demand.until - demand.since) / 2)
        return max(OVERDUE_AFTER_S, patience_s)

    @property
    def wants_more(self) -> bool:
        """Whether prefetch may go on as far as slots allow."""
        if not self.prefetches or self.bad.doom or self.ledger.num_failed >= FAILED_AHEAD:
            return False
        return self.asked or self.ledger.num_ahead < UNASKED_AHEAD
