"""Keeps the counters of the last seconds, so that whoever asks hears what they show."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from feedline.trainer.pool.exchange import Exchange
from feedline.trainer.pool.handover.delivery import HandOver
from feedline.trainer.pool.spans import WINDOW_S, looked_back_to, span_between, taken_between
from feedline.trainer.pool.stats import DeliveryStats, PoolStats
from feedline.trainer.verdict.report import Report

LOOK_EVERY_S = 1.0
"""The counters are noted so often ..."""

KEPT_S = 600
"""... and the first of all that were noted in `WINDOW_S` is kept for so long: slow steps take long spans."""


class Tally:
    """Adds up what is taken. Thread-safe: any thread may take a batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_batches = self._num_samples = self._num_uncertain = 0
        self._wait_s = self._trainer_wait_s = 0.0
        self._taken_at = 0.0
        self._names = itertools.count()
        self._under_way: dict[int, Callable[[float], float]] = {}

    def wait_begins(self, so_far: Callable[[float], float]) -> int:
        """Somebody waits for a batch; returns what to end it with.

        Parameters
        ----------
        so_far : callable
            From a moment, in seconds of `time.perf_counter`, to the seconds that the trainer has waited by
            then. Called from the pool's thread.
        """
        name = next(self._names)
        self._under_way[name] = so_far
        return name

    def wait_ends(self, name: int) -> None:
        """The batch came, or will not come."""
        del self._under_way[name]

    def waiting_s(self, now: float) -> float:
        """Seconds that the trainer has waited so far for batches that have not come."""
        return sum(so_far(now) for so_far in list(self._under_way.values()))

    def idle_s(self, now: float) -> float:
        """How long nothing was taken, and nobody has waited."""
        return 0.0 if self._under_way else now - self._taken_at

    def count(self, num_samples: int, wait_s: float, trainer_wait_s: float, *, is_certain: bool) -> None:
        """One batch more; see `DeliveryStats`."""
        with self._lock:
            self._num_batches += 1
            self._num_samples += num_samples
            self._wait_s += wait_s
            self._trainer_wait_s += trainer_wait_s
            self._num_uncertain += not is_certain
            self._taken_at = time.perf_counter()

    @property
    def stats(self) -> DeliveryStats:
        """All that was taken so far."""
        with self._lock:
            counts = self._num_batches, self._num_samples, self._wait_s, self._trainer_wait_s
            return DeliveryStats(*counts, self._num_uncertain)


class PoolWatch:
    """The counters of a pool, now and some seconds ago.

    Attributes
    ----------
    hand_over : HandOver
        Told of each batch that is handed over.
    tally : Tally
        Told of each batch that a sequence gives to Keras.
    """

    def __init__(self) -> None:
        self.hand_over, self.tally = HandOver(), Tally()
        self._noted: deque[PoolStats] = deque(maxlen=WINDOW_S + 1)
        self._kept: deque[PoolStats] = deque(maxlen=KEPT_S // WINDOW_S)
        self._look_at = 0.0

    def tick(self, exchange: Exchange, now: float) -> PoolStats | None:
        """Time passed; returns the counters if they were noted. In the pool's thread."""
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_EVERY_S
        self._noted.append(self.look(exchange))
        if not self._kept or self._noted[-1].at_s - self._kept[-1].at_s >= WINDOW_S:
            self._kept.append(self._noted[-1])
        return self._noted[-1]

    def look(self, exchange: Exchange) -> PoolStats:
        """The counters as they are now. In the pool's thread, whose CPU time is among them."""
        now = time.perf_counter()
        return PoolStats(
            producers=exchange.producer_stats,
            num_delivered=self.hand_over.num_delivered,
            hand_over_s=self.hand_over.seconds,
            thread_cpu_s=time.thread_time(),
            trainer_cpu_s=time.process_time(),
            at_s=now,
            taken=self.tally.stats,
            waiting_s=self.tally.waiting_s(now),
            memory_budget=exchange.budget_bytes,
            refused=dict(exchange.refusals.counts),
            short_s=exchange.short_s,
        )

    def with_report(self, exchange: Exchange, *, embedded: bool) -> Callable[[], PoolStats]:
        """The counters now; to be judged by whoever asks, in a thread with time for it."""
        now = self.look(exchange)
        older = [one for one in self._kept if one.at_s < self._noted[0].at_s]
        before = looked_back_to([*older, *self._noted], now, self.tally.idle_s(now.at_s))
        if before is None:
            return lambda: now

        def judged() -> PoolStats:
            taken = taken_between(before.taken, now.taken)
            # A wait of which the end is not seen is one, and none of it is from before.
            wait_s = max(0.0, taken.trainer_wait_s + now.waiting_s - before.waiting_s)
            span = span_between(before, now, replace(taken, trainer_wait_s=wait_s), embedded=embedded)
            return replace(now, report=Report.of(span))

        return judged
