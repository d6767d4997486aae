"""Arrays of any kind as pixels that a screen shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Pixels = npt.NDArray[np.uint8]

MOST_CHANNELS = 8
"""Of an image with more channels, the first are shown, each by itself."""

IGNORED = 255
"""What masks often hold where there is nothing to learn; shown grey."""

_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
"""What images of floats often lie in, the narrowest first."""

# Matplotlib's "tab10" without its grey, as bytes: ten classes that are told apart.
CLASS_COLOURS = np.array(
    [
        (255, 127, 14),
        (31, 119, 180),
        (44, 160, 44),
        (214, 39, 40),
        (148, 103, 189),
        (140, 86, 75),
        (227, 119, 194),
        (188, 189, 34),
        (23, 190, 207),
    ],
    np.uint8,
)
"""Shape (9, 3), RGB. Class n has the colour n modulo 9."""


@dataclass(frozen=True, slots=True)
class Shades:
    """Which value is black, and which is white.

    Attributes
    ----------
    black, white : float
        Values outside are cut off.
    """

    black: float
    white: float

    @classmethod
    def of(cls, images: Iterable[Array], *, hounsfield: bool = False) -> Shades:
        """Choose them for some images of one kind, all alike.

        Whole numbers without a sign are shown as they are, Hounsfield units from air to dense bone, floats in
        the narrowest of [0, 1], [-1, 1] and [0, 255] that holds them all, anything else from the least to
        the greatest value.
        """
        listed = list(images)
        if hounsfield:
            return cls(-1000.0, 1000.0)
        kind = listed[0].dtype
        if kind.kind == "u" or kind == np.bool_:
            return cls(0.0, 1.0 if kind == np.bool_ else float(np.iinfo(kind).max))
        low = float(min(image.min() for image in listed))
        high = float(max(image.max() for image in listed))
        for black, white in _RANGES if kind.kind == "f" else ():
            if black <= low and high <= white:
                return cls(black, white)
        return cls(low, high)

    def pixels(self, image: Array) -> Pixels:
        """Make bytes of an array of any shape."""
        span = (self.white - self.black) or 1.0
        share = (image.astype(np.float32) - self.black) / span
        shown: Pixels = np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)
        return shown

    @property
    def in_words(self) -> str:
        """What is black and what is white; empty where nobody would ask."""
        usual = {(0.0, 1.0), (0.0, 255.0), (0.0, 65535.0)}
        return "" if (self.black, self.white) in usual else f"{self.black:g} black, {self.white:g} white"


def planes_of(image: Pixels, *, is_colour: bool) -> list[Pixels]:
    """What to show of an image (height, width, channels): one RGB picture, or one for each channel.

    Parameters
    ----------
    image : ndarray of uint8
        With `is_colour`, of four channels the last is how opaque a pixel is: shown on white.
    is_colour : bool
        Three or four channels are red, green, blue (and opacity), and not measures of different things.

    Returns
    -------
    list of ndarray of uint8
        Each (height, width, 3).
    """
    channels = image.shape[2]
    if is_colour and channels == 3:
        return [image]
    if is_colour and channels == 4:
        opacity = image[..., 3:].astype(np.float32) / 255
        return [np.round(image[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)]
    return [np.repeat(image[..., at : at + 1], 3, axis=2) for at in range(min(channels, MOST_CHANNELS))]


def with_mask(picture: Pixels, mask: Array) -> Pixels:
    """Lay a mask of class numbers, (height, width) or with one channel, over a picture, except for class 0.

    A mask of other sides than the picture's is shown alone: nothing can be laid over it.
    """
    flat = mask.reshape(mask.shape[:2]).astype(np.int64)
    colours = CLASS_COLOURS[(flat - 1) % len(CLASS_COLOURS)]
    colours[flat == IGNORED] = 128
    if flat.shape != picture.shape[:2]:
        colours[flat == 0] = 0
        return colours
    mixed = np.round(0.45 * picture + 0.55 * colours).astype(np.uint8)
    return np.where((flat == 0)[..., None], picture, mixed)
