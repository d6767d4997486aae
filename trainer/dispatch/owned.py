"""The slots of one owner, and the table of a slot's life.

::

FREE --lease--> LEASED --fill--> READY --hold--> HELD --free--> FREE
                 |  |              +-----free---------------------^
                 |  +--free (failed, cancelled)-------------------^
                 +--expire--> QUARANTINED --free------------------^
                                   +--fill--> READY
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import ItemsView
from enum import StrEnum
from itertools import count

from feedline.common.errors import LocalProtocolError


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


class LowestFirst:
    """Numbers, of which the lowest is wanted; each is there once."""

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._all: set[int] = set()

    def add(self, number: int) -> None:
        """Put one in, unless it is there."""
        if number not in self._all:
            self._all.add(number)
            heapq.heappush(self._heap, number)

    @property
    def lowest(self) -> int | None:
        """The lowest there is."""
        return self._heap[0] if self._heap else None

    def take_lowest(self) -> int:
        """Take it out."""
        number = heapq.heappop(self._heap)
        self._all.remove(number)
        return number


class OwnedSlots:
    """All slots of one owner, by their index. Nothing takes longer because there are thousands.

    Attributes
    ----------
    num : Counter of SlotState
        How many are in each state.
    """

    def __init__(self) -> None:
        self.num: Counter[SlotState] = Counter()
        self._states: dict[int, SlotState] = {}
        # What was free once stays in the first until it is found not to be.
        self._maybe_free, self._given_up = LowestFirst(), LowestFirst()
        self._new = count()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._states)

    def __getitem__(self, index: int) -> SlotState:
        """Who has it in hand; KeyError if there is no such slot."""
        return self._states[index]

    def items(self) -> ItemsView[int, SlotState]:
        """All of them, with their states."""
        return self._states.items()

    @property
    def num_at_work(self) -> int:
        """Slots that no consumer holds."""
        return len(self) - self.num[SlotState.HELD]

    @property
    def free(self) -> int | None:
        """The lowest free one; None if all are in use."""
        while (index := self._maybe_free.lowest) is not None:
            if self._states.get(index) is SlotState.FREE:
                return index
            self._maybe_free.take_lowest()
        return None

    def add(self) -> int:
        """Make one more, free, with the lowest index that there is not."""
        index = next(self._new) if self._given_up.lowest is None else self._given_up.take_lowest()
        self._set(index, SlotState.FREE)
        return index

    def drop(self, index: int) -> None:
        """Give up a free one."""
        self.num[self._states.pop(index)] -= 1
        self._given_up.add(index)

    def apply(self, index: int, event: SlotEvent) -> SlotState:
        """Move one along one arrow; returns where it is then.

        Raises
        ------
        LocalProtocolError
            `TRANSITIONS` has no such arrow: the slot is in other hands.
        """
        before = self._states[index]
        after = TRANSITIONS.get((before, event))
        if after is None:
            raise LocalProtocolError(f"slot {index} is {before.value}: it cannot {event.value}")
        self.num[before] -= 1
        self._set(index, after)
        return after

    def _set(self, index: int, state: SlotState) -> None:
        self._states[index] = state
        self.num[state] += 1
        if state is SlotState.FREE:
            self._maybe_free.add(index)
