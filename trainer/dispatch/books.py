"""The dispatcher's books: who is there, what is to be done, who does it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from feedline.trainer.dispatch.bad_samples import BadSamples
from feedline.trainer.dispatch.instructions import DropSlots, Instruction, Note
from feedline.trainer.dispatch.ledger import Ledger
from feedline.trainer.dispatch.queue_size import QueueGauge
from feedline.trainer.dispatch.slots import Owner, SlotId, SlotNeed, SlotTable
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.plan.lineups import Lineup, Lineups

OVERDUE_AFTER_S = 10.0
"""A lease is never overdue before."""

OVERDUE_FACTOR = 10
"""... nor before so many times the median time from lease to answer."""

MAX_LOST = 3
"""A step that was in work when producers died is tried so many times more, and then only by those that have
built a batch: whoever comes and goes without having built any proves nothing about a file."""

UNPROVEN_S = 300.0
"""Of a job of which no batch was ever built, nobody knows how long one takes: a lease may be so old."""

IDLE_AFTER_S = 60.0
"""A job that nothing was asked of for so long gives its slots back, but never before ..."""

IDLE_FACTOR = 30
"""... so many times what one of its batches takes: what it gives up is built again when it is asked."""

TICKETS_AHEAD = 2
"""Leases of one producer: one in work, one waiting. Enough never to idle, little to lose."""

UNASKED_AHEAD = 2
"""Batches that a job may have in hand before anything was asked of it."""

FIRST_NOTE_S = 5.0
"""A wait is logged when it has lasted so long."""

RETRY_S = 2.0
"""While another producer is waited for, those that failed to read a file try again so often."""

BARRED_S = 10.0
"""A producer all of whose reads failed is given one ticket so often: its folder may be back."""

FAILED_AHEAD = 2
"""Failed batches that nobody asked for yet: where all fail, prefetch would go on for ever."""


MAX_NAMED = 8
"""A log line names so many producers or jobs."""


def listed(names: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


@dataclass(slots=True)
class Lease:
    """One order to build one step, given to one producer.

    Attributes
    ----------
    leased_at : float
        Seconds on the pool's clock.
    void : bool
        Expired or cancelled: the slot is in quarantine until the producer answers.
    overdue : bool
        It expired because the producer took too long.
    num_unlisted : int
        Heartbeats of the producer that did not list it, in a row.
    took_s : float
        What the producer was at it, once it was answered.
    lineup : Lineup or None
        The samples that were ordered, once the ticket was made.
    """

    lease_id: int
    key: StepKey
    slot: SlotId
    leased_at: float
    void: bool = False
    overdue: bool = False
    num_unlisted: int = 0
    took_s: float = 0.0
    lineup: Lineup | None = None


@dataclass(slots=True)
class Peer:
    """A producer, from its welcome to its end.

    Attributes
    ----------
    leases : dict of int to Lease
        In the order given, which is the order in which it works: only the first can be in work.
    number : int
        How many joined before it.
    joined_at : float
        When, on the pool's clock.
    num_unread : int
        Read failures in a row.
    has_read : bool
        It has built a batch, so some files are where it looks for them.
    doing : str
        What it is at, by its last heartbeat; empty if it has nothing to do.
    answered_at : float
        When it last answered, and could begin with the next of its leases.
    paces : dict of int to float
        What it takes for a batch, in seconds, by job; lately more than long ago.
    guessed : set of int
        The jobs of which its pace is a guess: it did not come to the end of a batch.
    barred : bool
        Gets no tickets because its reads failed too often.
    retry_at : float or None
        When a barred producer gets one ticket all the same.
    """

    producer_id: bytes
    name: str
    last_heard: float
    number: int = 0
    joined_at: float = 0.0
    leases: dict[int, Lease] = field(default_factory=dict)
    num_unread: int = 0
    has_read: bool = False
    barred: bool = False
    retry_at: float | None = None
    doing: str = ""
    answered_at: float = 0.0
    paces: dict[int, float] = field(default_factory=dict)
    guessed: set[int] = field(default_factory=set)

    @property
    def named(self) -> str:
        """Its name, and what it is at."""
        return f"{self.name} ({self.doing})" if self.doing else self.name

    @property
    def is_stuck(self) -> bool:
        """Whether an answer is overdue: nothing it is given now would be begun before."""
        return any(lease.overdue for lease in self.leases.values())


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
        known = opening.job_id, opening.name, Ledger(opening.num_steps), need, opening.samples_of, opening.bad
        work = cls(*known, most_slots=most, gauge=QueueGauge(now))
        work.prefetches, work.asked_at = opening.prefetches, now
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


@dataclass(slots=True)
class Books:
    """Everything the dispatcher knows; its parts share one.

    Attributes
    ----------
    slots : SlotTable
        Who may put a batch where.
    peers : dict of bytes to Peer
        By producer_id, in the order in which they joined.
    works, resting : dict of int to Work
        Jobs that have slots, and those that have none; by job_id.
    waiting : dict of int to Work
        Those of `resting` that somebody waits for.
    short : dict of bytes to Peer
        Those of the peers that hold fewer than `TICKETS_AHEAD` leases.
    out : list of Instruction
        What the pool is to do, not yet handed out.
    unproven_s : float
        See `Work.overdue_s`.
    """

    slots: SlotTable
    unproven_s: float = UNPROVEN_S
    peers: dict[bytes, Peer] = field(default_factory=dict)
    works: dict[int, Work] = field(default_factory=dict)
    resting: dict[int, Work] = field(default_factory=dict)
    waiting: dict[int, Work] = field(default_factory=dict)
    short: dict[bytes, Peer] = field(default_factory=dict)
    out: list[Instruction] = field(default_factory=list)

    def work(self, job_id: int) -> Work | None:
        """An open job, whether it rests or not."""
        return self.works.get(job_id) or self.resting.get(job_id)

    @property
    def all_works(self) -> list[Work]:
        """All open jobs."""
        return [*self.works.values(), *self.resting.values()]

    @property
    def why_turns(self) -> str:
        """Say that more is read than there is room for, and what to do."""
        works = sorted(self.all_works, key=lambda work: work.asked_at, reverse=True)
        return (
            f"memory_budget={self.slots.budget_bytes:,} bytes has room for {len(self.works)} of {len(works)}"
            " open sequences at a time: close those that are done with, or raise memory_budget. Those that"
            f" were read last: {listed([work.name for work in works])}"
        )

    @property
    def nobody_has_read(self) -> bool:
        """Whether no producer that is there has built a batch."""
        return not any(peer.has_read for peer in self.peers.values())

    @property
    def producer_names(self) -> list[str]:
        """Names of the producers that are there."""
        return [peer.name for peer in self.peers.values()]

    def count_leases(self, peer: Peer) -> None:
        """A peer came, or holds more or fewer leases than before."""
        if len(peer.leases) < TICKETS_AHEAD:
            self.short[peer.producer_id] = peer
        else:
            self.short.pop(peer.producer_id, None)

    @property
    def hungry(self) -> list[Peer]:
        """Peers that prefetch may feed: short of leases, with a slot to build into.

        Of the two conditions, the one that fewer producers meet is gone through: when producers are
        slow all have slots, and when the consumer is, hardly any has.
        """
        free = self.slots.with_free_slots
        if len(self.short) <= len(free):
            return [peer for producer_id, peer in self.short.items() if producer_id in free]
        return [self.short[producer_id] for producer_id in free if producer_id in self.short]

    @property
    def willing(self) -> list[Peer]:
        """Peers that get tickets."""
        return [peer for peer in self.peers.values() if not peer.barred]

    def may_read(self, peer: Peer, work: Work, key: StepKey) -> bool:
        """Whether it has not failed to read the step; of one that seems to kill, whether it has built any."""
        record = work.ledger.record(key)
        if record.num_lost > MAX_LOST and not peer.has_read:
            return False
        return peer.producer_id not in record.unread_by

    def num_unreadable(self, peer: Peer) -> int:
        """Steps that somebody waits for and the producer failed to read."""
        return sum(not self.may_read(peer, work, key) for work in self.works.values() for key in work.demands)

    def note(self, level: int, text: str) -> None:
        """Log a line."""
        self.out.append(Note(level, text))

    def take_out(self) -> list[Instruction]:
        """Hand out what is to be done; memory that was given up comes first, for it may be ordered again."""
        out, self.out = self._drops() + self.out, []
        return out

    def _drops(self) -> list[Instruction]:
        by_owner: dict[Owner, list[int]] = {}
        while self.slots.dropped:
            slot = self.slots.dropped.pop()
            by_owner.setdefault(slot.owner, []).append(slot.index)
        return [DropSlots(*owner, tuple(sorted(indices))) for owner, indices in by_owner.items()]
