"""Who may put a batch where: the slots of all producers and jobs, within one budget of bytes.

A slot belongs to one (producer, job), so jobs never wait for each other. Free slots are the
producers' credit; there is no other. Its life is one table::

    FREE --lease--> LEASED --fill--> READY --hold--> HELD --free--> FREE
                     |  |              +-----free---------------------^
                     |  +--free (failed, cancelled)-------------------^
                     +--expire--> QUARANTINED --free------------------^
                                       +--fill--> READY

A slot whose producer or job is gone is an orphan: when it would become FREE it is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from feedline.common.errors import LocalProtocolError

MIN_SLOTS = 2
"""One to build into, one to wait in: with fewer a producer would idle after every batch."""


class SlotState(StrEnum):
    """Who has a slot in hand."""

    FREE = "free"
    LEASED = "leased"
    READY = "ready"
    HELD = "held"
    QUARANTINED = "quarantined"


class SlotEvent(StrEnum):
    """What can happen to a slot."""

    LEASE = "lease"
    FILL = "fill"
    HOLD = "hold"
    EXPIRE = "expire"
    FREE = "free"


TRANSITIONS: dict[tuple[SlotState, SlotEvent], SlotState] = {
    (SlotState.FREE, SlotEvent.LEASE): SlotState.LEASED,
    (SlotState.LEASED, SlotEvent.FILL): SlotState.READY,
    (SlotState.LEASED, SlotEvent.EXPIRE): SlotState.QUARANTINED,
    (SlotState.LEASED, SlotEvent.FREE): SlotState.FREE,
    (SlotState.QUARANTINED, SlotEvent.FILL): SlotState.READY,
    (SlotState.QUARANTINED, SlotEvent.FREE): SlotState.FREE,
    (SlotState.READY, SlotEvent.HOLD): SlotState.HELD,
    (SlotState.READY, SlotEvent.FREE): SlotState.FREE,
    (SlotState.HELD, SlotEvent.FREE): SlotState.FREE,
}

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
        No more than so many of one producer (`max_queue_size`), at least `MIN_SLOTS`.
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
        poorest = min(fits, key=counts.__getitem__)
        counts[poorest] += 1
        left -= needs[poorest].slot_bytes


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
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._states: dict[Owner, dict[int, SlotState]] = {}
        self._targets: dict[Owner, int] = {}
        self._slot_bytes: dict[int, int] = {}
        self._num_free: dict[bytes, int] = {}
        self._held_bytes = 0
        self.used_bytes = 0
        self.is_starving = False

    def allot(self, producers: list[bytes], needs: Mapping[int, SlotNeed]) -> list[bytes]:
        """Set who shall have how many slots; returns the producers that get none.

        Slots in use above the new share go when they become free, and only then come those that
        others gained: the budget holds at every moment. Call it when a producer or job comes or
        goes; when the budget does not serve all `producers`, it serves the first.
        """
        num_served, counts = share(self.budget_bytes, len(producers), needs)
        self._slot_bytes.update({job_id: need.slot_bytes for job_id, need in needs.items()})
        self._targets = {(p, j): count for p in producers[:num_served] for j, count in counts.items()}
        for owner in list(self._states):
            for index in list(self._states[owner]):
                self._drop_if_surplus(SlotId(*owner, index))
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
            return self._states[slot.owner][slot.index]
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
        after = TRANSITIONS.get((before, event))
        if after is None:
            raise LocalProtocolError(f"slot {slot} is {before.value}: it cannot {event.value}")
        self._states[slot.owner][slot.index] = after
        self._count_free(slot.producer_id, (after is SlotState.FREE) - (before is SlotState.FREE))
        self._held_bytes += self._slot_bytes[slot.job_id] * (
            (after is SlotState.HELD) - (before is SlotState.HELD)
        )
        if after is SlotState.FREE and (self._drop_if_surplus(slot) or self.is_starving):
            self._grow()

    @property
    def with_free_slots(self) -> KeysView[bytes]:
        """Ids of the producers that have a free slot, for whatever job."""
        return self._num_free.keys()

    def free_slot(self, owner: Owner) -> SlotId | None:
        """A free slot of an owner, the lowest; None if all are in use."""
        if owner[0] not in self._num_free:
            return None
        free = [i for i, state in self._states.get(owner, {}).items() if state is SlotState.FREE]
        return SlotId(*owner, min(free)) if free else None

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
        return holdable > 1 or (holdable == 1 and SlotState.HELD not in self._states[slot.owner].values())

    def _num_holdable(self, slot: SlotId) -> int:
        """So many more of an owner's slots can consumers hold; 0 or less: none."""
        states = self._states[slot.owner]
        workable = sum(state not in {SlotState.HELD, SlotState.QUARANTINED} for state in states.values())
        room = (self.budget_bytes // 2 - self._held_bytes) // self._slot_bytes[slot.job_id]
        return min(workable - max(1, min(MIN_SLOTS, len(states) - 1)), room)

    def can_spare(self, slot: SlotId) -> bool:
        """Whether the slot's owner could go on without it, for the sake of one that has none."""
        return slot.owner not in self._targets or self._num_at_work(slot.owner) > 1

    def of_owner(self, owner: Owner) -> Iterator[tuple[SlotId, SlotState]]:
        """All slots of one owner."""
        return ((SlotId(*owner, index), state) for index, state in self._states.get(owner, {}).items())

    def __iter__(self) -> Iterator[tuple[SlotId, SlotState]]:
        """All slots there are."""
        return (item for owner in list(self._states) for item in self.of_owner(owner))

    def _drop_if_surplus(self, slot: SlotId) -> bool:
        """Drop a free slot above its owner's share, unless consumers hold all its others."""
        if self._count(slot.owner) <= self._targets.get(slot.owner, 0) or not self.can_spare(slot):
            return False
        return self._drop_if_free(slot)

    def _drop_if_free(self, slot: SlotId) -> bool:
        states = self._states[slot.owner]
        if states[slot.index] is not SlotState.FREE:
            return False
        del states[slot.index]
        self._count_free(slot.producer_id, -1)
        if not states:
            del self._states[slot.owner]
        self.used_bytes -= self._slot_bytes[slot.job_id]
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
        return any(self.can_spare(slot) and self._drop_if_free(slot) for slot, _ in list(self))

    def _num_at_work(self, owner: Owner) -> int:
        """Slots of an owner that no consumer holds."""
        return sum(state is not SlotState.HELD for state in self._states.get(owner, {}).values())

    def _count(self, owner: Owner) -> int:
        return len(self._states.get(owner, ()))

    def _add(self, owner: Owner) -> bool:
        num_bytes = self._slot_bytes[owner[1]]
        if self.used_bytes + num_bytes > self.budget_bytes:
            return False
        states = self._states.setdefault(owner, {})
        states[next(i for i in range(len(states) + 1) if i not in states)] = SlotState.FREE
        self.used_bytes += num_bytes
        self._count_free(owner[0], 1)
        return True

    def _count_free(self, producer_id: bytes, more: int) -> None:
        """With hundreds of producers, looking for a free slot among all of them takes too long."""
        number = self._num_free.get(producer_id, 0) + more
        if number:
            self._num_free[producer_id] = number
        else:
            self._num_free.pop(producer_id, None)
