"""A sample of a ticket -> its mask, drawn of the regions that are in the ticket."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec, Size
from feedline.common.sample.regions import Regions, unpack
from feedline.common.stages import Stage
from feedline.common.wire.protocol import Sample, Ticket
from feedline.producer.arrays import Pixels
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.cache.store import Decoded
from feedline.producer.reading.fitting import fit
from feedline.producer.reading.regions import draw


class DrawnMasks:
    """The masks of one job before its transforms, as `Samples` are its files. Used by one thread.

    They are not cached: drawing takes less than a file does.

    Parameters
    ----------
    job : Job
        Knows where they are in a ticket.
    name : str
        Of the companion.
    image : ImageSpec
        What they are drawn for.
    clock : StageClock
        Told what the time goes into.
    """

    def __init__(self, job: Job, name: str, image: ImageSpec, clock: StageClock) -> None:
        self._job = job
        self._name = name
        self._image = image
        self._clock = clock
        self._regions: dict[int, Regions] = {}
        self._scratch = np.empty(image.shape, image.dtype)

    def begin(self, ticket: Ticket) -> None:
        """Samples that come from now on are those of this ticket."""
        buffers = self._job.parted(ticket.targets).regions[self._name]
        rows = [sample.row for sample in ticket.samples]
        self._regions = dict(zip(rows, unpack(buffers, len(rows)), strict=True))

    def expect(self, samples: Iterable[Sample]) -> None:
        """There is nothing to fetch."""

    def forget(self) -> None:
        """The ticket is done."""
        self._regions = {}

    def path_of(self, sample: Sample) -> str:
        """The file whose mask it is."""
        return sample.paths[0]

    def decoded(self, sample: Sample) -> Decoded:
        """Pixels to read from; good until the next call."""
        whole = draw(self._regions[sample.row], self._image.dtype)
        pixels = fit(whole[:, :, np.newaxis], self._image, scratch=self._scratch)
        self._clock.lap(Stage.DECODE)
        return Decoded(pixels, whole.shape[:2])

    def write(self, sample: Sample, out: Pixels) -> Size:
        """Write the pixels to `out`; returns the `Decoded.size`."""
        whole = draw(self._regions[sample.row], self._image.dtype)
        fit(whole[:, :, np.newaxis], self._image, out)
        self._clock.lap(Stage.DECODE)
        return whole.shape[:2]

    def close(self) -> None:
        """There is nothing to leave."""
