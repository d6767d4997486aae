"""The pool that all sequences made without ``pool=`` share.

Its producers are embedded: as many as the largest request among the open sequences asks for, fewer when that
one closes, none after the last. A range of them is two requests, for the least and for the most: beside a
sequence that asks for 4, one that asks for 1 to 8 makes it 4 to 8. What the pool's page asks for stands above
all of them, until a sequence is resized. Where the environment names an endpoint,
they are those that connect to it, and the pool stays until the process ends: so one script trains on a laptop
and, as it is, beside producers in containers.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from feedline.common.errors import FeedlineError
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.verdict.sizing import Workers

logger = logging.getLogger(__name__)

ENDPOINT, INSECURE = "FEEDLINE_ENDPOINT", "FEEDLINE_INSECURE"
"""Variables of the environment: where producers elsewhere connect, and ``1`` to let other machines do so."""

MONITOR = "FEEDLINE_MONITOR"
"""... and where a pool with an endpoint is shown, as ``monitor=`` has it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one sequence wants of the pool.

    Attributes
    ----------
    workers : Workers
        Producer processes.
    budget_bytes : int
        Its ``memory_budget``, at least 1.
    """

    workers: Workers
    budget_bytes: int


class SharedPool:
    """Counts requests. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asides: deque[Callable[[], None]] = deque()
        self._tickets = itertools.count()
        self._requests: dict[int, Request] = {}
        self._scaled: Workers | None = None
        self._pool: ProducerPool | None = None
        self._pid = os.getpid()

    def acquire(self, request: Request, *, resizes: bool = False) -> tuple[int, ProducerPool]:
        """Take part: a number for `release`, and the pool.

        Parameters
        ----------
        resizes : bool
            Ends what `scale` said.
        """
        try:
            with self._lock:
                if resizes:
                    self._scaled = None
                return self._acquire(request)
        finally:
            self._do_asides()

    def release(self, number: int) -> None:
        """Take part no more. Waits for nothing: a finalizer may call it.

        A sequence that is collected as garbage does so from wherever the collector runs: in the midst of
        `acquire`, and in the pool's thread while `acquire` waits for that.
        """
        self._asides.append(partial(self._withdraw, number))
        self._do_asides()

    def scale(self, workers: Workers) -> None:
        """Have so many producers, whatever sequences ask for. Waits for nothing: the pool's page calls it.

        Its server ends with the pool, and then the pool's thread waits for it.
        """
        self._asides.append(partial(self._scale, workers))
        self._do_asides()

    def _do_asides(self) -> None:
        """Do what was left to do; or whoever is in here now does so on its way out."""
        while self._asides and self._lock.acquire(blocking=False):
            try:
                while self._asides:
                    self._asides.popleft()()
            finally:
                self._lock.release()

    def _scale(self, workers: Workers) -> None:
        if self._requests and self._pool is not None and self._pool.is_open:
            self._scaled = workers
            with suppress(FeedlineError):
                self._pool.shrink(*self._largest)

    def _acquire(self, request: Request) -> tuple[int, ProducerPool]:
        if self._pid != os.getpid():
            # A forked child has its own: its parent's threads are not here.
            self._pid, self._pool, self._requests = os.getpid(), None, {}
        if self._pool is not None and self._pool.has_failed:
            # Who is left of it gets errors; others begin anew.
            self._pool, self._requests = None, {}
        number = next(self._tickets)
        self._requests[number] = request
        try:
            return number, self._fitted()
        except BaseException:
            del self._requests[number]
            raise

    def _withdraw(self, number: int) -> None:
        if self._requests.pop(number, None) is None or self._pool is None or not self._pool.is_open:
            return
        if not self._pool.embedded:
            # Producers elsewhere would take the end of this pool for that of the training.
            return
        if self._requests:
            # At the interpreter's exit the pool may have ended before the sequences that are left open.
            with suppress(FeedlineError):
                self._pool.shrink(*self._largest)
        else:
            self._pool.leave()
            self._pool = None

    def _fitted(self) -> ProducerPool:
        """The pool, in the size and with the budget that the requests ask for."""
        if self._pool is None or not self._pool.is_open:
            self._scaled = None
            self._pool = _pool_of(*self._largest)
        else:
            workers, budget = self._largest
            if self._pool.embedded:
                self._pool.resize(workers)
            self._pool.set_memory_budget(budget)
        return self._pool

    @property
    def _largest(self) -> tuple[Workers, int]:
        """The workers and the budget that are enough for every request."""
        requests = self._requests.values()
        least, most = max(r.workers.least for r in requests), max(r.workers.most for r in requests)
        return self._scaled or Workers(least, most), max(r.budget_bytes for r in requests)


def _pool_of(workers: Workers, budget: int) -> ProducerPool:
    endpoint = os.environ.get(ENDPOINT)
    if not endpoint:
        return ProducerPool(workers=workers, memory_budget=budget)
    logger.info(f"{ENDPOINT} is set: batches come from the producers that connect to {endpoint}")
    insecure, monitor = os.environ.get(INSECURE) == "1", os.environ.get(MONITOR) or None
    return ProducerPool(endpoint, insecure=insecure, memory_budget=budget, monitor=monitor)


SHARED = SharedPool()
"""The one of this process."""
