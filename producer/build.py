"""Ticket -> batch."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from common.batch import empty_buffer
from common.draws import Purpose, uniforms
from common.errors import DecodeError, ReadError
from common.job import Job
from common.protocol import MAX_TEXT_CHARS, Failure, FailureKind, Sample, Ticket
from common.stages import Stage, StageClock
from producer.decode import load, read_bytes
from producer.roots import DataRoots
from producer.transforms import Pipeline


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
    clock : StageClock, optional
        Told what the time goes into.
    """

    def __init__(self, job: Job, roots: DataRoots, clock: StageClock | None = None) -> None:
        self.job = job
        self._roots = roots
        self._clock = clock or StageClock()
        self._is_plain = not job.transforms and job.x.dtype == job.image.dtype
        size = (job.image.height, job.image.width)
        self._pipeline = Pipeline(job.transforms, size, job.image.channels, job.image.dtype, job.x.dtype)
        self._slots: dict[int, npt.NDArray[np.uint8]] = {}

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
        ReadError, DecodeError
            A sample cannot be used.
        CancelledBuildError
            `is_cancelled` said so.
        """
        layout = self.job.layout(len(ticket.samples))
        slot = self._slot(ticket.slot) if memory is None else memory
        buffer = slot[: layout.num_bytes]
        arrays = layout.views(buffer)
        for out, sample in zip(arrays["x"], ticket.samples, strict=True):
            if is_cancelled():
                raise CancelledBuildError
            self._build_sample(ticket.epoch, sample, out)
        for spec, values in zip(self.job.targets, ticket.targets, strict=True):
            arrays[spec.name].reshape(-1)[:] = np.frombuffer(values, spec.dtype)
        self._clock.lap(Stage.TRANSFORM)
        return buffer

    def _build_sample(self, epoch: int, sample: Sample, out: npt.NDArray[Any]) -> None:
        path = sample.paths[0]
        data = read_bytes(path, self._roots.find(path))
        self._clock.lap(Stage.READ)
        draws = uniforms(
            Purpose.TRANSFORM,
            self.job.seed,
            epoch,
            self._pipeline.num_draws,
            row=sample.row,
            occurrence=sample.occurrence,
        )
        image = load(data, path, self.job.image, out if self._is_plain else None)
        self._clock.lap(Stage.DECODE)
        if not self._is_plain:
            self._pipeline.apply(image, draws, out)
            self._clock.lap(Stage.TRANSFORM)

    def _slot(self, index: int) -> npt.NDArray[np.uint8]:
        """Slots are reused: the trainer leases one again only when it has all of its last batch."""
        if index not in self._slots:
            self._slots[index] = empty_buffer(self.job.slot_bytes)
            self._slots[index][:] = 0
        return self._slots[index]


def failure_of(ticket: Ticket, error: Exception) -> Failure:
    """How an exception in `BatchBuilder.build` is told: a read may work elsewhere, nothing else may."""
    match error:
        case ReadError():
            kind, path, text = FailureKind.READ, error.path, error.reason
        case DecodeError():
            kind, path, text = FailureKind.DECODE, error.path, error.reason
        case _:
            kind, path, text = FailureKind.BUILD, _paths(ticket), f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    return Failure(ticket.job_id, ticket.lease_id, kind, path, text, trace[-MAX_TEXT_CHARS:])


def _paths(ticket: Ticket) -> str:
    """The files of a ticket: an unforeseen error does not say which sample it was."""
    paths = [path for sample in ticket.samples for path in sample.paths]
    return ", ".join(paths[:8]) + (f" and {len(paths) - 8} more" if len(paths) > 8 else "")
