"""`BatchSequence`: what Keras sees."""

from __future__ import annotations

import logging
import math
import operator
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, SupportsIndex

import keras
import numpy as np
import numpy.typing as npt

from common.batch import ArraySpec
from common.caching import CacheSpec
from common.errors import ClosedError, ConfigurationError, FeedlineError
from common.image import Fit, ImageSpec
from common.job import Job
from common.processes import usable_cores
from common.transforms import Transform
from trainer.binding import IndexBinding
from trainer.dataset import ImageDataset
from trainer.jobs import JobSource, ticket_paths
from trainer.plan import EpochPlan
from trainer.pool import MEMORY_BUDGET_BYTES, ProducerPool
from trainer.shared import SHARED, Request
from trainer.slots import MIN_SLOTS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryStats:
    """What a sequence has handed to Keras since it was made.

    Attributes
    ----------
    num_batches, num_samples : int
        Delivered, peeks and repetitions included.
    wait_s : float
        Seconds that ``__getitem__`` waited for them.
    """

    num_batches: int = 0
    num_samples: int = 0
    wait_s: float = 0.0


class BatchSequence(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Batches of an `ImageDataset`, decoded and augmented by producer processes.

    A `keras.utils.Sequence` for ``fit``, ``evaluate`` and ``predict``, or to index and iterate by
    hand. Each epoch delivers every sample exactly once, in an order and with random draws that
    depend on `seed` and the epoch alone.

    Parameters
    ----------
    dataset : ImageDataset
        What to deliver.
    batch_size : int
        Samples of a batch; the last of an epoch has what is left.
    image_size : (int, int)
        Height and width that images are resized to, before `transforms`.
    color_mode : {"grayscale", "rgb", "rgba"}
        Channels, in this order; 1, 3 or 4 of them.
    interpolation : {"nearest", "bilinear", "bicubic", "area"}
        Of the resize.
    crop_to_aspect_ratio, pad_to_aspect_ratio : bool
        Keep the ratio of the sides, by cropping the centre or adding zeros; else stretch.
    jpeg_scaling : bool
        Decode JPEG files at 1/2, 1/4 or 1/8 of their size, the smallest that is not below `image_size`, and
        resize from there: faster for large photographs, and other pixels than without.
    transforms : sequence of Transform
        From `common.transforms`, applied in this order.
    dtype : {"uint8", "uint16", "float32"}
        Of the images; values stay 0..255 (0..65535) unless a `Rescaling` says otherwise, which makes
        float32.
    shuffle : bool
        A new order each epoch, whatever ``fit`` is told. With False, tell ``fit`` so too: it shuffles
        batches by default, and prefetch cannot know how.
    seed : int
        Of orders and random draws.
    drop_remainder : bool
        Leave out a short last batch.
    workers : int, optional
        Embedded producer processes, shared with other sequences of this process; by default the
        usable cores. Not together with `pool`.
    pool : ProducerPool, optional
        Use its producers.
    max_queue_size : int
        Batches that one producer may have in hand, at least 2.
    memory_budget : int, optional
        Bytes that all batches in hand may take; by default 1 GiB. With `pool`, the pool has it.
    timeout_s : float
        Longest wait for one batch.
    cache : {"memory", "disk"}, optional
        Keep decoded samples for the next epoch: in shared memory while producers run, or in a file
        that serves the next run, too. The same batches come with and without it.
    cache_bytes : int, optional
        What all caches of this kind on a host may take together; by default half of what is free. If
        not all samples fit, those that came first are kept.
    use_multiprocessing : bool, optional
        Accepted for scripts that have it, and ignored: producers are processes anyway.
    shard_index, shard_count : int
        Deliver every `shard_count`-th sample of each epoch's order, from `shard_index` on.

    Raises
    ------
    ConfigurationError
        An argument that cannot work, quoted.

    Notes
    -----
    ``x`` is an array (batch, height, width, channels); a batch is ``x``, ``(x, y)`` or
    ``(x, y, weights)`` as the dataset has labels and weights; of several outputs ``y`` is a tuple.
    Arrays may be kept as long as you like. Called from any thread; close it, or use ``with``.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        *,
        batch_size: int = 32,
        image_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        jpeg_scaling: bool = False,
        transforms: Sequence[Transform] = (),
        dtype: str = "uint8",
        shuffle: bool = True,
        seed: int = 0,
        drop_remainder: bool = False,
        workers: int | None = None,
        pool: ProducerPool | None = None,
        max_queue_size: int = 10,
        memory_budget: int | None = None,
        timeout_s: float = 600,
        cache: str | None = None,
        cache_bytes: int | None = None,
        use_multiprocessing: bool | None = None,
        shard_index: int = 0,
        shard_count: int = 1,
    ) -> None:
        # Keras' own workers would ask for batches from forked processes, in an order of their own.
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=max_queue_size)
        _check(dataset, max_queue_size, timeout_s)
        if use_multiprocessing:
            logger.info("use_multiprocessing is ignored: Feedline's producers are processes anyway")
        self.dataset = dataset
        self._plan = EpochPlan(
            len(dataset), batch_size, shuffle, seed, drop_remainder, shard_index, shard_count
        )
        fit = Fit.of(crop_to_aspect_ratio=crop_to_aspect_ratio, pad_to_aspect_ratio=pad_to_aspect_ratio)
        height, width = _size(image_size)
        depth = "uint16" if dtype == "uint16" else "uint8"
        image = ImageSpec(height, width, color_mode, interpolation, fit, depth, jpeg_scaling)
        cached = CacheSpec.of(cache, cache_bytes, len(dataset))
        arrays = _target_arrays(dataset)
        targets = tuple(ArraySpec(name, a.shape[1:], a.dtype.name) for name, a in arrays.items())
        self._targets = tuple(arrays)
        self._binding = IndexBinding(self._plan.num_steps, in_plan_order=shuffle)
        self._lock = threading.Lock()
        self._timeout_s = timeout_s
        self._stats = DeliveryStats()
        self._failure: FeedlineError | None = None
        self._warned = False
        self._memory_budget = memory_budget
        self._brought_pool = pool is not None
        self._pool, self._close = _join(pool, workers, memory_budget)
        try:
            job = Job(
                self._pool.new_job_id(), seed, batch_size, image, tuple(transforms), dtype, targets, cached
            )
            self._job_id = job.job_id
            paths = ticket_paths(dataset.paths, dataset.directory, embedded=self._pool.embedded)
            name = f"sequence {job.job_id}"
            values = tuple(arrays.values())
            self._source = JobSource(name, job, self._plan, paths, values, max_queue_size)
            self._pool.open_job(self._source)
        except BaseException:
            self._close()
            raise
        self._end = weakref.finalize(self, _end, self._pool, self._job_id, self._close)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self._plan.num_steps

    @property
    def num_batches(self) -> int:
        """Batches of an epoch. Keras reads it whenever one of its iterators begins; others use ``len``."""
        with self._lock:
            self._binding.iterator_may_begin()
        return len(self)

    def __getitem__(self, index: SupportsIndex) -> Any:
        """Wait for a batch and return it; within an epoch an index always means the same batch.

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
        with self._lock:
            key = self._binding.request(position % len(self))
            self._warn_of_jumps()
        began = time.perf_counter()
        try:
            arrays = self._pool.fetch(self._job_id, key, self._timeout_s)
        except FeedlineError as error:
            self._failure = error
            raise
        self._count(len(arrays["x"]), time.perf_counter() - began)
        return self._as_keras(arrays)

    def __iter__(self) -> Iterator[Any]:
        """One epoch."""
        with self._lock:
            self._binding.iteration_begins()
        for index in range(len(self)):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Keras begins an epoch."""
        with self._lock:
            self._binding.epoch_begins()

    def on_epoch_end(self) -> None:
        """Keras ends an epoch, or the peeks before the first."""
        with self._lock:
            peeked = self._binding.epoch_ends()
        if peeked and self._pool.is_open:
            with suppress(FeedlineError):
                self._pool.expect(self._job_id, peeked)

    @property
    def shuffles(self) -> bool:
        """Whether each epoch has an order of its own."""
        return self._plan.shuffle

    @property
    def filenames(self) -> list[str]:
        """The files of the present epoch, in the order of delivery."""
        return [self.dataset.filenames[row] for row in self._plan.order(self._binding.epoch)]

    @property
    def labels(self) -> Any:
        """The labels of the present epoch, in the order of delivery; as in the dataset, or None."""
        order = self._plan.order(self._binding.epoch)
        labels = self.dataset.labels
        if labels is None:
            return None
        return tuple(a[order] for a in labels) if isinstance(labels, tuple) else labels[order]

    @property
    def stats(self) -> DeliveryStats:
        """What was delivered so far, and how long it was waited for."""
        return self._stats

    @property
    def failure(self) -> FeedlineError | None:
        """The last error that ``__getitem__`` raised; TensorFlow hands on its text but not its type."""
        return self._failure

    @property
    def pool(self) -> ProducerPool:
        """The pool that serves it."""
        return self._pool

    def resize(self, workers: int | None = None, max_queue_size: int | None = None) -> None:
        """Be served by so many producers, each with so many batches in hand, from now on.

        The epoch goes on where it is, with the same batches. Not while somebody waits for one.

        Parameters
        ----------
        workers : int, optional
            As in the constructor; producers beyond it stay as long as another sequence asks for them.
        max_queue_size : int, optional
            As in the constructor. What was prefetched is built again.

        Raises
        ------
        ConfigurationError
            A number that cannot work, or `workers` of a sequence that was given a pool.
        ClosedError
            It was closed.
        """
        self._check_open()
        if workers is not None:
            self._change_workers(workers)
        if max_queue_size is not None and max_queue_size != self._source.max_slots:
            self._change_queue(max_queue_size)

    def close(self) -> None:
        """Stop prefetching and free all slots; ends the embedded producers if nobody else uses them."""
        self._end()
        if not self._pool.is_open:
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "" if self._end.alive else ", closed"
        name = type(self).__name__
        return f"{name}({len(self)} batches of {self._plan.batch_size}, {self.dataset!r}{state})"

    def _check_open(self) -> None:
        if not self._end.alive:
            raise ClosedError("this BatchSequence is closed: make another one")

    def _change_workers(self, workers: int) -> None:
        if self._brought_pool:
            raise ConfigurationError(f"pool= brought its own producers: leave out workers={workers}")
        # Before the old request is withdrawn, so that no producer leaves that is wanted.
        _, leave = _join(None, workers, self._memory_budget)
        self._close()
        self._close = leave
        self._watch_end()

    def _change_queue(self, max_queue_size: int) -> None:
        """Open the job anew: producers have made room for as many batches as they were told."""
        _check_queue(max_queue_size)
        job = replace(self._source.job, job_id=self._pool.new_job_id())
        self._pool.close_job(self._job_id)
        self._source = replace(self._source, job=job, max_slots=max_queue_size)
        self._job_id = job.job_id
        self._watch_end()
        self._pool.open_job(self._source)

    def _watch_end(self) -> None:
        self._end.detach()
        self._end = weakref.finalize(self, _end, self._pool, self._job_id, self._close)

    def _as_keras(self, arrays: dict[str, npt.NDArray[Any]]) -> Any:
        """Pack the arrays as Keras wants them: absent parts left out, several targets in a tuple."""
        x = arrays.pop("x")
        weights = arrays.pop("weight", None)
        targets = tuple(arrays.values())
        if self.dataset.target_is_input:
            targets = (x,)
        if not targets:
            return x
        y = targets[0] if len(targets) == 1 else targets
        return (x, y) if weights is None else (x, y, weights)

    def _warn_of_jumps(self) -> None:
        """`fit` shuffles unless told not to: prefetch then has the wrong batches ready."""
        if self._binding.is_jumping and not self._plan.shuffle and not self._warned:
            self._warned = True
            logger.warning(
                "Keras asks for the batches of an unshuffled BatchSequence in random order, so they are not"
                " ready when it does: pass shuffle=False to fit, or shuffle=True here"
            )

    def _count(self, num_samples: int, wait_s: float) -> None:
        with self._lock:
            old = self._stats
            self._stats = replace(
                old,
                num_batches=old.num_batches + 1,
                num_samples=old.num_samples + num_samples,
                wait_s=old.wait_s + wait_s,
            )


def _check(dataset: ImageDataset, max_queue_size: int, timeout_s: float) -> None:
    if not isinstance(dataset, ImageDataset):
        raise ConfigurationError(
            "a BatchSequence needs an ImageDataset, such as ImageDataset.from_dataframe(...) makes;"
            f" got {type(dataset).__name__}"
        )
    _check_queue(max_queue_size)
    if not 0 < timeout_s < math.inf:
        raise ConfigurationError(f"timeout_s must be a positive number of seconds, got {timeout_s}")
    if dataset.weights is not None and not (dataset.targets or dataset.target_is_input):
        raise ConfigurationError("Keras takes sample weights only together with labels; the dataset has none")


def _check_queue(max_queue_size: int) -> None:
    if max_queue_size < MIN_SLOTS:
        raise ConfigurationError(f"max_queue_size must be at least {MIN_SLOTS}, got {max_queue_size}")


def _size(image_size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = image_size
    except (TypeError, ValueError):
        raise ConfigurationError(f"image_size must be (height, width), got {image_size!r}") from None
    return height, width


def _target_arrays(dataset: ImageDataset) -> dict[str, npt.NDArray[Any]]:
    """Everything that travels with the images, by its name in the batch."""
    names = ["y"] if len(dataset.targets) == 1 else [f"y{i}" for i in range(len(dataset.targets))]
    arrays = dict(zip(names, dataset.targets, strict=True))
    if dataset.weights is not None:
        arrays["weight"] = np.asarray(dataset.weights, np.float32)
    return arrays


def _join(
    pool: ProducerPool | None, workers: int | None, memory_budget: int | None
) -> tuple[ProducerPool, Callable[[], None]]:
    """The pool to use, and how to leave it."""
    if pool is None:
        request = Request(
            usable_cores() if workers is None else workers,
            MEMORY_BUDGET_BYTES if memory_budget is None else memory_budget,
        )
        number, shared = SHARED.acquire(request)
        return shared, lambda: SHARED.release(number)
    for name, value in (("workers", workers), ("memory_budget", memory_budget)):
        if value is not None:
            raise ConfigurationError(f"pool= brings its own producers and budget: leave out {name}={value}")
    return pool, lambda: None


def _end(pool: ProducerPool, job_id: int, close: Callable[[], None]) -> None:
    """Leave the pool; in a forked child, where it is not open, that means nothing."""
    if pool.is_open:
        with suppress(FeedlineError):
            pool.close_job(job_id)
    close()
