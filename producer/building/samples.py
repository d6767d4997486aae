"""A sample of a ticket -> its pixels, from the cache or from its file."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from feedline.common.sample.image import ImageSpec, Size
from feedline.common.stages import Stage
from feedline.common.wire.protocol import Sample, Ticket
from feedline.producer.arrays import Pixels
from feedline.producer.building.class_watch import ClassWatch
from feedline.producer.building.depth_watch import DepthWatch
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.cache.store import Decoded, SampleCache
from feedline.producer.reading.decoders import load_sized
from feedline.producer.reading.files import FileReader
from feedline.producer.reading.roots import DataRoots

logger = logging.getLogger(__name__)


class Samples:
    """The samples of one job before its transforms. Used by the building thread alone.

    Parameters
    ----------
    image : ImageSpec
        What they are decoded to.
    roots : DataRoots
        Where files may lie.
    clock : StageClock
        Told what the time goes into.
    cache : SampleCache, optional
        Where they are kept.
    place : int
        Which of a sample's files is meant.
    """

    def __init__(
        self,
        image: ImageSpec,
        roots: DataRoots,
        clock: StageClock,
        cache: SampleCache | None = None,
        place: int = 0,
    ) -> None:
        self._image = image
        self._place = place
        self._roots = roots
        self._clock = clock
        self._cache = cache
        self._files = FileReader(roots)
        self._scratch = np.empty(image.shape, image.dtype)
        self._depths = DepthWatch(image)
        self._classes = ClassWatch(image)

    def begin(self, _: Ticket) -> None:
        """Samples that come from now on are those of this ticket; each names its file itself."""

    def expect(self, samples: Iterable[Sample]) -> None:
        """Have the files of samples fetched that will soon be asked for, unless they are in the cache."""
        for sample in samples:
            if self._cache is None or not self._cache.has_row(sample.row):
                self._files.expect(self.path_of(sample))

    def path_of(self, sample: Sample) -> str:
        """Which of its files is meant."""
        return sample.paths[self._place]

    def forget(self) -> None:
        """What was expected is not asked for any more."""
        self._files.forget()

    def decoded(self, sample: Sample) -> Decoded:
        """Pixels to read from; good until the next call.

        Raises
        ------
        ReadError, DecodeError
            The sample cannot be used.
        """
        path = self.path_of(sample)
        if self._cache is None:
            return self._load(path)[0]
        self._clock.begin(Stage.READ, path)
        status = self._roots.status(path)
        known = None if status is None else self._cache.recall(sample.row, status)
        if known is None:
            return self._find_or_keep(self._cache, sample)
        self._clock.lap(Stage.READ)
        self._clock.begin(Stage.TRANSFORM, path)
        return known

    def write(self, sample: Sample, out: Pixels) -> Size:
        """Write the pixels to `out`; returns the `Decoded.size`. Raises what `decoded` does."""
        if self._cache is None:
            return self._load(self.path_of(sample), out)[0].size
        decoded = self.decoded(sample)
        np.copyto(out, decoded.pixels)
        self._clock.lap(Stage.TRANSFORM)
        return decoded.size

    def close(self) -> None:
        """Leave the cache, if there is one."""
        if self._cache is not None:
            self._cache.close()

    def _find_or_keep(self, cache: SampleCache, sample: Sample) -> Decoded:
        path = self.path_of(sample)
        file = self._roots.find(path)
        try:
            status = os.stat(file)  # noqa: PTH116 - a str, as everywhere here
        except OSError:
            # Reading it says best what is wrong with it.
            return self._load(path)[0]
        with self._cache_left_if_it_fails():
            found = cache.find(sample.row, file, status)
            if found is not None:
                self._clock.lap(Stage.READ)
                return found
        decoded, status = self._load(path)
        if self._cache is not None:
            with self._cache_left_if_it_fails():
                cache.keep(sample.row, file, status, decoded)
            self._clock.lap(Stage.DECODE)
        return decoded

    @contextmanager
    def _cache_left_if_it_fails(self) -> Iterator[None]:
        """A cache only makes things faster: no batch fails because of it."""
        try:
            yield
        except OSError as error:
            logger.warning(f"the cache is left, every sample is decoded each time: {error}")
            self.close()
            self._cache = None

    def _load(self, path: str, out: Pixels | None = None) -> tuple[Decoded, os.stat_result]:
        self._clock.begin(Stage.READ, path)
        data, status = self._files.read(path)
        self._clock.lap(Stage.READ)
        self._clock.begin(Stage.DECODE, path)
        decoded = Decoded(*load_sized(data, path, self._image, out, self._scratch))
        self._depths.look_at(data, path)
        self._classes.look_at(data, path, decoded.pixels)
        self._clock.lap(Stage.DECODE)
        self._clock.begin(Stage.TRANSFORM, path)
        return decoded, status
