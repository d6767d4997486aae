"""Keeps the counters of the last seconds, so that whoever asks hears what they show."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from feedline.trainer.pool.exchange import Exchange
from feedline.trainer.pool.handover.delivery import HandOver
from feedline.trainer.pool.spans import span_between, taken_between
from feedline.trainer.pool.stats import DeliveryStats, PoolStats
from feedline.trainer.verdict.report import Report

LOOK_EVERY_S = 1.0
"""The counters are noted so often ..."""

WINDOW_S = 10
"""... and so long: what is said of a pool is about so many seconds."""


class Tally:
    """Adds up what is taken. Thread-safe: any thread may take a batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_batches = self._num_samples = self._num_uncertain = 0
        self._wait_s = self._trainer_wait_s = 0.0

    def count(self, num_samples: int, wait_s: float, trainer_wait_s: float, *, is_certain: bool) -> None:
        """One batch more; see `DeliveryStats`."""
        with self._lock:
            self._num_batches += 1
            self._num_samples += num_samples
            self._wait_s += wait_s
            self._trainer_wait_s += trainer_wait_s
            self._num_uncertain += not is_certain

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
        self._look_at = 0.0

    def tick(self, exchange: Exchange, now: float) -> PoolStats | None:
        """Time passed; returns the counters if they were noted. In the pool's thread."""
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_EVERY_S
        self._noted.append(self.look(exchange))
        return self._noted[-1]

    def look(self, exchange: Exchange) -> PoolStats:
        """The counters as they are now. In the pool's thread, whose CPU time is among them."""
        return PoolStats(
            producers=exchange.producer_stats,
            num_delivered=self.hand_over.num_delivered,
            hand_over_s=self.hand_over.seconds,
            thread_cpu_s=time.thread_time(),
            trainer_cpu_s=time.process_time(),
            at_s=time.perf_counter(),
            taken=self.tally.stats,
            memory_budget=exchange.budget_bytes,
            refused=dict(exchange.refusals.counts),
            short_s=exchange.short_s,
        )

    def with_report(self, exchange: Exchange, *, embedded: bool) -> Callable[[], PoolStats]:
        """The counters now; to be judged by whoever asks, in a thread with time for it."""
        now = self.look(exchange)
        # Before the first batch everybody had to begin.
        started = (one for one in self._noted if one.taken.num_batches)
        before = next(started, self._noted[0] if self._noted else None)
        if before is None:
            return lambda: now

        def judged() -> PoolStats:
            taken = taken_between(before.taken, now.taken)
            span = span_between(before, now, taken, embedded=embedded)
            return replace(now, report=Report.of(span))

        return judged
