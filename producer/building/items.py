"""The images of one item of a batch: from its files to its places in the arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from feedline.common.batch.layout import ArraySpec
from feedline.common.declarations.filling import settled
from feedline.common.errors import DecodeError, TransformError, UserCodeError
from feedline.common.job.images import Job
from feedline.common.sample.companions import Origin, Role
from feedline.common.sample.image import ImageSpec, Size
from feedline.common.stages import Stage
from feedline.common.wire.protocol import Sample, Ticket
from feedline.producer.arrays import Pixels
from feedline.producer.building.drawn import DrawnMasks
from feedline.producer.building.samples import Samples
from feedline.producer.building.stacks import Stack
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.cache.folder import CacheSettings
from feedline.producer.cache.store import open_cache
from feedline.producer.plugins import Plugins
from feedline.producer.reading.roots import DataRoots
from feedline.producer.transforms import Composition, compose

Source: TypeAlias = Samples | DrawnMasks
"""Who has the pixels that an image begins with."""


class ImageMaker:
    """Makes one image of every item: ``x``, or that of a companion. Used by the building thread alone.

    Parameters
    ----------
    array : ArraySpec
        What the images of a batch are.
    slices : sequence of Source
        The files, decoded: one for each slice of an image, usually one; or what is drawn.
    composition : Composition
        What is done to each of them.
    keeps_dtype : bool
        Images have the dtype of the array before any transform.
    clock : StageClock
        Told what the time goes into.
    """

    def __init__(
        self,
        array: ArraySpec,
        slices: Sequence[Source],
        composition: Composition,
        clock: StageClock,
        *,
        keeps_dtype: bool,
    ) -> None:
        self.name = array.name
        self.slices = slices
        self.composition = composition
        self._clock = clock
        self._keeps_dtype = keeps_dtype
        self._stack = Stack(array, len(slices)) if len(slices) > 1 else None

    def make(self, recipe: Any, sources: Sequence[Sample], out: Pixels) -> list[Size]:
        """Make one image.

        Parameters
        ----------
        recipe : object
            What `Composition.prepare` came to.
        sources : sequence of Sample
            What it is made of, `Composition.num_sources` of them.
        out : ndarray
            Its place in the batch.

        Returns
        -------
        list of (int, int)
            (height, width) of the image in the file of each source; of a stack, in that of its last slice.

        Raises
        ------
        ReadError, DecodeError, TransformError
            A sample cannot be used.
        """
        if self._stack is None:
            return self._make_slice(self.slices[0], recipe, sources, out)
        sizes: list[Size] = []
        for samples, part in zip(self.slices, self._stack.parts, strict=True):
            sizes = self._make_slice(samples, recipe, sources, part)
        self._stack.put_together(out)
        self._clock.lap(Stage.TRANSFORM)
        return sizes

    def begin(self, ticket: Ticket) -> None:
        """Samples that come from now on are those of this ticket."""
        for one in self.slices:
            one.begin(ticket)

    def check_sizes(self, sizes: Sequence[Size], of_x: Sequence[Size], sources: Sequence[Sample]) -> None:
        """Raise a DecodeError if what was drawn was not drawn for the image in the file of ``x``."""
        for own, size, sample in zip(sizes, of_x, sources, strict=True):
            if own != size:
                raise DecodeError(
                    self.path_of(sample),
                    f"has an image of {size[1]} x {size[0]} pixels, and its annotations are of one of"
                    f" {own[1]} x {own[0]}: the mask would lie elsewhere. Annotate the file as it is",
                )

    def path_of(self, sample: Sample) -> str:
        """Its file; of a stack the last."""
        return self.slices[-1].path_of(sample)

    def expect(self, samples: Iterable[Sample]) -> None:
        """Have files fetched that will soon be asked for."""
        for one in self.slices:
            one.expect(samples)

    def forget(self) -> None:
        """What was expected is not asked for any more."""
        for one in self.slices:
            one.forget()

    def close(self) -> None:
        """Leave the caches, if there are any."""
        for one in self.slices:
            one.close()

    def _make_slice(self, samples: Source, recipe: Any, sources: Sequence[Sample], out: Pixels) -> list[Size]:
        if not recipe and self._keeps_dtype:
            return [samples.write(sources[0], out)]
        sizes: list[Size] = []
        try:
            self.composition.run(recipe, self._decoded(samples, sources, sizes), out)
        except UserCodeError as error:
            raise TransformError(samples.path_of(sources[len(sizes) - 1]), str(error)) from error
        self._clock.lap(Stage.TRANSFORM)
        return sizes

    def _decoded(self, samples: Source, sources: Iterable[Sample], sizes: list[Size]) -> Iterator[Pixels]:
        for sample in sources:
            decoded = samples.decoded(sample)
            sizes.append(decoded.size)
            yield decoded.pixels
            self._clock.lap(Stage.TRANSFORM)


def image_makers(
    job: Job, roots: DataRoots, cache: CacheSettings, clock: StageClock, plugins: Plugins
) -> list[ImageMaker]:
    """Make the makers of a job's images: ``x`` first, then its companions."""

    def files(image: ImageSpec, place: int) -> list[Source]:
        one = image.one_slice
        return [
            Samples(one, roots, clock, open_cache(job.cache, one, cache) if job.cache else None, place + nth)
            for nth in range(image.slices)
        ]

    def maker(image: ImageSpec, array: ArraySpec, role: Role, slices: list[Source]) -> ImageMaker:
        one = image.one_slice
        transforms = settled(job.transforms, one, role)
        composition = compose(transforms, one.size, one.channels, one.dtype, array.dtype, role, plugins)
        return ImageMaker(array, slices, composition, clock, keeps_dtype=array.dtype == one.dtype)

    makers = [maker(job.image, job.x, Role.INPUT, files(job.image, 0))]
    place = job.image.slices
    for companion in job.companions:
        image, array = companion.image(job.image), job.companion_array(companion)
        slices: list[Source] = [DrawnMasks(job, companion.name, image, clock)]
        if companion.origin == Origin.FILES:
            slices = files(image, place)
            place += 1
        makers.append(maker(image, array, companion.treated_as, slices))
    return makers
