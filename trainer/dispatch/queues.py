"""How many batches of a job producers may have in hand: as many as were asked for, or as turn out to help."""

from __future__ import annotations

import logging
from dataclasses import replace

from feedline.trainer.dispatch.books import Books
from feedline.trainer.dispatch.queue_size import longer
from feedline.trainer.dispatch.shares import Shares
from feedline.trainer.dispatch.works import Work


class Queues:
    """Watches the queues of all jobs, and makes those longer that may be.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    shares : Shares
        Divide the budget among longer queues, too.
    """

    def __init__(self, books: Books, shares: Shares) -> None:
        self._books = books
        self._shares = shares

    def awaited(self, work: Work, since: float) -> None:
        """A batch is there for somebody who has waited since then; where others are ready, not for it."""
        if len(work.ready) <= 1:
            work.gauge.waited(since)

    def review(self, now: float) -> bool:
        """Look which queues are full, when all tickets have been given; whether any has become longer."""
        grown = [work for work in self._books.works.values() if self._has_grown(work, now)]
        return bool(grown)

    @property
    def short_s(self) -> float:
        """Seconds of waiting that longer queues would have saved."""
        return sum(work.gauge.short_s for work in self._books.all_works)

    def _has_grown(self, work: Work, now: float) -> bool:
        if work.leased or not self._books.slots.is_full(work.job_id):
            work.gauge.freed(now)
            return False
        short_s = work.gauge.filled(now)
        num_before = work.need.max_slots
        num = longer(num_before, work.most_slots, short_s, work.pace_s)
        # Where the budget has no room for those that it has, more of them are none.
        if num == num_before or self._books.slots.num_due(work.job_id) < num_before:
            return False
        work.need = replace(work.need, max_slots=num)
        self._books.note(
            logging.INFO,
            f"{work.name}: {num} batches of each producer in hand instead of {num_before}: {short_s:.1f} s of"
            " waiting came of producers that had no room for more before",
        )
        self._shares.divide()
        return True
