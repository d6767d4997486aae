"""What every sequence has that a pool serves: Keras' indices become steps, steps become batches."""

from __future__ import annotations

import logging
import operator
import threading
import time
import weakref
from abc import abstractmethod
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, Self, SupportsIndex

import keras
import numpy.typing as npt

from feedline.common.arguments import whole
from feedline.common.errors import ClosedError, FeedlineError
from feedline.common.job.images import Job
from feedline.common.job.sizes import SizesJob
from feedline.common.signatures import suggests
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.pool.settings import WorkersArgument
from feedline.trainer.pool.stats import DeliveryStats
from feedline.trainer.pool.watch import Tally
from feedline.trainer.sequences.callers import generators_asking
from feedline.trainer.sequences.index_binding import IndexBinding
from feedline.trainer.sequences.passes import Passes, Subject
from feedline.trainer.sequences.service import QueueSizeArgument, Service
from feedline.trainer.sequences.waits import Wait, WaitMeter
from feedline.trainer.verdict.remedies import NOTHING, Possible
from feedline.trainer.verdict.report import Report

logger = logging.getLogger(__name__)

begun_here = threading.local()
"""Of each thread, as `sequence`: a weak reference to the sequence of which Keras has begun an epoch last."""


class ServedSequence(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """A `keras.utils.Sequence` whose batches come from a pool.

    Parameters
    ----------
    service : Service
        Whose producers, and how long they are waited for.
    source_of : callable
        Given the pool, makes the job to serve. Called once; may wait for other jobs of the pool.
    first_epoch : int
        That of the first sweep.
    chances : callable
        Given the pool, finds out what could be changed to have the sequence faster.

    Notes
    -----
    Called from any thread.
    """

    def __init__(
        self,
        service: Service,
        source_of: Callable[[ProducerPool], JobSource],
        first_epoch: int = 0,
        chances: Callable[[ProducerPool], Possible] = lambda _: NOTHING,
    ) -> None:
        # Keras' own workers would ask for batches from forked processes, in an order of their own.
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=service.max_slots)
        self._lock = threading.Lock()
        self._timeout_s = service.timeout_s
        self._tally, self._waits = Tally(), WaitMeter()
        self._failure: FeedlineError | None = None
        self._warned: set[str] = set()
        self._service = service
        self._pool, self._leave = service.join()
        try:
            self._source = source_of(self._pool)
            self._plan = self._source.plan
            self._binding = IndexBinding(
                self._plan.num_steps,
                in_plan_order=self._plan.shuffle,
                shows_sizes=isinstance(self._source.job, SizesJob),
                first_epoch=first_epoch,
            )
            self._passes = Passes(self._for_passes(chances), self._pool, self._tally)
            self._open_job(StepKey(first_epoch, 0))
        except BaseException:
            self._leave()
            raise
        self._end = weakref.finalize(self, _end, self._pool, self._job_id, self._leave)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self._plan.num_steps

    @property
    def num_batches(self) -> int:
        """Batches of an epoch. Whoever reads it in a generator, as Keras and ``iter`` do, begins a sweep.

        That is told what is left of the epoch, where the sequence goes on in the middle of one.
        """
        callers = generators_asking()
        with self._lock:
            return self._binding.iterator_may_begin(callers)

    def __getitem__(self, index: SupportsIndex) -> Any:
        """Wait for a batch and return it; within a sweep an index always means the same batch.

        Raises
        ------
        IndexError
            Past the end.
        BatchError, StarvedError, ClosedError, InterruptedWaitError
            See `ProducerPool.fetch`.
        """
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"batch {position} of a sequence of {len(self)}")
        self._check_open()
        callers = generators_asking()
        with self._lock:
            key = self._binding.request(position % len(self), callers)
            self._warn()
        began = time.perf_counter()
        waiting = self._pool.tally.wait_begins(partial(self._waited_s, threading.get_ident(), began))
        try:
            batch, num_samples = self._pool.fetch(self._job_id, key, self._timeout_s, self._unpack)
        except FeedlineError as error:
            self._failure = error
            raise
        finally:
            self._pool.tally.wait_ends(waiting)
        wait_s = time.perf_counter() - began
        self._count(num_samples, wait_s, self._wait(callers, began))
        self._passes.delivers(key.epoch)
        return batch

    def on_epoch_begin(self) -> None:
        """Begin an epoch: for Keras, and for loops by hand."""
        with self._lock:
            self._binding.epoch_begins()
            self._waits.forget()
        self._passes.begins()
        begun_here.sequence = weakref.ref(self)

    def on_epoch_end(self) -> None:
        """End a pass by hand, however many batches it took; Keras calls it, too."""
        with self._lock:
            peeked = self._binding.epoch_ends()
        self._passes.ends()
        if peeked and self._pool.is_open:
            with suppress(FeedlineError):
                self._pool.expect(self._job_id, peeked)

    def set_epoch(self, epoch: int) -> None:
        """Have the next sweep be of this epoch, with its order and its draws; later ones follow from there.

        Sweeps under way go on as they are. `feedline.callbacks.SetEpoch` calls it where Keras trains.

        Parameters
        ----------
        epoch : int
            At least 0; may be one that was swept before.

        Raises
        ------
        ConfigurationError
            It is no such number.
        ClosedError
            The sequence was closed.
        """
        self._begin_at(StepKey(whole("epoch", epoch, at_least=0), 0))

    def _begin_at(self, key: StepKey) -> None:
        """Have the next sweep begin with this step."""
        self._check_open()
        with self._lock:
            moves = self._binding.begin_at(key)
        if moves:
            self._pool.move_to(self._job_id, key)

    @property
    def shuffles(self) -> bool:
        """Whether each epoch has an order of its own."""
        return self._plan.shuffle

    @property
    def stats(self) -> DeliveryStats:
        """What was delivered so far, and how long it was waited for."""
        return self._tally.stats

    def report(self) -> Report | None:
        """Who waits for whom, why, and what would help; ``print`` shows it in words.

        About the epoch under way, or the one before as long as that has few batches; validation is left out.
        None of a closed sequence that had no epoch.
        """
        return self._passes.report()

    def step_begins(self, num_done: int) -> None:
        """Tell that so many more steps have ended and the trainer takes its next batch; see `FeedMonitor`."""
        with self._lock:
            self._waits.step_begins(num_done, time.perf_counter())

    @property
    def failure(self) -> FeedlineError | None:
        """The last error that ``__getitem__`` raised; TensorFlow hands on its text but not its type."""
        return self._failure

    @property
    def pool(self) -> ProducerPool:
        """The pool that serves it."""
        return self._pool

    @suggests()
    def resize(
        self, workers: WorkersArgument = None, max_queue_size: QueueSizeArgument | None = None
    ) -> None:
        """Be served by so many producers, each with so many batches in hand, from now on.

        The epoch goes on where it is, with the same batches. Not while somebody waits for one.

        Parameters
        ----------
        workers : int, "auto" or (min, max), optional
            As in the constructor; producers beyond it stay as long as another sequence asks for them.
        max_queue_size : int or "auto", optional
            As in the constructor. What was prefetched is built again.

        Raises
        ------
        ConfigurationError
            A number that cannot work, or `workers` of a sequence that was given a pool.
        ClosedError
            It was closed.
        """
        self._check_open()
        old = self._service
        new = replace(
            old,
            workers=old.workers if workers is None else workers,
            max_queue_size=old.max_queue_size if max_queue_size is None else max_queue_size,
        )
        if workers is not None:
            # Also if it asked for as many before: the page may have been told another number.
            self._join_anew(new)
        if new.max_queue_size != old.max_queue_size:
            self._open_anew(new)
        self._service = new

    def close(self) -> None:
        """Stop prefetching and free all slots; ends the embedded producers if nobody else uses them."""
        self._end()
        if not self._pool.is_open:
            self._pool.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} can be neither copied nor serialized, for producers answer this one:"
            " make another, such as BatchSequence.with_options() does. Its dataset can"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _job_id(self) -> int:
        return self._source.job.job_id

    def _check_open(self) -> None:
        if not self._end.alive:
            raise ClosedError(f"this {type(self).__name__} is closed: make another one")

    def _join_anew(self, service: Service) -> None:
        # Before the old request is withdrawn, so that no producer leaves that is wanted.
        _, leave = service.join(resizes=True)
        self._leave()
        self._leave = leave
        self._watch_end()

    def _open_anew(self, service: Service) -> None:
        """Producers have made room for as many batches as they were told, so they are told anew."""
        self._pool.close_job(self._job_id)
        self._source = self._source.anew(self._pool.new_job_id(), service.max_slots, service.first_slots)
        self._watch_end()
        with self._lock:
            # Of a loop that took batches out of order, what it left out is built when it is asked for.
            key = self._binding.taken() or self._binding.next_step
        self._open_job(StepKey(key.epoch + 1, 0) if key.step == self._plan.num_steps else key)

    def _open_job(self, first: StepKey) -> None:
        self._pool.open_job(self._source)
        if first != StepKey(0, 0):
            self._pool.move_to(self._job_id, first)

    def _watch_end(self) -> None:
        self._end.detach()
        self._end = weakref.finalize(self, _end, self._pool, self._job_id, self._leave)

    @abstractmethod
    def _unpack(self, arrays: dict[str, npt.NDArray[Any]]) -> tuple[Any, int]:
        """Make what Keras gets of the arrays that came; returns it, and how many samples it has.

        Raises
        ------
        RemoteProtocolError
            They are no batch: another is built in its place.
        """

    def _warn(self) -> None:
        """Say once for each what makes prefetch have the wrong batches ready."""
        if self._binding.is_jumping and not self._plan.shuffle:
            # `fit` shuffles unless told not to.
            self._warn_once(
                f"Keras asks for the batches of an unshuffled {type(self).__name__} in random order, so they"
                " are not ready when it does: pass shuffle=False to fit, or shuffle=True here"
            )
        if self._binding.is_crossing:
            self._warn_once(
                f"a {type(self).__name__} was swept anew while an earlier sweep of it is under way. Each gets"
                " an epoch of its own, but for the earlier one nothing is prefetched: give one of the two a"
                " sequence of its own, as with_options() makes, or in_order() to judge a model by"
            )

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            logger.warning(text)

    def _wait(self, callers: list[Hashable], asked_at: float) -> Wait:
        """How long the trainer waited for the batch that has just come."""
        now, trains = time.perf_counter(), self._passes.keras_thread
        if trains is None or trains == threading.get_ident():
            return Wait(now - asked_at, is_certain=True)
        with self._lock:
            return self._waits.fetched(next(iter(callers), None), asked_at, now)

    def _waited_s(self, thread: int, asked_at: float, now: float) -> float:
        """How long the trainer has waited so far for what `thread` asked for. In the pool's thread."""
        if self._passes.keras_thread in {None, thread}:
            return now - asked_at
        # Without the lock, which whoever has it may keep while the pool's thread is asked something.
        return self._waits.under_way(asked_at, now).seconds

    def _count(self, num_samples: int, wait_s: float, wait: Wait) -> None:
        for tally in (self._tally, self._pool.tally):
            tally.count(num_samples, wait_s, wait.seconds, is_certain=wait.is_certain)

    def _for_passes(self, chances: Callable[[ProducerPool], Possible]) -> Subject:
        job = self._source.job
        has_cache = isinstance(job, Job) and job.cache is not None
        return Subject(self._source.name, len(self), job.slot_bytes, has_cache, partial(chances, self._pool))


def _end(pool: ProducerPool, job_id: int, close: Callable[[], None]) -> None:
    """Leave the pool; in a forked child, where it is not open, that means nothing."""
    if pool.is_open:
        with suppress(FeedlineError):
            pool.close_job(job_id)
    close()
