"""The epochs of a sequence as they pass: from when to when one lasted, and what it showed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from feedline.common.errors import FeedlineError
from feedline.common.job.sizes import NUM_PEEKS
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.pool.spans import span_between, taken_between
from feedline.trainer.pool.stats import DeliveryStats, PoolStats
from feedline.trainer.pool.watch import Tally
from feedline.trainer.verdict.remedies import Possible
from feedline.trainer.verdict.report import Report
from feedline.trainer.verdict.snapshot import MIN_BATCHES, CacheState

logger = logging.getLogger(__name__)

MUCH_S = 1.0
"""Less waiting in an epoch is not worth a warning, whatever its share."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose epochs they are.

    Attributes
    ----------
    name : str
        Of the sequence, for log lines.
    num_steps : int
        Batches of an epoch.
    slot_bytes : int
        Of a full batch.
    has_cache : bool
        Whether it asked for one.
    possible : callable
        Finds out what could be changed about it.
    """

    name: str
    num_steps: int
    slot_bytes: int
    has_cache: bool
    possible: Callable[[], Possible]


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment: the counters of pool and sequence then."""

    pool: PoolStats
    taken: DeliveryStats


class Passes:
    """Notes where epochs begin and end, and says in the log what each showed. Thread-safe.

    Between Keras' `on_epoch_begin` and `on_epoch_end` lies the training of an epoch, without validation. In a
    loop by hand an epoch lasts from its first batch to that of the next. It does not know the sequence: one
    that nobody has any more is to end at once.

    Attributes
    ----------
    keras_thread : int or None
        The thread in which Keras trains an epoch now.
    """

    def __init__(self, subject: Subject, pool: ProducerPool, tally: Tally) -> None:
        self._subject, self._pool, self._tally = subject, pool, tally
        self._lock = threading.Lock()
        self._made = self._look()
        self._began: Mark | None = None
        self._epoch: int | None = None
        self._last: Report | None = None
        self._has_warned = False
        self.keras_thread: int | None = None

    def begins(self) -> None:
        """Keras begins an epoch, in the thread that trains."""
        self._began, self._epoch = self._look(), None
        self.keras_thread = threading.get_ident()

    def ends(self) -> None:
        """Keras, or a loop by hand, ends one."""
        by_keras, self.keras_thread = self.keras_thread is not None, None
        with self._lock:
            began, epoch = self._began, self._epoch
            self._began = self._epoch = None
        self._finish(began, epoch, by_keras=by_keras)

    def delivers(self, epoch: int) -> None:
        """A batch of an epoch was delivered."""
        if self.keras_thread is not None:
            # TensorFlow may read on into the next epoch before Keras ends this one.
            self._epoch = epoch if self._epoch is None else self._epoch
        elif epoch != self._epoch:
            self._roll(epoch)

    def report(self) -> Report | None:
        """What the epoch under way shows, or the one before as long as that is too little to tell.

        Before there was any, all that has happened; None when the pool is closed and there was none.
        """
        began, epoch, now = self._began, self._epoch, self._look()
        began = began or (self._made if self._last is None else None)
        if began is None or now is None:
            return self._last
        is_short = now.taken.num_batches - began.taken.num_batches < MIN_BATCHES
        return self._last if is_short and self._last else self._judge(began, now, epoch)

    def _roll(self, epoch: int) -> None:
        """A loop by hand has come to its next epoch."""
        with self._lock:
            if epoch == self._epoch:
                return
            began, before, self._epoch = self._began, self._epoch, epoch
            self._began = None
        self._finish(began, before, by_keras=False)
        self._began = self._look()

    def _finish(self, began: Mark | None, epoch: int | None, *, by_keras: bool) -> None:
        """Judge the epoch that ended, and log that; those that Keras only looks at are none."""
        now = None if began is None or epoch is None else self._look()
        if began is None or now is None:
            return
        # By hand an epoch is counted from its first batch on; and two may be a look at what batches are like.
        num = now.taken.num_batches - began.taken.num_batches + (not by_keras)
        if num < min(MIN_BATCHES, self._subject.num_steps) or (not by_keras and num <= NUM_PEEKS):
            return
        self._last = report = self._judge(began, now, epoch)
        rate = report.verdict.snapshot.images_per_s
        logger.log(
            self._level(report, by_keras=by_keras),
            f"{self._subject.name}, epoch {epoch}: {rate:,.0f} images/s; {report.sentence}",
        )

    def _level(self, report: Report, *, by_keras: bool) -> int:
        """A training that is kept waiting costs time: that is a warning, once."""
        much = report.verdict.waits_much and report.verdict.snapshot.wait_s >= MUCH_S
        if not (much and by_keras) or self._has_warned:
            return logging.INFO
        self._has_warned = True
        return logging.WARNING

    def _judge(self, began: Mark, now: Mark, epoch: int | None) -> Report:
        subject, cache = self._subject, CacheState.NONE
        if subject.has_cache:
            is_full = began.taken.num_batches >= subject.num_steps
            cache = CacheState.FILLED if is_full else CacheState.FILLING
        span = span_between(
            began.pool,
            now.pool,
            taken_between(began.taken, now.taken),
            embedded=self._pool.embedded,
            slot_bytes=subject.slot_bytes,
            cache=cache,
        )
        return Report.of(span, subject.possible, epoch)

    def _look(self) -> Mark | None:
        try:
            return Mark(self._pool.counters(), self._tally.stats)
        except FeedlineError:
            # The pool is closed, or its thread does not answer: others say so.
            return None
