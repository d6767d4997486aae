"""Keeps the number of embedded producers where it should be.

It collects evidence; what that comes to is the business of `feedline.trainer.verdict.sizing`.
"""

from __future__ import annotations

import logging
from collections import deque

from feedline.trainer.pool.spans import span_between, taken_between
from feedline.trainer.pool.stats import PoolStats
from feedline.trainer.verdict.sizing import (
    PATIENCE_S,
    Decision,
    Evidence,
    Memory,
    Workers,
    decide,
    rest,
    shed,
)
from feedline.trainer.verdict.snapshot import MIN_BATCHES, Snapshot

logger = logging.getLogger(__name__)

MIN_S = 2.0
"""A shorter span says nothing: batches come in bursts."""

MAX_NOTES = 60
"""Slow batches need long spans."""


class Sizer:
    """Decides for one pool. In its thread."""

    def __init__(self) -> None:
        self._workers = Workers(1, 1)
        self._memory = Memory()
        self._notes: deque[PoolStats] = deque(maxlen=MAX_NOTES)
        self._num_taken, self._taken_at = 0, 0.0

    @property
    def has_choice(self) -> bool:
        """Whether it is left to it how many producers there are. From any thread."""
        return not self._workers.is_fixed

    def adopt(self, workers: Workers, num: int) -> int:
        """Keep to other bounds from now on; returns what `num` producers become by that."""
        if workers != self._workers:
            self._workers, self._memory = workers, Memory()
            self._notes.clear()
        return workers.nearest(num)

    def look(
        self, stats: PoolStats, num: int, now: float, *, is_asked: bool, num_idle: int = 0
    ) -> int | None:
        """Take note of the counters; how many producers there are to be, or None if that is as it was.

        Parameters
        ----------
        num : int
            How many are wanted now. As long as not all of them are there, nothing is decided.
        is_asked : bool
            Whether somebody waits for a batch.
        num_idle : int
            How many of them have no slots.
        """
        if is_asked or stats.taken.num_batches != self._num_taken:
            self._num_taken, self._taken_at = stats.taken.num_batches, now
        if not self.has_choice or not num:
            return None
        if sum(one.is_able for one in stats.producers) != num or len(stats.producers) != num:
            self._notes.clear()
            return None
        self._notes.append(stats)
        decision = self._decision(num, num_idle, now)
        return None if decision is None else self._carry_out(decision, num)

    def _decision(self, num: int, num_idle: int, now: float) -> Decision | None:
        if now - self._taken_at >= PATIENCE_S:
            return rest(self._workers, num, self._memory)
        evidence = self._evidence()
        if evidence is None:
            return None
        if num_idle:
            return shed(self._workers, num, num_idle, evidence, self._memory)
        return decide(self._workers, num, evidence, self._memory, now)

    def _carry_out(self, decision: Decision, num: int) -> int | None:
        self._memory = decision.memory
        if decision.num == num:
            return None
        logger.info(
            f"workers: {decision.num} producer{'s' * (decision.num != 1)} instead of {num}: {decision.reason}"
        )
        self._notes.clear()
        return decision.num

    def _evidence(self) -> Evidence | None:
        """The two shortest spans up to now that say anything."""
        middle = self._before(len(self._notes) - 1)
        first = None if middle is None else self._before(middle)
        if middle is None or first is None:
            return None
        return Evidence(self._span(first, middle), self._span(middle, len(self._notes) - 1))

    def _before(self, end: int) -> int | None:
        """Where a span begins that ends with note `end`; none is from before the first batch."""
        last = self._notes[end] if end >= 0 else None
        for begin in range(end - 1, -1, -1):
            if last is None or not self._notes[begin].taken.num_batches:
                break
            note = self._notes[begin]
            num = last.taken.num_batches - note.taken.num_batches
            if num >= MIN_BATCHES and last.at_s - note.at_s >= MIN_S:
                return begin
        return None

    def _span(self, begin: int, end: int) -> Snapshot:
        before, after = self._notes[begin], self._notes[end]
        return span_between(before, after, taken_between(before.taken, after.taken), embedded=True)
