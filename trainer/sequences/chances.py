"""What could be changed about a sequence to have it faster: by its options and some of its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from statistics import median

import numpy as np

from feedline.common.batch.layout import aligned
from feedline.common.formats.images import size_of
from feedline.common.formats.names import format_of
from feedline.common.memory.arena import folders
from feedline.common.memory.free import free_memory, free_on
from feedline.common.sample.companions import Origin
from feedline.common.sample.image import Fit, ImageSpec, Size
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.sequences.options import SequenceOptions
from feedline.trainer.sequences.service import Service
from feedline.trainer.verdict.remedies import Possible

NUM_LOOKED_AT = 9
"""So many files are looked at, spread over the dataset."""

HEADER_BYTES = 1 << 16
"""In so much of a JPEG is its size."""

KEPT_BESIDE_BYTES = 8
"""The size of its image, which a cache keeps with each sample."""

MUCH_LARGER = 2
"""JPEG is decoded at half the size, or less, if that still is large enough."""


def chances(options: SequenceOptions, service: Service, pool: ProducerPool) -> Possible:
    """What could be changed, and can work: files are looked at, which may take some milliseconds."""
    num_bytes = _cache_bytes(options)
    fits = pool.embedded and options.cache is None and 0 < num_bytes <= _free_for_caches()
    return Possible(
        jpeg_scaling=not options.jpeg_scaling and _are_large_jpegs(options),
        cache="memory" if fits else "",
        cache_bytes=num_bytes,
        small_dtype=options.dtype == "float32",
        batch_size=options.batch_size,
        longer_queue=service.first_slots is None,
    )


def _are_large_jpegs(options: SequenceOptions) -> bool:
    dataset = options.dataset
    if not len(dataset) or options.image.fit == Fit.FRAMED:
        return False
    rows = {int(row) for row in np.linspace(0, len(dataset) - 1, NUM_LOOKED_AT)}
    sizes = list(_jpeg_sizes([dataset.paths[row] for row in sorted(rows)], dataset.root))
    if 2 * len(sizes) <= len(rows):
        return False
    wanted = options.image_sizes or [options.image_size]
    return all(
        median(size[side] for size in sizes) >= MUCH_LARGER * max(one[side] for one in wanted)
        for side in (0, 1)
    )


def _jpeg_sizes(paths: Sequence[str], root: str) -> Iterator[Size]:
    """Of those that are JPEG and can be read here."""
    for path in paths:
        file = Path(root, path)
        with suppress(OSError, ValueError):
            # What is no file, such as a pipe, may never end.
            if file.is_file():
                with file.open("rb") as opened:
                    data = opened.read(HEADER_BYTES)
                size = size_of(data) if format_of(data) == "JPEG" else None
                if size is not None:
                    yield size


def _cache_bytes(options: SequenceOptions) -> int:
    """What all samples take in a cache; 0 if the sequence cannot have one."""
    if options.image_sizes is not None or options.image.fit == Fit.FRAMED:
        return 0
    files = [one for one in options.companions if one.origin == Origin.FILES]
    images = [options.image, *(one.image(options.image) for one in files)]
    return len(options.dataset) * sum(map(_sample_bytes, images))


def _sample_bytes(image: ImageSpec) -> int:
    one = image.one_slice
    num_bytes = prod(one.shape) * np.dtype(one.dtype).itemsize + KEPT_BESIDE_BYTES
    return image.slices * aligned(num_bytes)


def _free_for_caches() -> int:
    """Half of what is free, which is what caches take if nobody says otherwise."""
    with suppress(OSError):
        for folder in folders()[:1]:
            return min([free_on(folder), *free_memory()]) // 2
    return 0
