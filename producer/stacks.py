"""Images of several files: neighbouring slices, whose channels lie one after another.

Each slice goes by itself through the same transforms, with the same draws, and is kept by itself in a
cache: it is a neighbour of its neighbours, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from common.batch import ArraySpec
from common.protocol import Sample

Pixels = npt.NDArray[Any]


def slices_of(sample: Sample) -> Iterator[Sample]:
    """Each slice of a sample as a sample of its own, with a row of its own."""
    slices = len(sample.paths)
    for place, path in enumerate(sample.paths):
        yield Sample((path,), sample.row * slices + place, sample.occurrence)


class Stack:
    """Memory for the slices of one image while they are made. Used by one thread.

    Parameters
    ----------
    image : ArraySpec
        A whole image after all transforms, of shape (height, width, channels).
    slices : int
        Of an image.
    """

    def __init__(self, image: ArraySpec, slices: int) -> None:
        height, width, channels = image.shape
        self._parts = [np.empty((height, width, channels // slices), image.dtype) for _ in range(slices)]
        # Number by number: all channels of the first slice, then those of the second ...
        self._order = [number for channel in range(channels) for number in (channel, channel)]

    def parts(self, sample: Sample) -> Iterator[tuple[Sample, Pixels]]:
        """Each slice of a sample, and where it is to be written: (height, width, channels of a slice)."""
        yield from zip(slices_of(sample), self._parts, strict=True)

    def put_together(self, out: Pixels) -> None:
        """Write the whole image to `out`, C-contiguous."""
        cv2.mixChannels(self._parts, [out], self._order)
