"""Brightness, contrast, rescaling, normalization: straight tone curves, and how they are applied fast.

Keras computes in float32 and leaves the cast to the user. Here a result that stays uint8 or uint16
is rounded to the nearest whole number, so it is never further than 0.5 from Keras' float.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.declarations.color import (
    KERAS_EPSILON,
    Normalization,
    RandomBrightness,
    RandomContrast,
    RandomInvert,
    RandomPosterization,
    Rescaling,
    Solarization,
)
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.transforms.forms import Action, Line, Means
from feedline.producer.transforms.registry import filter_of, line_by_means_of, line_of


@line_of(RandomBrightness)
def brightness(declaration: RandomBrightness, draws: Draws, _: Means) -> Line:
    """Add the drawn delta."""
    return Line(1.0, declaration.delta(draws), *declaration.value_range)


@line_by_means_of(RandomContrast)
def contrast(declaration: RandomContrast, draws: Draws, means: Means) -> Line:
    """Stretch about the mean of each channel: (value - mean) * stretch + mean."""
    stretch = declaration.stretch(draws)
    return Line(stretch, means() * (1.0 - stretch), *declaration.value_range)


@line_of(Rescaling)
def rescaling(declaration: Rescaling, _: Draws, __: Means) -> Line:
    """Multiply and add."""
    return Line(declaration.scale, declaration.offset)


@line_of(Normalization)
def normalization(declaration: Normalization, _: Draws, __: Means) -> Line:
    """(value - mean) / deviation, with Keras' care not to divide by 0."""
    scale = 1.0 / np.maximum(np.sqrt(declaration.variance), KERAS_EPSILON)
    return Line(scale, -np.asarray(declaration.mean) * scale)


@filter_of(RandomPosterization)
def posterization(declaration: RandomPosterization, draws: Draws, _: Size) -> Action:
    """Bring values to 0..255, keep their upper bits, and bring them back."""
    lowest, highest = declaration.value_range
    mask = np.uint8(0xFF << (8 - declaration.bits(draws)) & 0xFF)

    def keep(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        # Multiplied before it is divided: then a whole number, of 16 bits, too, that should come out does.
        levels = np.clip((values - lowest) * 255.0 / (highest - lowest), 0.0, 255.0).astype(np.uint8)
        kept = np.asarray(levels & mask, np.float32)
        return kept * (highest - lowest) / 255.0 + lowest

    return partial(value_by_value, keep)


@filter_of(Solarization)
def solarization(declaration: Solarization, draws: Draws, _: Size) -> Action:
    """Add, clip, and invert what is not below the threshold."""
    lowest, highest = declaration.value_range
    addition, threshold = declaration.addition(draws), declaration.threshold(draws)

    def solarize(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        brighter = np.clip(values + np.float32(addition), np.float32(lowest), np.float32(highest))
        negative = np.float32(lowest + highest) - brighter
        return np.asarray(np.where(brighter < threshold, brighter, negative), np.float32)

    return partial(value_by_value, solarize)


@line_of(RandomInvert)
def invert(declaration: RandomInvert, draws: Draws, _: Means) -> Line:
    """Let the ends of the range change places, in some images."""
    lowest, highest = declaration.value_range
    return Line(-1.0, lowest + highest, lowest, highest) if declaration.applies(draws) else Line(1.0, 0.0)


def channel_means(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean of each channel, shape (channels,), of pixels of shape (height, width[, channels])."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    return np.array(cv2.mean(pixels)[:channels])


def no_means() -> npt.NDArray[np.float64]:
    """The `Means` of a curve that must not need any."""
    raise AssertionError("a transform that needs means is missing from NEED_MEANS")


def apply_line(line: Line, pixels: Pixels, out: Pixels) -> Pixels:
    """Write the curve of `pixels`, (height, width[, channels]), to `out` of that shape, and return `out`.

    A result that is not float32 is rounded, and clipped to its dtype.
    """
    return prepare_line(line)(pixels, out)


def prepare_line(line: Line) -> Action:
    """`apply_line` with all that does not depend on pixels done."""
    if not _only_shifts(line):
        return partial(_apply, line)
    delta = round(float(line.offset))
    # OpenCV is five times as fast when the number is a uint8, too. It takes four equal numbers for one,
    # or for an image of 4 x 1: then it wants to be told the dtype, and the result is the same.
    number = np.full(4, min(abs(delta), 255), np.float64)
    return partial(_shift, line, cv2.add if delta >= 0 else cv2.subtract, number)


def _only_shifts(line: Line) -> bool:
    # Saturation, which cv2.add does anyway, is then all the clipping there is.
    one_for_all = np.ndim(line.scale) == np.ndim(line.offset) == 0
    return one_for_all and line.scale == 1.0 and line.lowest <= 0.0 and line.highest >= 255.0


def _shift(line: Line, operate: Any, number: npt.NDArray[np.float64], pixels: Pixels, out: Pixels) -> Pixels:
    if not pixels.dtype == out.dtype == np.uint8:
        return _apply(line, pixels, out)
    operate(rows(pixels), number, dst=rows(out), dtype=cv2.CV_8U)
    return out


def _apply(line: Line, pixels: Pixels, out: Pixels) -> Pixels:
    return curve((line,), pixels.dtype, out.dtype)(pixels, out)


def curve(lines: tuple[Line, ...], in_dtype: npt.DTypeLike, out_dtype: npt.DTypeLike) -> Action:
    """Several curves, one after another and only then rounded, as one `Action` between two dtypes.

    Parameters
    ----------
    lines : tuple of Line
        In their order, at least one.
    in_dtype, out_dtype : dtype
        Of the pixels that will come, and of the place for the result.
    """
    if in_dtype != np.uint8:
        return partial(_apply_to_values, lines)
    # 256 results are computed, and each pixel looks up its own: a fourth of the time of arithmetic.
    num_channels = max(np.size(values) for line in lines for values in (line.scale, line.offset))
    # Floats in float64, which costs nothing for so few: Rescaling(1 / 255) is then rounded only once.
    table = np.empty((256, num_channels), np.float64 if out_dtype == np.float32 else out_dtype)
    return partial(look_up, _apply_to_values(lines, _ALL_UINT8, table).astype(out_dtype, copy=False))


def value_by_value(
    function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]], pixels: Pixels, out: Pixels
) -> Pixels:
    """Write what `function`, of floats of any shape, makes of each value to `out`, rounded to its dtype."""
    if pixels.dtype != np.uint8:
        return round_into(out, function(pixels.astype(np.float32)))
    return look_up(round_into(np.empty((256, 1), out.dtype), function(_ALL_UINT8)), pixels, out)


def look_up(table: Pixels, pixels: npt.NDArray[np.uint8], out: Pixels) -> Pixels:
    """Write to `out` what a table, shape (256, 1 or channels), has for each value of `pixels`."""
    if table.shape[1] == 1:
        cv2.LUT(rows(pixels), table, dst=rows(out))
    else:
        cv2.LUT(pixels, table.reshape(1, 256, -1), dst=out)
    return out


_ALL_UINT8 = np.arange(256, dtype=np.float32)[:, np.newaxis]


def _apply_to_values(lines: tuple[Line, ...], values: Pixels, out: Pixels) -> Pixels:
    # float32 throughout, as Keras: wider numbers would take twice the time.
    exact = out if out.dtype.kind == "f" else np.empty(out.shape, np.float32)
    for line in lines:
        np.multiply(values, np.asarray(line.scale, exact.dtype), out=exact)
        np.add(exact, np.asarray(line.offset, exact.dtype), out=exact)
        values = _clip(exact, line.lowest, line.highest)
    return out if exact is out else round_into(out, exact)


def _clip(values: npt.NDArray[Any], lowest: float, highest: float) -> npt.NDArray[Any]:
    if np.isinf(lowest) and np.isinf(highest):
        return values
    return np.clip(values, np.float32(lowest), np.float32(highest), out=values)


def round_into(out: Pixels, values: npt.NDArray[np.float32]) -> Pixels:
    """Write `values` to `out` of the same shape, rounded and clipped to its dtype, and return it."""
    cv2.add(rows(values), _NOTHING, dst=rows(out), dtype=DEPTHS[out.dtype])
    return out


_NOTHING = np.zeros(4)

DEPTHS = {
    np.dtype(np.uint8): cv2.CV_8U,
    np.dtype(np.uint16): cv2.CV_16U,
    np.dtype(np.int16): cv2.CV_16S,
    np.dtype(np.float32): cv2.CV_32F,
}
"""What OpenCV calls the dtypes of pixels."""


def rows(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Where all channels are treated alike: one long row per row, which OpenCV takes faster than pixels."""
    return pixels.reshape(len(pixels), -1)
