"""Files of more bits than their job has room for: a photograph does without them, a depth map does not."""

from __future__ import annotations

import logging

from feedline.common.formats.data import Data
from feedline.common.formats.images import bits_of
from feedline.common.sample.image import ColorMode, ImageSpec
from feedline.producer.building.warns_once import WarnsOnce

logger = logging.getLogger(__name__)


class DepthWatch:
    """Warns of the first file that loses its lower bits. Masks never do: they are refused.

    Parameters
    ----------
    image : ImageSpec
        What files are decoded to.
    """

    def __init__(self, image: ImageSpec) -> None:
        self._loses_bits = image.dtype == "uint8" and image.color_mode in _MODES
        self._first = WarnsOnce(logger, "depth")

    def look_at(self, data: Data, path: str) -> None:
        """Compare a file that could be decoded with the job."""
        if not self._loses_bits or self._first.has_warned:
            return
        bits = bits_of(data)
        if bits > 8:
            self._first.warn(
                f"{path} has {bits} bits a channel, of which the upper 8 are kept: pass dtype='uint16' to"
                " keep all, of target images in ImageOptions(dtype='uint16')."
            )


_MODES = frozenset({ColorMode.GRAYSCALE, ColorMode.RGB, ColorMode.RGBA})
