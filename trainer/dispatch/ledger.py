"""The life of a step, as one table.

::

    PLANNED --lease--> LEASED --answer--> READY --deliver--> DELIVERED
       ^                 |  |               |                    |
       |<------lose------+  +--fail-> FAILED| --deliver----------+
       |<-----take back---------------------+                    |
       |<-----ask again------------------------------------------+

What is delivered from FAILED is the reason why; until then nobody was told.

A step in PLANNED may also be answered or fail: its lease expired, and the answer came all the same.
An event that is not in `TRANSITIONS` raises `LocalProtocolError` and changes nothing.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from feedline.common.errors import LocalProtocolError
from feedline.trainer.dispatch.bad_samples import Found
from feedline.trainer.plan.epochs import StepKey


class StepState(StrEnum):
    """Where a step stands."""

    PLANNED = "planned"
    LEASED = "leased"
    READY = "ready"
    DELIVERED = "delivered"
    FAILED = "failed"


class StepEvent(StrEnum):
    """What can happen to a step."""

    LEASE = "lease"
    LOSE = "lose"
    ANSWER = "answer"
    FAIL = "fail"
    TAKE_BACK = "take back"
    DELIVER = "deliver"
    ASK_AGAIN = "ask again"


TRANSITIONS: dict[tuple[StepState, StepEvent], StepState] = {
    (StepState.PLANNED, StepEvent.LEASE): StepState.LEASED,
    (StepState.PLANNED, StepEvent.ANSWER): StepState.READY,
    (StepState.PLANNED, StepEvent.FAIL): StepState.FAILED,
    (StepState.LEASED, StepEvent.LOSE): StepState.PLANNED,
    (StepState.LEASED, StepEvent.ANSWER): StepState.READY,
    (StepState.LEASED, StepEvent.FAIL): StepState.FAILED,
    (StepState.READY, StepEvent.TAKE_BACK): StepState.PLANNED,
    (StepState.READY, StepEvent.DELIVER): StepState.DELIVERED,
    (StepState.DELIVERED, StepEvent.ASK_AGAIN): StepState.PLANNED,
    (StepState.FAILED, StepEvent.DELIVER): StepState.DELIVERED,
}


@dataclass(slots=True)
class StepRecord:
    """What is known of one step.

    Attributes
    ----------
    state : StepState
        Where it stands.
    num_lost : int
        Leases that ended with the death of their producer.
    unread_by : dict of bytes to tuple of Found
        Producers that could not read some of its files, and which, as far as that is known.
    error : str
        Why it failed, or could not be read so far; emptied when somebody was told.
    """

    state: StepState = StepState.PLANNED
    num_lost: int = 0
    unread_by: dict[bytes, tuple[Found, ...]] = field(default_factory=dict)
    error: str = ""


class Ledger:
    """All steps of one job, from the oldest open epoch on.

    A step that nothing happened to yet has no record: it is PLANNED. So the table is as long as
    the open epochs are far, not as long as the training.

    Parameters
    ----------
    num_steps : int
        Steps of an epoch.
    """

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        self._records: dict[StepKey, StepRecord] = {}
        self._frontier = StepKey(0, 0)
        self._returned: list[StepKey] = []
        self._counts: Counter[StepState] = Counter()
        self.first_epoch = 0

    def state(self, key: StepKey) -> StepState:
        """Where a step stands; of a retired epoch, DELIVERED."""
        record = self._records.get(key)
        if record is not None:
            return record.state
        return StepState.PLANNED if key.epoch >= self.first_epoch else StepState.DELIVERED

    def record(self, key: StepKey) -> StepRecord:
        """The record of a step, made on first use."""
        if key not in self._records:
            self._records[key] = StepRecord(self.state(key))
            self._counts[self._records[key].state] += 1
        return self._records[key]

    def apply(self, key: StepKey, event: StepEvent) -> None:
        """Move a step along one arrow.

        Raises
        ------
        LocalProtocolError
            `TRANSITIONS` has no such arrow.
        """
        record = self.record(key)
        after = TRANSITIONS.get((record.state, event))
        if after is None:
            raise LocalProtocolError(f"{key} is {record.state.value}: it cannot {event.value}")
        self._counts[record.state] -= 1
        self._counts[after] += 1
        record.state = after
        if after is StepState.PLANNED:
            heapq.heappush(self._returned, key)

    def fail(self, key: StepKey, error: str) -> None:
        """FAIL, with the text that whoever asks for the step will read."""
        self.apply(key, StepEvent.FAIL)
        self._records[key].error = error

    def ask_again(self, key: StepKey) -> None:
        """ASK_AGAIN, with a clean slate: a repaired file gets a new chance."""
        self.apply(key, StepEvent.ASK_AGAIN)
        record = self._records[key]
        record.num_lost, record.error = 0, ""
        record.unread_by.clear()

    @property
    def num_ahead(self) -> int:
        """Steps that are LEASED or READY: what prefetch has in hand."""
        return self._counts[StepState.LEASED] + self._counts[StepState.READY]

    @property
    def num_failed(self) -> int:
        """Steps that failed and whose reason nobody was told yet."""
        return self._counts[StepState.FAILED]

    def in_state(self, state: StepState) -> Iterator[StepKey]:
        """All steps in a state that has records."""
        return (key for key, record in self._records.items() if record.state is state)

    def next_planned(self) -> StepKey:
        """The earliest PLANNED step in plan order; epochs follow each other without end."""
        while self._returned:
            first = self._returned[0]
            if (
                self.first_epoch <= first.epoch
                and first < self._frontier
                and self.state(first) is StepState.PLANNED
            ):
                return first
            heapq.heappop(self._returned)
        while self.state(self._frontier) is not StepState.PLANNED:
            self._frontier = self._after(self._frontier)
        return self._frontier

    def planned_ahead(self, num: int) -> StepKey:
        """The PLANNED step that comes when `num` others that are PLANNED were taken."""
        key = self.next_planned()
        while num > 0:
            key = self._after(key)
            num -= self.state(key) is StepState.PLANNED
        while self.state(key) is not StepState.PLANNED:
            key = self._after(key)
        return key

    def retire_before(self, epoch: int, keep: set[StepKey]) -> None:
        """Forget the records of all epochs before `epoch` but those in `keep`."""
        for key in keep:
            # One to which nothing happened yet would count as delivered without a record.
            self.record(key)
        old = [key for key in self._records if key.epoch < epoch and key not in keep]
        for key in old:
            self._counts[self._records.pop(key).state] -= 1
        self._returned = [key for key in self._returned if key.epoch >= epoch or key in keep]
        heapq.heapify(self._returned)
        self.first_epoch = max(self.first_epoch, epoch)
        self._frontier = max(self._frontier, StepKey(epoch, 0))

    def move_to(self, first: StepKey, keep: set[StepKey]) -> None:
        """Go on with `first`, which may lie behind: forget all records but those in `keep`."""
        kept = {key: self.record(key) for key in keep}
        self._records = kept
        self._counts = Counter(record.state for record in kept.values())
        self._returned.clear()
        self.first_epoch = first.epoch
        self._frontier = first

    def _after(self, key: StepKey) -> StepKey:
        if key.step + 1 < self.num_steps:
            return StepKey(key.epoch, key.step + 1)
        return StepKey(key.epoch + 1, 0)
