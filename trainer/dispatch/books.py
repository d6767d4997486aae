"""The dispatcher's books: who is there, what is to be done, who does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from feedline.trainer.dispatch.instructions import DropSlots, Instruction, Note
from feedline.trainer.dispatch.peers import Peer
from feedline.trainer.dispatch.slots import Owner, SlotTable
from feedline.trainer.dispatch.works import UNPROVEN_S, Work
from feedline.trainer.plan.epochs import StepKey

MAX_LOST = 3
"""A step that was in work when producers died is tried so many times more, and then only by those that have
built a batch: whoever comes and goes without having built any proves nothing about a file."""

MAX_NAMED = 8
"""A log line names so many producers or jobs."""


def listed(names: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


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
        Those of the peers that hold fewer leases than their `Peer.tickets_ahead`.
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
        if len(peer.leases) < peer.tickets_ahead:
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
