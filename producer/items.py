"""The images of one item of a batch: from its files to its places in the arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from common.companions import Role
from common.job import Job
from common.protocol import Sample
from common.stages import Stage
from producer.cache import open_cache
from producer.cache_folder import CacheSettings
from producer.clock import StageClock
from producer.decode import Pixels, Size
from producer.roots import DataRoots
from producer.samples import Samples
from producer.transforms import Composition, compose


class ImageMaker:
    """Makes one image of every item: ``x``, or that of a companion. Used by the building thread alone.

    Parameters
    ----------
    name : str
        Of its array.
    samples : Samples
        The files, decoded.
    composition : Composition
        What is done to them.
    keeps_dtype : bool
        Images have the dtype of the array before any transform.
    clock : StageClock
        Told what the time goes into.
    """

    def __init__(
        self, name: str, samples: Samples, composition: Composition, clock: StageClock, *, keeps_dtype: bool
    ) -> None:
        self.name = name
        self.samples = samples
        self.composition = composition
        self._clock = clock
        self._keeps_dtype = keeps_dtype

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
            (height, width) of the image in the file of each source.

        Raises
        ------
        ReadError, DecodeError
            A sample cannot be used.
        """
        if not recipe and self._keeps_dtype:
            return [self.samples.write(sources[0], out)]
        sizes: list[Size] = []
        self.composition.run(recipe, self._decoded(sources, sizes), out)
        self._clock.lap(Stage.TRANSFORM)
        return sizes

    def _decoded(self, sources: Iterable[Sample], sizes: list[Size]) -> Iterator[Pixels]:
        for sample in sources:
            decoded = self.samples.decoded(sample)
            sizes.append(decoded.size)
            yield decoded.pixels
            self._clock.lap(Stage.TRANSFORM)


def image_maker(
    job: Job, place: int, roots: DataRoots, cache: CacheSettings, clock: StageClock
) -> ImageMaker:
    """Make the maker of one of a job's images: 0 is ``x``, others are its companions from 1 on."""
    if place:
        companion = job.companions[place - 1]
        image, array, role = companion.image(job.image), job.companion_array(companion), Role(companion.role)
    else:
        image, array, role = job.image, job.x, Role.INPUT
    kept = open_cache(job.cache, image, cache) if job.cache else None
    samples = Samples(image, roots, clock, kept, place)
    composition = compose(job.transforms, image.size, image.channels, image.dtype, array.dtype, role)
    return ImageMaker(array.name, samples, composition, clock, keeps_dtype=array.dtype == image.dtype)
