"""Auto contrast and equalization: curves that depend on how the values of an image are distributed.

Equalization is that of R. C. Gonzalez and R. E. Woods, "Digital Image Processing", with the lowest value that
is there at the lower end of the range, as in Keras, OpenCV and PIL.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.arguments import Pair
from feedline.common.declarations.histogram import AutoContrast, Equalization
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.transforms.color import apply_line, look_up, round_into
from feedline.producer.transforms.filters import strips
from feedline.producer.transforms.forms import Action, Line
from feedline.producer.transforms.registry import filter_of

Whole = npt.NDArray[np.int64]
"""Numbers of bins, or of the values in them."""


@filter_of(AutoContrast)
def auto_contrast(declaration: AutoContrast, _: Draws, __: Size) -> Action:
    """Bring the lowest and the highest value of each channel to the ends of the range."""
    return partial(_stretch, declaration.value_range)


def _stretch(value_range: Pair, pixels: Pixels, out: Pixels) -> Pixels:
    lowest, highest = value_range
    low, high = extremes(pixels)
    varies = high > low
    scale = np.where(varies, (highest - lowest) / np.where(varies, high - low, 1.0), 1.0)
    offset = np.where(varies, lowest - low * scale, 0.0)
    return apply_line(Line(scale, offset, lowest, highest), pixels, out)


def extremes(pixels: Pixels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The lowest and the highest value of each channel, each of shape (channels,)."""
    width = pixels.shape[1]
    low, high = (cv2.reduce(pixels, 0, which) for which in (cv2.REDUCE_MIN, cv2.REDUCE_MAX))
    return (
        low.reshape(width, -1).min(axis=0).astype(np.float64),
        high.reshape(width, -1).max(axis=0).astype(np.float64),
    )


@filter_of(Equalization)
def equalization(declaration: Equalization, _: Draws, __: Size) -> Action:
    """Replace each value with the share of values of its channel that are not above it."""
    return partial(_equalize, declaration.value_range, declaration.bins)


def _equalize(value_range: Pair, bins: int, pixels: Pixels, out: Pixels) -> Pixels:
    histograms = _histograms(pixels, value_range, bins)
    curves = np.array([_equalizing(histogram, value_range) for histogram in histograms], np.float32)
    stays = np.count_nonzero(histograms, axis=1) <= 1
    own = bins * np.arange(len(curves))

    def equalized(values: Pixels) -> npt.NDArray[np.float32]:
        """Of shape (..., channels)."""
        found = curves.ravel()[levels_of(values, value_range, bins) + own]
        return np.where(stays, values, found).astype(np.float32, copy=False)

    if pixels.dtype == np.uint8:
        table = equalized(np.tile(_ALL_UINT8[:, np.newaxis], len(curves)))
        return look_up(round_into(np.empty(table.shape, out.dtype), table), pixels, out)
    for strip, place in strips(pixels, out):
        round_into(place, equalized(strip.reshape(-1, len(curves))).reshape(place.shape))
    return out


def _equalizing(histogram: Whole, value_range: Pair) -> npt.NDArray[np.float64]:
    """What the values of each bin become, shape (bins,): one of 256 levels, in the range."""
    lowest, highest = value_range
    up_to = np.cumsum(histogram)
    fewest = up_to[np.argmax(up_to > 0)]
    levels = np.rint(np.maximum(up_to - fewest, 0) * 255.0 / max(1, up_to[-1] - fewest))
    return np.asarray(levels * (highest - lowest) / 255.0 + lowest)


def _histograms(pixels: Pixels, value_range: Pair, bins: int) -> Whole:
    """How many values of each channel are in each bin, shape (channels, bins)."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    own = bins * np.arange(channels)
    counts = np.zeros(channels * bins, np.int64)
    if pixels.dtype == np.uint8:
        each = [cv2.calcHist([pixels], [channel], None, [256], [0, 256]) for channel in range(channels)]
        places = levels_of(_ALL_UINT8, value_range, bins) + own[:, np.newaxis]
        np.add.at(counts, places, np.reshape(each, (channels, 256)).astype(np.int64))
    else:
        for strip, _ in strips(pixels, pixels):
            levels = levels_of(strip.reshape(-1, channels), value_range, bins) + own
            counts += np.bincount(levels.ravel(), minlength=counts.size)
    return counts.reshape(channels, bins)


def levels_of(values: Pixels, value_range: Pair, bins: int = 256) -> Whole:
    """In which of `bins` equal steps of a range each value is; in the last is only its upper end."""
    if values.dtype == np.uint8:
        return _levels(_ALL_UINT8, value_range, bins)[values]
    return _levels(values, value_range, bins)


def _levels(values: Pixels, value_range: Pair, bins: int) -> Whole:
    lowest, highest = value_range
    places = (values.astype(np.float64) - lowest) * (bins - 1) / (highest - lowest)
    # A float32 that was made of a whole number may lie a last bit below the level that it stands for.
    return np.clip(places + bins * np.finfo(np.float32).eps, 0, bins - 1).astype(np.int64)


_ALL_UINT8 = np.arange(256, dtype=np.uint8)
