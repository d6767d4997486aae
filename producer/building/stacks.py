"""Images of several files: neighbouring slices, whose channels lie one after another.

Each slice goes by itself through the same transforms, with the same draws, and is kept by itself in a
cache: it is a neighbour of its neighbours, too.
"""

from __future__ import annotations

import cv2
import numpy as np

from feedline.common.batch.layout import ArraySpec
from feedline.producer.arrays import Pixels


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
        self.parts = [np.empty((height, width, channels // slices), image.dtype) for _ in range(slices)]
        # Number by number: all channels of the first slice, then those of the second ...
        self._order = [number for channel in range(channels) for number in (channel, channel)]

    def put_together(self, out: Pixels) -> None:
        """Write the whole image to `out`, C-contiguous."""
        cv2.mixChannels(self.parts, [out], self._order)
