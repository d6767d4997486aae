"""Batches that are handed over before they are asked for.

Asking for a batch that is ready takes two changes of threads: to the pool's and back. While a consumer
takes one step after the other, as Keras does, the pool's thread puts the next ones on a shelf, where the
consumer finds them by itself. What lies there is the consumer's already: its slots are held, and its steps
delivered. ADR 0013 tells what was measured.
"""

from __future__ import annotations

from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.handover.delivery import Delivery

DEPTH = 8
"""So many batches lie there at most: a quick consumer finds some more each time that the thread runs."""

MIN_STREAK = 3
"""So many steps one after the other are no chance: Keras' two peeks before training are."""


class Shelf:
    """The shelf of one job.

    `take` and `is_read_in_order` are for any thread, everything else is for the pool's.

    Parameters
    ----------
    num_steps : int
        Of an epoch: the shelf never reaches over its end, where the consumer may turn elsewhere.
    """

    def __init__(self, num_steps: int) -> None:
        self._num_steps = num_steps
        self._batches: dict[StepKey, Delivery] = {}
        self._next: StepKey | None = None
        self._streak = 0

    def take(self, key: StepKey) -> Delivery | None:
        """The batch of a step, if it is there. Of several who ask, one gets it; `taken` is to be told."""
        return self._batches.pop(key, None)

    @property
    def is_read_in_order(self) -> bool:
        """Whether the consumer has taken several steps one after the other."""
        return self._streak >= MIN_STREAK

    @property
    def next_key(self) -> StepKey:
        """The step that follows the one that was taken last."""
        return self._next or StepKey(0, 0)

    def __len__(self) -> int:
        return len(self._batches)

    def put(self, key: StepKey, delivery: Delivery) -> None:
        """Lay a batch down."""
        self._batches[key] = delivery

    def taken(self, key: StepKey) -> None:
        """A consumer got a step, from the shelf or not."""
        self._streak = self._streak + 1 if key == self._next else 1
        is_last = key.step + 1 == self._num_steps
        self._next = StepKey(key.epoch + 1, 0) if is_last else StepKey(key.epoch, key.step + 1)

    def wanted(self) -> list[StepKey]:
        """The steps that are to be laid down as soon as they are ready."""
        if self._next is None or not self.is_read_in_order or self._next.step == 0:
            return []
        epoch, first = self._next
        steps = range(first, min(first + DEPTH, self._num_steps))
        return [key for step in steps if (key := StepKey(epoch, step)) not in self._batches]

    def clear(self, before_epoch: float = float("inf")) -> None:
        """Give up what lies there of earlier epochs, or all of it."""
        for key in [key for key in list(self._batches) if key.epoch < before_epoch]:
            delivery = self.take(key)
            if delivery is not None:
                delivery.release()


class Shelves(dict[int, Shelf]):
    """All shelves of a pool, by job_id. Those of closed jobs are gone, whoever still asks for them."""

    def take(self, job_id: int, key: StepKey) -> Delivery | None:
        """The batch of a step, if it lies on its job's shelf. From any thread; `taken` is to be told."""
        shelf = self.get(job_id)
        return None if shelf is None else shelf.take(key)

    def taken(self, job_id: int, key: StepKey) -> None:
        """Somebody took a step. Called by the pool's thread."""
        if job_id in self:
            self[job_id].taken(key)
