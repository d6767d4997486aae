"""A pool in virtual time: producers and a trainer as queueing theory has them, sized by the real `Sizer`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from feedline.common.stages import Stages
from feedline.trainer.pool.sizer import Sizer
from feedline.trainer.pool.stats import DeliveryStats, PoolStats, ProducerStats
from feedline.trainer.verdict.sizing import Workers

START_S = 1.2
"""A producer says hello so long after it is wanted."""

SLOTS = 10
"""Batches that one may have in hand."""

READ_AHEAD = 2
"""Batches that TensorFlow's reader takes before the trainer needs them."""

BATCH_SIZE = 32

Times = Callable[[int], float]


@dataclass(frozen=True)
class Load:
    """How long batches and steps take, by their number; in seconds.

    Attributes
    ----------
    build_s, step_s : callable
        The producer's part and the trainer's.
    pause : tuple of (float, float)
        From when to when the trainer asks for nothing.
    """

    build_s: Times
    step_s: Times
    pause: tuple[float, float] = (0.0, 0.0)


@dataclass
class Producer:
    """One of them, and what it has done: when each batch was ready, and all that was spent until then."""

    name: str
    joins_at: float
    free_at: float
    ready: list[float] = field(default_factory=list)
    spent: list[Stages] = field(default_factory=lambda: [Stages()])

    def stats(self, now: float) -> ProducerStats:
        """What it has done until then."""
        num = bisect_right(self.ready, now)
        return ProducerStats(self.name, 1, num, self.spent[num], host="elsewhere")


class SimulatedPool:
    """Runs a load for so many virtual seconds.

    Attributes
    ----------
    decisions : list of (float, int)
        When there were to be how many.
    """

    def __init__(self, load: Load, workers: Workers, seconds: float, *, is_exact: bool = True) -> None:
        self._load, self._workers, self._is_exact = load, workers, is_exact
        self.sizer = Sizer()
        self.decisions: list[tuple[float, int]] = []
        self._num_made = 0
        self._producers: list[Producer] = []
        self._took: list[float] = []
        self._waits: list[float] = []
        self._waited: list[float] = [0.0]
        self._trained: list[float] = []
        self.num = self.sizer.adopt(workers, 0)
        self._resize(0.0)
        for second in range(1, int(seconds) + 1):
            self._build_until(float(second))
            self._tick(float(second))

    def rate(self, begin: float, end: float) -> float:
        """Steps per second that the trainer made between two moments."""
        return (bisect_right(self._trained, end) - bisect_right(self._trained, begin)) / (end - begin)

    def _build_until(self, now: float) -> None:
        """Have batches begun, in plan order, as producers and slots become free."""
        while True:
            producer = min(self._producers, key=lambda one: one.free_at)
            ahead = len(self._took) - SLOTS * len(self._producers)
            begins = max(producer.free_at, self._took[ahead] if ahead >= 0 else 0.0)
            if begins >= now:
                return
            self._build(producer, begins)

    def _build(self, producer: Producer, begins: float) -> None:
        nth = len(self._took)
        build_s = self._load.build_s(nth)
        idle_us, build_us = int(1e6 * (begins - producer.free_at)), int(1e6 * build_s)
        producer.free_at = begins + build_s
        producer.ready.append(producer.free_at)
        one = Stages(idle_us=idle_us, transform_us=build_us, cpu_us=build_us // 100)
        producer.spent.append(producer.spent[-1] + one)
        self._take(nth, producer.free_at)

    def _take(self, nth: int, ready: float) -> None:
        """Give it to the trainer, or to who reads ahead of it."""
        done = self._trained[-1] if self._trained else 0.0
        asked = done if self._is_exact else self._read_at(nth)
        begin, end = self._load.pause
        asked = end if begin <= asked < end else asked
        took = max(ready, asked)
        self._took.append(took)
        self._waits.append(took - asked)
        self._waited.append(self._waited[-1] + (took - asked))
        self._trained.append(max(took, done) + self._load.step_s(nth))

    def _read_at(self, nth: int) -> float:
        """When the reader asks for a batch: it has the one before, and room."""
        before = self._took[-1] if self._took else 0.0
        room = self._trained[nth - READ_AHEAD - 1] if nth > READ_AHEAD else 0.0
        return max(before, room)

    def _tick(self, now: float) -> None:
        num = bisect_right(self._took, now)
        wait_s = self._waited[num]
        taken = DeliveryStats(num, BATCH_SIZE * num, wait_s, wait_s, 0 if self._is_exact else num)
        there = [one for one in self._producers if one.joins_at <= now]
        stats = PoolStats(tuple(one.stats(now) for one in there), num, 0.0, 0.0, at_s=now, taken=taken)
        is_asked = num < len(self._took) and self._took[num] - self._waits[num] <= now
        to_be = self.sizer.look(stats, self.num, now, is_asked=is_asked)
        if to_be is not None:
            self.num = to_be
            self.decisions.append((now, to_be))
            self._resize(now)

    def _resize(self, now: float) -> None:
        while len(self._producers) < self.num:
            self._num_made += 1
            self._producers.append(Producer(f"p/{self._num_made}", now + START_S, now + START_S))
        del self._producers[self.num :]


def best_fixed(load: Load, most: int, seconds: float, begin: float) -> float:
    """The rate of the best fixed number, from `begin` on."""
    runs = (SimulatedPool(load, Workers(num, num), seconds) for num in range(1, most + 1))
    return max(run.rate(begin, seconds) for run in runs)


def recorded(times_ms: tuple[float, ...], factor: float = 1.0) -> Times:
    """Times that were measured, over and over."""
    return lambda nth: factor * times_ms[nth % len(times_ms)] / 1e3


def bursty(light_s: float, heavy_s: float, num_light: int, num_heavy: int) -> Times:
    """So many light ones, then so many heavy ones, over and over."""
    return lambda nth: light_s if nth % (num_light + num_heavy) < num_light else heavy_s
