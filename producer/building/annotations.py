"""Labels and boxes of a ticket -> those of its batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.job.images import Job
from feedline.common.sample.boxes import Boxes, BoxSpec, unpack
from feedline.common.sample.image import Size
from feedline.common.wire.protocol import Ticket
from feedline.producer.arrays import Draws
from feedline.producer.building.box_watch import BoxWatch
from feedline.producer.reading.fitting import matrix_of_fit
from feedline.producer.transforms import Composition
from feedline.producer.transforms.boxes import dropped_below, moved_into
from feedline.producer.transforms.composition import Annotated


class Annotations:
    """Writes all that comes with the images of a job. Used by the building thread alone.

    Parameters
    ----------
    job : Job
        Says what there is.
    composition : Composition
        What is done to ``x``; boxes go where its pixels go.
    """

    def __init__(self, job: Job, composition: Composition) -> None:
        self._job = job
        self._composition = composition
        # The size of a stack is that of its last slice.
        self._boxes_fit = BoxWatch(job.image.slices - 1)

    def write(
        self,
        ticket: Ticket,
        draws: Sequence[Draws],
        sizes: Sequence[Size],
        arrays: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        """Write the labels, weights and boxes of a batch.

        Parameters
        ----------
        ticket : Ticket
            Has them, for each of its samples.
        draws : sequence of ndarray
            The uniforms of each item.
        sizes : sequence of (int, int)
            (height, width) of the image in the file of each sample.
        arrays : mapping
            The arrays of the batch, by name.
        """
        targets, boxes, _ = self._job.parted(ticket.targets)
        for spec, buffer in zip(self._job.targets, targets, strict=True):
            values = np.frombuffer(buffer, spec.dtype).reshape(-1, *spec.shape)
            arrays[spec.name][...] = values if self._job.num_sources == 1 else self._mixed(values, draws)
        if self._job.boxes is not None:
            unpacked = unpack(boxes, len(sizes))
            self._boxes_fit.look_at(ticket.samples, unpacked, sizes)
            self._write_boxes(self._job.boxes, unpacked, draws, sizes, arrays)

    def _mixed(self, values: npt.NDArray[Any], draws: Sequence[Draws]) -> npt.NDArray[Any]:
        """Add up the values of each item's sources, each times its share in the image."""
        shares = np.array([self._composition.shares(own) for own in draws])
        values = values.reshape(len(draws), self._job.num_sources, *values.shape[1:])
        mixed: npt.NDArray[Any] = np.einsum("is,is...->i...", shares, values)
        return mixed

    def _write_boxes(
        self,
        spec: BoxSpec,
        boxes: Iterable[Boxes],
        draws: Sequence[Draws],
        sizes: Iterable[Size],
        arrays: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        fitted = self._fitted(boxes, sizes)
        for own, out in zip(draws, arrays[spec.array.name], strict=True):
            moved = self._composition.move(own, fitted)
            spec.write(dropped_below(moved, spec.min_side), out)

    def _fitted(self, boxes: Iterable[Boxes], sizes: Iterable[Size]) -> Iterator[Annotated]:
        """Boxes in the images that the transforms get, and the sizes of those."""
        for one, size in zip(boxes, sizes, strict=True):
            fitted = self._job.image.size_for(size)
            matrix = matrix_of_fit(size, self._job.image)
            yield moved_into(one, matrix, (0, 0, fitted[1], fitted[0])), fitted
