"""A producer's cache as a test sees it: samples that say which row they are, and other producers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

import feedline
from feedline.common.job.caching import CacheKind, CacheSpec
from feedline.common.memory.arena import CACHE_PREFIX
from feedline.common.sample.image import ImageSpec
from feedline.producer.cache.folder import CacheSettings
from feedline.producer.cache.store import Decoded, SampleCache

IMAGE = ImageSpec(64, 63, "grayscale")
STRIDE = 64 * 64
"""Pixels, and the size of the file's image behind them, up to the next multiple of 64 bytes: a page."""
NUM_ROWS = 40
PLENTY = 1 << 24


def pixels_of(row: int) -> npt.NDArray[np.uint8]:
    """Noise, another for each row."""
    return np.random.default_rng(row).integers(0, 256, IMAGE.shape, np.uint8)


def cache_in(folder: Path, num_bytes: int = PLENTY, image: ImageSpec = IMAGE) -> SampleCache:
    """A producer's cache on disk."""
    return SampleCache(CacheSpec(CacheKind.DISK, num_bytes, NUM_ROWS), image, CacheSettings(str(folder)))


def keep(cache: SampleCache, sources: list[Path], *rows: int) -> None:
    """Put rows into the cache."""
    for row in rows:
        cache.keep(row, str(sources[row]), sources[row].stat(), Decoded(pixels_of(row), (480, 640 + row)))


def held(cache: SampleCache, sources: list[Path]) -> list[int]:
    """The rows a cache has; each with its own pixels, or the test fails."""
    rows = []
    for row, file in enumerate(sources):
        found = cache.find(row, str(file), file.stat())
        if found is not None:
            assert np.array_equal(found.pixels, pixels_of(row))
            assert found.size == (480, 640 + row)
            rows.append(row)
    return rows


def only_file_in(folder: Path) -> Path:
    """The one cache file there is."""
    (file,) = folder.glob(f"{CACHE_PREFIX}*")
    return file


CHILD = f"""
import os, signal, sys
sys.path[:0] = [{str(Path(feedline.__file__).parent.parent)!r}, {str(Path(__file__).parent)!r}]
import caches as t
from pathlib import Path
from feedline.producer.cache import file as cache_file

folder, *sources = map(Path, sys.argv[1:])
"""


def child(script: str, folder: Path, sources: list[Path]) -> subprocess.Popen[bytes]:
    """Another producer on the same host."""
    return subprocess.Popen([sys.executable, "-c", CHILD + script, folder, *sources])
