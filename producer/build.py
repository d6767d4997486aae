"""Ticket -> batch."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from common.draws import Purpose, UniformStream
from common.errors import DecodeError, ReadError, SampleError, TransformError, UserCodeError
from common.job import Job
from common.protocol import MAX_TEXT_CHARS, Failure, FailureKind, Sample, Ticket
from common.stages import Stage
from producer.cache import open_cache
from producer.cache_folder import DEFAULTS, CacheSettings
from producer.clock import StageClock
from producer.decode import Pixels
from producer.plugins import NO_PLUGINS, Plugins
from producer.roots import DataRoots
from producer.samples import Samples
from producer.slots import OwnSlots
from producer.transforms import Action, Pipeline

NUM_READ_AHEAD = 8
"""At least so many files are being fetched while one is decoded, and at most twice as many."""


class CancelledBuildError(Exception):
    """The trainer does not want the batch any more."""


class BatchBuilder:
    """Builds the batches of one job, in the thread of the producer that does nothing else.

    Parameters
    ----------
    job : Job
        What to build.
    roots : DataRoots
        Where files may lie.
    cache : CacheSettings
        Where and how much a job's cache may be.
    clock : StageClock, optional
        Told what the time goes into.
    plugins : Plugins
        Which modules of its users it may import.
    """

    def __init__(
        self,
        job: Job,
        roots: DataRoots,
        cache: CacheSettings = DEFAULTS,
        clock: StageClock | None = None,
        plugins: Plugins = NO_PLUGINS,
    ) -> None:
        self.job = job
        self._clock = clock or StageClock()
        self._keeps_dtype = job.x.dtype == job.image.dtype
        kept = open_cache(job.cache, job.image, cache) if job.cache else None
        self._samples = Samples(job.image, roots, self._clock, kept)
        self._draws = UniformStream(Purpose.TRANSFORM, job.seed)
        size = (job.image.height, job.image.width)
        self._pipeline = Pipeline(
            job.transforms, size, job.image.channels, job.image.dtype, job.x.dtype, plugins=plugins
        )
        self._slots = OwnSlots(job.slot_bytes)

    def build(
        self,
        ticket: Ticket,
        is_cancelled: Callable[[], bool],
        memory: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Build the batch of a ticket into its slot.

        Parameters
        ----------
        ticket : Ticket
            What to build.
        is_cancelled : callable
            Asked before every sample.
        memory : ndarray of uint8, optional
            The slot, shape (slot_bytes,), if it is shared; else it is memory of the builder's own.

        Returns
        -------
        ndarray of uint8, shape (bytes of the batch,)
            The slot, in the layout of `Job.layout`; overwritten by the next ticket for the slot.

        Raises
        ------
        ReadError, DecodeError, TransformError
            A sample cannot be used.
        CancelledBuildError
            `is_cancelled` said so.
        """
        layout = self.job.layout(len(ticket.samples))
        slot = self._slots[ticket.slot] if memory is None else memory
        buffer = slot[: layout.num_bytes]
        arrays = layout.views(buffer)
        try:
            self._build_samples(ticket, is_cancelled, arrays["x"])
        finally:
            self._samples.forget()
        for spec, values in zip(self.job.targets, ticket.targets, strict=True):
            arrays[spec.name].reshape(-1)[:] = np.frombuffer(values, spec.dtype)
        self._clock.lap(Stage.TRANSFORM)
        return buffer

    def close(self) -> None:
        """Leave the cache, if there is one."""
        self._samples.close()

    def _build_samples(self, ticket: Ticket, is_cancelled: Callable[[], bool], x: Pixels) -> None:
        recipes = [self._prepare(ticket.epoch, sample) for sample in ticket.samples]
        self._clock.lap(Stage.TRANSFORM)
        for index, (out, sample, recipe) in enumerate(zip(x, ticket.samples, recipes, strict=True)):
            if is_cancelled():
                raise CancelledBuildError
            if index % NUM_READ_AHEAD == 0:
                self._samples.expect(ticket.samples[index : index + 2 * NUM_READ_AHEAD])
            self._build_sample(sample, recipe, out)

    def _prepare(self, epoch: int, sample: Sample) -> list[Action]:
        num_draws = self._pipeline.num_draws
        draws = self._draws.draw(epoch, num_draws, row=sample.row, occurrence=sample.occurrence)
        return self._pipeline.prepare(draws)

    def _build_sample(self, sample: Sample, recipe: list[Action], out: Pixels) -> None:
        if not recipe and self._keeps_dtype:
            self._samples.write(sample, out)
            return
        image = self._samples.pixels(sample)
        try:
            self._pipeline.run(recipe, image, out)
        except UserCodeError as error:
            raise TransformError(sample.paths[0], str(error)) from error
        self._clock.lap(Stage.TRANSFORM)


def failure_of(ticket: Ticket, error: Exception) -> Failure:
    """How an exception in `BatchBuilder.build` is told: a read may work elsewhere, nothing else may."""
    match error:
        case ReadError():
            kind, path, text = FailureKind.READ, error.path, error.reason
        case DecodeError():
            kind, path, text = FailureKind.DECODE, error.path, error.reason
        case SampleError():
            kind, path, text = FailureKind.BUILD, error.path, error.reason
        case _:
            kind, path, text = FailureKind.BUILD, _paths(ticket), f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))[-MAX_TEXT_CHARS:]
    # A failure that is too long to be sent would be no answer at all.
    path, text = path[:MAX_TEXT_CHARS], text[:MAX_TEXT_CHARS]
    return Failure(ticket.job_id, ticket.lease_id, kind, path, text, trace)


def _paths(ticket: Ticket) -> str:
    """The files of a ticket: an unforeseen error does not say which sample it was."""
    paths = [path for sample in ticket.samples for path in sample.paths]
    return ", ".join(paths[:8]) + (f" and {len(paths) - 8} more" if len(paths) > 8 else "")
