"""Masks whose numbers are hardly classes: a JPEG's, or 0 and 255 alone."""

from __future__ import annotations

import logging

from feedline.common.formats.data import Data
from feedline.common.formats.names import format_of
from feedline.common.sample.image import ColorMode, ImageSpec
from feedline.producer.arrays import Pixels
from feedline.producer.building.warns_once import WarnsOnce

logger = logging.getLogger(__name__)

_WHITE = 255


class ClassWatch:
    """Warns of the first mask that holds other numbers than classes, where its numbers are the classes.

    Parameters
    ----------
    image : ImageSpec
        What files are decoded to. Of masks whose values are named, nothing is said.
    """

    def __init__(self, image: ImageSpec) -> None:
        self._holds_classes = image.color_mode == ColorMode.CLASSES
        # Who fills with class 255 knows that there is one.
        self._may_be_white = image.fill != _WHITE
        self._first = WarnsOnce(logger, "mask values")

    def look_at(self, data: Data, path: str, pixels: Pixels) -> None:
        """Look at a file that could be decoded, and at its pixels."""
        if not self._holds_classes or self._first.has_warned:
            return
        if format_of(data) == "JPEG":
            self._first.warn(f"the mask {path} is a JPEG, which changes numbers: save masks as PNG.")
        elif self._may_be_white and self._is_black_and_white(pixels):
            self._first.warn(
                f"the mask {path} holds 0 and 255 and nothing else: mask_values={{255: 1}} of the dataset"
                " makes them classes 0 and 1. Leave it if 255 is what your loss ignores."
            )

    def _is_black_and_white(self, pixels: Pixels) -> bool:
        """Whether these are 0 and 255 alone; the first other number ends the search: there are classes."""
        highest = pixels.max()
        if highest == 0:
            return False
        self._may_be_white = highest == _WHITE and bool(((pixels == 0) | (pixels == _WHITE)).all())
        return self._may_be_white and not pixels.all()
