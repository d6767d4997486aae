"""A sample of a ticket -> its pixels, from the cache or from its file."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from common.image import ImageSpec
from common.protocol import Sample
from producer.cache import Pixels, SampleCache
from producer.decode import load, read_bytes
from producer.roots import DataRoots

logger = logging.getLogger(__name__)


class Samples:
    """The samples of one job before its transforms. Used by the building thread alone.

    Parameters
    ----------
    image : ImageSpec
        What they are decoded to.
    roots : DataRoots
        Where files may lie.
    cache : SampleCache or None
        Where they are kept.
    """

    def __init__(self, image: ImageSpec, roots: DataRoots, cache: SampleCache | None) -> None:
        self._image = image
        self._roots = roots
        self._cache = cache

    def pixels(self, sample: Sample) -> Pixels:
        """Pixels to read from, shape `ImageSpec.shape`.

        Raises
        ------
        ReadError, DecodeError
            The sample cannot be used.
        """
        path = sample.paths[0]
        if self._cache is None:
            return self._load(path, self._roots.find(path))
        status = self._roots.status(path)
        known = None if status is None else self._cache.recall(sample.row, status)
        return self._find_or_keep(self._cache, sample) if known is None else known

    def write(self, sample: Sample, out: Pixels) -> None:
        """Write the pixels to `out`. Raises what `pixels` does."""
        if self._cache is None:
            path = sample.paths[0]
            self._load(path, self._roots.find(path), out)
        else:
            np.copyto(out, self.pixels(sample))

    def close(self) -> None:
        """Leave the cache, if there is one."""
        if self._cache is not None:
            self._cache.close()

    def _find_or_keep(self, cache: SampleCache, sample: Sample) -> Pixels:
        path = sample.paths[0]
        file = self._roots.find(path)
        try:
            status = os.stat(file)  # noqa: PTH116 - a str, as everywhere here
        except OSError:
            # Reading it says best what is wrong with it.
            return self._load(path, file)
        with self._cache_left_if_it_fails():
            found = cache.find(sample.row, file, status)
            if found is not None:
                return found
        pixels = self._load(path, file)
        if self._cache is not None:
            with self._cache_left_if_it_fails():
                cache.keep(sample.row, file, status, pixels)
        return pixels

    @contextmanager
    def _cache_left_if_it_fails(self) -> Iterator[None]:
        """A cache only makes things faster: no batch fails because of it."""
        try:
            yield
        except OSError as error:
            logger.warning(f"the cache is left, every sample is decoded each time: {error}")
            self.close()
            self._cache = None

    def _load(self, path: str, file: str, out: Pixels | None = None) -> Pixels:
        return load(read_bytes(path, file), path, self._image, out)
