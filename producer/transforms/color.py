"""Brightness, contrast, rescaling: straight tone curves, and how they are applied fast.

Keras computes in float32 and leaves the cast to the user. Here a result that stays uint8 or uint16
is rounded to the nearest whole number, so it is never further than 0.5 from Keras' float.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from common.transforms import RandomBrightness, RandomContrast, Rescaling
from producer.transforms.geometry import Action

Draws = npt.NDArray[np.float64]
Means = Callable[[], npt.NDArray[np.float64]]
Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Line:
    """``clip(scale * value + offset, lowest, highest)``.

    Attributes
    ----------
    scale : float
        The slope, the same for all channels.
    offset : float or ndarray
        Added after scaling; an array of shape (channels,) where channels differ.
    lowest, highest : float
        Results are clipped to these.
    """

    scale: float
    offset: float | npt.NDArray[np.float64]
    lowest: float = -np.inf
    highest: float = np.inf


def brightness(declaration: RandomBrightness, draws: Draws, _: Means) -> Line:
    """Add the drawn delta."""
    return Line(1.0, declaration.delta(draws), *declaration.value_range)


def contrast(declaration: RandomContrast, draws: Draws, means: Means) -> Line:
    """Stretch about the mean of each channel: (value - mean) * stretch + mean."""
    stretch = declaration.stretch(draws)
    return Line(stretch, means() * (1.0 - stretch), *declaration.value_range)


def rescaling(declaration: Rescaling, _: Draws, __: Means) -> Line:
    """Multiply and add."""
    return Line(declaration.scale, declaration.offset)


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
    return line.scale == 1.0 and np.ndim(line.offset) == 0 and line.lowest <= 0.0 and line.highest >= 255.0


def _shift(line: Line, operate: Any, number: npt.NDArray[np.float64], pixels: Pixels, out: Pixels) -> Pixels:
    if not pixels.dtype == out.dtype == np.uint8:
        return _apply(line, pixels, out)
    operate(_rows(pixels), number, dst=_rows(out), dtype=cv2.CV_8U)
    return out


def _apply(line: Line, pixels: Pixels, out: Pixels) -> Pixels:
    if pixels.dtype != np.uint8:
        return _apply_to_values(line, pixels, out)
    _look_up(line, pixels, out)
    return out


def _look_up(line: Line, pixels: npt.NDArray[np.uint8], out: Pixels) -> None:
    # 256 results are computed, and each pixel looks up its own: a fourth of the time of arithmetic.
    table = np.empty((256, np.size(line.offset)), out.dtype)
    if out.dtype == np.float32:
        table[:] = _clip(_ALL_UINT8 * line.scale + line.offset, line.lowest, line.highest)
    else:
        _apply_to_values(line, _ALL_UINT8, table)
    if table.shape[1] == 1:
        cv2.LUT(_rows(pixels), table, dst=_rows(out))
    else:
        cv2.LUT(pixels, table.reshape(1, 256, -1), dst=out)


_ALL_UINT8 = np.arange(256, dtype=np.float64)[:, np.newaxis]
"""In float64, which costs nothing for so few: Rescaling(1 / 255) is then 0/255, 1/255 ... to the last bit."""


def _apply_to_values(line: Line, values: npt.NDArray[Any], out: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # float32 throughout, as Keras: wider numbers would take twice the time.
    exact = out if out.dtype == np.float32 else np.empty(out.shape, np.float32)
    np.multiply(values, np.float32(line.scale), out=exact)
    np.add(exact, np.asarray(line.offset, np.float32), out=exact)
    if exact is out:
        return _clip(out, line.lowest, line.highest)
    limits = np.iinfo(out.dtype)
    _clip(exact, max(line.lowest, limits.min), min(line.highest, limits.max))
    np.copyto(out, np.rint(exact, out=exact), casting="unsafe")
    return out


def _clip(values: npt.NDArray[Any], lowest: float, highest: float) -> npt.NDArray[Any]:
    if np.isinf(lowest) and np.isinf(highest):
        return values
    return np.clip(values, np.float32(lowest), np.float32(highest), out=values)


def _rows(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # All channels alike: one long row per row, which OpenCV takes faster than pixels of three.
    return pixels.reshape(len(pixels), -1)
