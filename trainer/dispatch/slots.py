"""Who may put a batch where: the slots of all producers and jobs, within one budget of bytes.

A slot belongs to one (producer, job), so jobs never wait for each other. Free slots are the
producers' credit; there is no other. Its life is one table, `feedline.trainer.dispatch.owned.TRANSITIONS`.

A slot whose producer or job is gone is an orphan: when it would become FREE it is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from feedline.common.errors import LocalProtocolError
from feedline.trainer.dispatch.owned import TRANSITIONS, OwnedSlots, SlotEvent, SlotState

__all__ = [
    "MAX_SLOTS",
    "MIN_SLOTS",
    "TRANSITIONS",
    "Owner",
    "SlotEvent",
    "SlotId",
    "SlotNeed",
    "SlotState",
    "SlotTable",
    "share",
]

MIN_SLOTS = 2
"""One to build into, one to wait in: with fewer a producer would idle after every batch."""

MAX_SLOTS = 1 << 14
"""More of one producer for one job would be more than any consumer falls behind."""

Owner: TypeAlias = tuple[bytes, int]
"""(producer_id, job_id)."""


@dataclass(frozen=True, slots=True)
class SlotId:
    """A slot: the `index`-th of one producer for one job."""

    producer_id: bytes
    job_id: int
    index: int

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return self.producer_id, self.job_id


@dataclass(frozen=True, slots=True)
class SlotNeed:
    """What one job wants of every producer.

    Attributes
    ----------
    slot_bytes : int
        Bytes of a full batch.
    max_slots : int
        No more than so many of one producer, at least `MIN_SLOTS`: `max_queue_size`, or what has come of it.
    """

    slot_bytes: int
    max_slots: int


def share(budget_bytes: int, num_producers: int, needs: Mapping[int, SlotNeed]) -> tuple[int, dict[int, int]]:
    """Divide the budget: (producers that get slots, slots of each of them by job).

    Every served producer gets `MIN_SLOTS` for every job, then one more for the job that has
    fewest, as long as that fits. Producers that cannot be served that way get none.
    """
    base = MIN_SLOTS * sum(need.slot_bytes for need in needs.values())
    num_served = min(num_producers, budget_bytes // base) if base else 0
    if not num_served:
        return 0, {}
    counts = dict.fromkeys(needs, MIN_SLOTS)
    left = budget_bytes // num_served - base
    while True:
        fits = [j for j, need in needs.items() if counts[j] < need.max_slots and need.slot_bytes <= left]
        if not fits:
            return num_served, counts
        level = min(counts[j] for j in fits)
        poorest = [j for j in fits if counts[j] == level]
        limits = [needs[j].max_slots for j in poorest] + [counts[j] for j in fits if counts[j] > level]
        # As many at a time as there are to be: thousands, one by one, would take long.
        each = min(min(limits) - level, left // sum(needs[j].slot_bytes for j in poorest))
        for job_id in poorest if each else poorest[:1]:
            counts[job_id] += max(each, 1)
            left -= max(each, 1) * needs[job_id].slot_bytes


class SlotTable:
    """All slots of a pool.

    Parameters
    ----------
    budget_bytes : int
        All slots together never take more.

    Attributes
    ----------
    used_bytes : int
        What all slots there are take.
    is_starving : bool
        Whether an owner that should have slots has none to work with, and no room for one.
    dropped : list of SlotId
        Slots that are gone, whose memory is to be given back; whoever does so empties it.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._slots: dict[Owner, OwnedSlots] = {}
        self._targets: dict[Owner, int] = {}
        self._slot_bytes: dict[int, int] = {}
        self._num_free: dict[bytes, int] = {}
        self._num_of_job, self._num_free_of_job = Counter[int](), Counter[int]()
        self._held_bytes = 0
        self.used_bytes = 0
        self.is_starving = False
        self.dropped: list[SlotId] = []

    def allot(self, producers: list[bytes], needs: Mapping[int, SlotNeed]) -> list[bytes]:
        """Set who shall have how many slots; returns the producers that get none.

        Slots in use above the new share go when they become free, and only then come those that
        others gained: the budget holds at every moment. Call it when a producer or job comes or
        goes; when the budget does not serve all `producers`, it serves the first.
        """
        num_served, counts = share(self.budget_bytes, len(producers), needs)
        self._slot_bytes.update({job_id: need.slot_bytes for job_id, need in needs.items()})
        self._targets = {(p, j): count for p in producers[:num_served] for j, count in counts.items()}
        for owner in list(self._slots):
            while self._drop_surplus(owner):
                pass
        self._grow()
        return producers[num_served:] if needs else []

    def state(self, slot: SlotId) -> SlotState:
        """Who has the slot in hand.

        Raises
        ------
        LocalProtocolError
            There is no such slot.
        """
        try:
            return self._slots[slot.owner][slot.index]
        except KeyError:
            raise LocalProtocolError(f"no slot {slot.index} of job {slot.job_id}") from None

    def apply(self, slot: SlotId, event: SlotEvent) -> None:
        """Move a slot along one arrow.

        Raises
        ------
        LocalProtocolError
            `TRANSITIONS` has no such arrow: the slot is in other hands.
        """
        before = self.state(slot)
        after = self._slots[slot.owner].apply(slot.index, event)
        self._count_free(slot.owner, (after is SlotState.FREE) - (before is SlotState.FREE))
        self._held_bytes += self._slot_bytes[slot.job_id] * (
            (after is SlotState.HELD) - (before is SlotState.HELD)
        )
        if after is SlotState.FREE and (self._drop_surplus(slot.owner) or self.is_starving):
            self._grow()

    @property
    def with_free_slots(self) -> KeysView[bytes]:
        """Ids of the producers that have a free slot, for whatever job."""
        return self._num_free.keys()

    def free_slot(self, owner: Owner) -> SlotId | None:
        """A free slot of an owner, the lowest; None if all are in use."""
        index = self._slots[owner].free if owner in self._slots else None
        return None if index is None else SlotId(*owner, index)

    def is_full(self, job_id: int) -> bool:
        """Whether there are slots of a job, and no producer has one to build into."""
        return self._num_of_job[job_id] > 0 and not self._num_free_of_job[job_id]

    def num_due(self, job_id: int) -> int:
        """The slots that a producer shall have for a job, as far as the budget goes; 0 without producers."""
        return max((num for (_, job), num in self._targets.items() if job == job_id), default=0)

    def must_copy(self, slot: SlotId) -> bool:
        """Whether a delivery has to leave its slot at once.

        Consumers may keep batches for ever. So they never get all slots of an owner, and never more
        than half of the budget: the other half has room for a slot of every job (see `share`).
        """
        return self._num_holdable(slot) < 1

    def can_lie(self, slot: SlotId) -> bool:
        """Whether a batch can be delivered before it is asked for, and the next one still need not be copied.

        Of an owner that consumers hold nothing of, one always can.
        """
        holdable = self._num_holdable(slot)
        return holdable > 1 or (holdable == 1 and not self._slots[slot.owner].num[SlotState.HELD])

    def _num_holdable(self, slot: SlotId) -> int:
        """So many more of an owner's slots can consumers hold; 0 or less: none."""
        own = self._slots[slot.owner]
        workable = own.num_at_work - own.num[SlotState.QUARANTINED]
        room = (self.budget_bytes // 2 - self._held_bytes) // self._slot_bytes[slot.job_id]
        return min(workable - max(1, min(MIN_SLOTS, len(own) - 1)), room)

    def can_spare(self, owner: Owner) -> bool:
        """Whether an owner could go on without one of its slots, for the sake of one that has none."""
        return owner not in self._targets or self._num_at_work(owner) > 1

    def of_owner(self, owner: Owner) -> Iterator[tuple[SlotId, SlotState]]:
        """All slots of one owner."""
        own = self._slots.get(owner)
        return ((SlotId(*owner, index), state) for index, state in own.items()) if own else iter(())

    def __iter__(self) -> Iterator[tuple[SlotId, SlotState]]:
        """All slots there are."""
        return (item for owner in list(self._slots) for item in self.of_owner(owner))

    def _drop_surplus(self, owner: Owner) -> bool:
        """Drop a free slot above its owner's share, unless consumers hold all its others."""
        has_more = self._count(owner) > self._targets.get(owner, 0)
        return has_more and self.can_spare(owner) and self._drop_free(owner)

    def _drop_free(self, owner: Owner) -> bool:
        index = self._slots[owner].free
        if index is None:
            return False
        self._slots[owner].drop(index)
        self._count_free(owner, -1)
        self._num_of_job[owner[1]] -= 1
        if not self._slots[owner]:
            del self._slots[owner]
        self.used_bytes -= self._slot_bytes[owner[1]]
        self.dropped.append(SlotId(*owner, index))
        return True

    def _grow(self) -> None:
        """Make the slots that are due, poorest owner first.

        When a poor owner's slot does not fit yet, richer ones wait too: else small slots would
        eat the room that a large one needs, and its job would starve.
        """
        while due := [owner for owner in self._targets if self._is_due(owner)]:
            fewest = min(map(self._num_at_work, due))
            added = [self._add(owner) for owner in due if self._num_at_work(owner) == fewest]
            self.is_starving = fewest == 0 and not all(added)
            if not all(added) and not (self.is_starving and self._drop_spare()):
                return
        self.is_starving = False

    def _is_due(self, owner: Owner) -> bool:
        return self._count(owner) < self._targets[owner] or not self._num_at_work(owner)

    def _drop_spare(self) -> bool:
        """Drop a free slot that its owner can spare."""
        return any(self.can_spare(owner) and self._drop_free(owner) for owner in list(self._slots))

    def _num_at_work(self, owner: Owner) -> int:
        """Slots of an owner that no consumer holds."""
        return self._slots[owner].num_at_work if owner in self._slots else 0

    def _count(self, owner: Owner) -> int:
        return len(self._slots.get(owner, ()))

    def _add(self, owner: Owner) -> bool:
        num_bytes = self._slot_bytes[owner[1]]
        if self.used_bytes + num_bytes > self.budget_bytes:
            return False
        self._slots.setdefault(owner, OwnedSlots()).add()
        self.used_bytes += num_bytes
        self._count_free(owner, 1)
        self._num_of_job[owner[1]] += 1
        return True

    def _count_free(self, owner: Owner, more: int) -> None:
        """With hundreds of producers, looking for a free slot among all of them takes too long."""
        producer_id, job_id = owner
        self._num_free_of_job[job_id] += more
        number = self._num_free.get(producer_id, 0) + more
        if number:
            self._num_free[producer_id] = number
        else:
            self._num_free.pop(producer_id, None)
