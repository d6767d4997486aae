"""Ticket -> batch."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.draws import Purpose, UniformStream
from feedline.common.errors import ReadError, SampleError, UserCodeError
from feedline.common.job.images import Job
from feedline.common.sample.companions import Origin, Role
from feedline.common.sample.image import Size
from feedline.common.stages import Stage
from feedline.common.wire.names import printable
from feedline.common.wire.protocol import MAX_TEXT_CHARS, BadFile, Failure, FailureKind, Sample, Ticket
from feedline.producer.building.annotations import Annotations
from feedline.producer.building.bad_files import BadFiles, BadFilesError
from feedline.producer.building.items import image_makers
from feedline.producer.building.mask_watch import MaskWatch
from feedline.producer.building.slots import OwnSlots
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.cache.folder import DEFAULTS, CacheSettings
from feedline.producer.plugins import NO_PLUGINS, Plugins
from feedline.producer.reading.roots import DataRoots

NUM_READ_AHEAD = 8
"""At least so many files are being fetched while one is decoded, and at most twice as many."""


Arrays = Mapping[str, npt.NDArray[Any]]
"""The arrays of a batch, by name."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All of an item that does not depend on pixels.

    Attributes
    ----------
    draws : ndarray of float64
        Its uniforms.
    of_images : list
        What `Composition.prepare` came to for each of its images.
    """

    draws: npt.NDArray[np.float64]
    of_images: list[Any]


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
        self._makers = image_makers(job, roots, cache, self._clock, plugins)
        self._draws = UniformStream(Purpose.TRANSFORM, job.seed)
        self._annotations = Annotations(job, self._makers[0].composition)
        self._num_read_ahead = max(1, NUM_READ_AHEAD // job.num_sources)
        self._slots = OwnSlots(job.slot_bytes)
        self._masks_fit = MaskWatch()

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
        BadFilesError
            Files cannot be used.
        TransformError
            A function of a user's failed.
        CancelledBuildError
            `is_cancelled` said so.
        """
        layout = self.job.layout(len(ticket.samples) // self.job.num_sources)
        slot = self._slots[ticket.slot] if memory is None else memory
        buffer = slot[: layout.num_bytes]
        arrays = layout.views(buffer)
        try:
            self._build_items(ticket, is_cancelled, arrays)
        finally:
            for maker in self._makers:
                maker.forget()
        self._clock.lap(Stage.TRANSFORM)
        return buffer

    def forget(self, slots: Sequence[int]) -> None:
        """See `TicketBuilder`."""
        self._slots.forget(slots)

    def close(self) -> None:
        """Leave the cache, if there is one."""
        for maker in self._makers:
            maker.close()

    def _build_items(self, ticket: Ticket, is_cancelled: Callable[[], bool], arrays: Arrays) -> None:
        for maker in self._makers:
            maker.begin(ticket)
        sources = self._sources(ticket)
        recipes = [self._prepare(ticket.epoch, samples[0]) for samples in sources]
        self._clock.lap(Stage.TRANSFORM)
        sizes: list[Size] = []
        bad = BadFiles(self._makers)
        for index, (samples, recipe) in enumerate(zip(sources, recipes, strict=True)):
            if is_cancelled():
                raise CancelledBuildError
            if index % self._num_read_ahead == 0:
                self._expect(sources[index : index + 2 * self._num_read_ahead])
            with bad.gathered(index * self.job.num_sources, samples):
                sizes += self._build_item(samples, recipe, index, arrays)
        bad.refuse()
        self._annotations.write(ticket, [recipe.draws for recipe in recipes], sizes, arrays)

    def _sources(self, ticket: Ticket) -> list[tuple[Sample, ...]]:
        """The samples of each item."""
        num = self.job.num_sources
        return [ticket.samples[start : start + num] for start in range(0, len(ticket.samples), num)]

    def _prepare(self, epoch: int, sample: Sample) -> Recipe:
        """The draws of an item are those of its first sample."""
        num_draws = self._makers[0].composition.num_draws
        draws = self._draws.draw(epoch, num_draws, row=sample.row, occurrence=sample.occurrence)
        return Recipe(draws, [maker.composition.prepare(draws) for maker in self._makers])

    def _expect(self, sources: Iterable[tuple[Sample, ...]]) -> None:
        samples = [sample for item in sources for sample in item if sample.paths]
        for maker in self._makers:
            maker.expect(samples)

    def _build_item(
        self, samples: tuple[Sample, ...], recipe: Recipe, index: int, arrays: Arrays
    ) -> list[Size]:
        """Make the images of an item; returns the sizes of those in the files of ``x``."""
        if not samples[0].paths:
            for maker in self._makers:
                arrays[maker.name][index] = 0
            return [self.job.image.size] * len(samples)
        sizes = [
            maker.make(own, samples, arrays[maker.name][index])
            for maker, own in zip(self._makers, recipe.of_images, strict=True)
        ]
        self._check_masks(samples, sizes)
        return sizes[0]

    def _check_masks(self, samples: tuple[Sample, ...], sizes: list[list[Size]]) -> None:
        """Masks must lie on what they show."""
        for place, companion in enumerate(self.job.companions, 1):
            if companion.origin is Origin.REGIONS:
                self._makers[place].check_sizes(sizes[place], sizes[0], samples)
            elif companion.role is Role.MASK:
                self._masks_fit.look_at(self._makers[0], self._makers[place], samples, sizes[0], sizes[place])


def failure_of(ticket: Ticket, error: BaseException) -> Failure:
    """How an exception in `BatchBuilder.build` is told: a read may work elsewhere, nothing else may."""
    files: tuple[BadFile, ...] = ()
    match error:
        case BadFilesError():
            kind, path, text, files = error.kind, error.path, error.reason, error.files
        case SampleError():
            kind, path, text = FailureKind.BUILD, error.path, error.reason
        case UserCodeError():
            kind, path, text = FailureKind.BUILD, _paths(ticket), str(error)
        case _:
            kind, path, text = FailureKind.BUILD, _paths(ticket), f"{type(error).__name__}: {error}"
    # What was found out about code of users, or that a file is not there, says all in its text; what that
    # code or the system raised is shown where.
    origin = error.first if isinstance(error, BadFilesError) else error
    says_all = isinstance(origin, UserCodeError | ReadError) and origin.__cause__ is None
    trace = "" if says_all else "".join(traceback.format_exception(error))[-MAX_TEXT_CHARS:]
    # A failure that is too long to be sent would be no answer at all.
    path, text, trace = (printable(part)[:MAX_TEXT_CHARS] for part in (path, text, trace))
    return Failure(ticket.job_id, ticket.lease_id, kind, path, text, trace, files)


def _paths(ticket: Ticket) -> str:
    """The files of a ticket: an unforeseen error does not say which sample it was."""
    paths = [path for sample in ticket.samples for path in sample.paths]
    return ", ".join(paths[:8]) + (f" and {len(paths) - 8} more" if len(paths) > 8 else "")
