"""Which pool serves a sequence, and with what limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from feedline.common.arguments import number, whole
from feedline.common.errors import ConfigurationError
from feedline.trainer.dispatch.queue_size import FIRST_SLOTS, MOST_SLOTS
from feedline.trainer.dispatch.slots import MAX_SLOTS, MIN_SLOTS
from feedline.trainer.monitor.access import Access
from feedline.trainer.pool.producer_pool import MEMORY_BUDGET_BYTES, ProducerPool
from feedline.trainer.pool.settings import AUTO, WorkersArgument, workers_of
from feedline.trainer.pool.shared import SHARED, Request

QueueSizeArgument = int | str
"""A number, or ``"auto"``."""


@dataclass(frozen=True, slots=True)
class Service:
    """Whose producers serve a sequence, and how: arguments that all sequences have.

    Attributes
    ----------
    pool : ProducerPool or None
        Use its producers; None: those that all sequences of this process share.
    workers : int, "auto", (min, max) or None
        How many producers to share, by default the usable cores.
    memory_budget : int or None
        Bytes of all batches in hand.
    max_queue_size : int, "auto" or None
        Batches that one producer may have in hand; None, which becomes one of the others: `FIRST_SLOTS`, and
        ``"auto"`` where the number of producers is found out, too.
    timeout_s : float
        Longest wait for one batch.
    monitor : str or None
        Where the page of the shared producers is.
    """

    pool: ProducerPool | None
    workers: WorkersArgument
    memory_budget: int | None
    max_queue_size: QueueSizeArgument | None
    timeout_s: float
    monitor: str | None = None

    def __post_init__(self) -> None:
        """Bring every value into one form; refuse what cannot work, and what does not go together."""
        if self.pool is not None and not isinstance(self.pool, ProducerPool):
            made = f"; ProducerPool({self.pool!r}) makes one" if isinstance(self.pool, str) else ""
            raise ConfigurationError(f"pool must be a ProducerPool, got {self.pool!r}{made}")
        if self.max_queue_size is None:
            chosen = AUTO if self._sizes_itself else FIRST_SLOTS
            object.__setattr__(self, "max_queue_size", chosen)
        else:
            object.__setattr__(self, "max_queue_size", _queue_size(self.max_queue_size))
        object.__setattr__(self, "timeout_s", number("timeout_s", self.timeout_s))
        if self.timeout_s <= 0:
            raise ConfigurationError(f"timeout_s must be a positive number of seconds, got {self.timeout_s}")
        workers_of(self.workers)
        if self.memory_budget is not None:
            budget = whole("memory_budget", self.memory_budget, at_least=1, at_most=None, unit=" of bytes")
            object.__setattr__(self, "memory_budget", budget)
        for name in ("workers", "memory_budget"):
            value = getattr(self, name)
            if self.pool is not None and value is not None:
                raise ConfigurationError(
                    f"pool= brings its own producers and budget: leave out {name}={value!r}"
                )

        if self.monitor is not None:
            self._check_monitor()

    def _check_monitor(self) -> None:
        """Refuse an address that cannot be, and two answers to where the page is."""
        Access.of(self.monitor, os.environ)
        if self.pool is not None:
            raise ConfigurationError(
                f"pool= has a page of its own: say ProducerPool(..., monitor={self.monitor!r}) instead"
            )

    @property
    def _sizes_itself(self) -> bool:
        """Whether the number of producers is found out."""
        return not workers_of(self.workers).is_fixed if self.pool is None else self.pool.sizes_itself

    @property
    def max_slots(self) -> int:
        """Slots of one producer at most."""
        return self.max_queue_size if isinstance(self.max_queue_size, int) else MOST_SLOTS

    @property
    def first_slots(self) -> int | None:
        """How many there are at first, if it is found out how many there should be."""
        return FIRST_SLOTS if isinstance(self.max_queue_size, str) else None

    def join(self, *, resizes: bool = False) -> tuple[ProducerPool, Callable[[], None]]:
        """The pool to use, and how to leave it.

        Parameters
        ----------
        resizes : bool
            Whether a sequence was told to have so many workers, whatever the page was told before.
        """
        if self.pool is not None:
            return self.pool, lambda: None
        request = Request(
            workers_of(self.workers),
            MEMORY_BUDGET_BYTES if self.memory_budget is None else self.memory_budget,
        )
        ticket, shared = SHARED.acquire(request, resizes=resizes)
        if self.monitor is not None:
            try:
                shared.open_monitor(self.monitor, SHARED.scale)
            except BaseException:
                SHARED.release(ticket)
                raise
        return shared, lambda: SHARED.release(ticket)


def _queue_size(value: QueueSizeArgument) -> QueueSizeArgument:
    if isinstance(value, str):
        if value != AUTO:
            raise ConfigurationError(
                f"max_queue_size must be a whole number, at least {MIN_SLOTS}, or {AUTO!r}, got {value!r}"
            )
        return value
    return whole("max_queue_size", value, at_least=MIN_SLOTS, at_most=MAX_SLOTS)
