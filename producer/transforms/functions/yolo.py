"""`Letterbox` and `YoloAugment`: a photograph of any size onto the canvas that the network sees.

The original computes colours in float64 and leaves them in 0..1. Here they are computed in float32: a job of
``dtype="float32"`` gets values within 0.01 of 255 times the original's, one of ``uint8`` the same, rounded.
What lies before colours is exact where Pillow resizes.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.declarations.yolo import (
    UNCHANGED,
    Distortion,
    Letterbox,
    Placement,
    Resample,
    YoloAugment,
)
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Matrix, Pixels
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.registry import framing_of

Floats = npt.NDArray[np.float32]

_ROWS_AT_ONCE = 64
"""So many rows' floats fit into a core's own cache: all of them at once take a fourth more time."""


@framing_of(Letterbox)
def letterbox(declaration: Letterbox, draws: Draws, source: Size, canvas: Size) -> tuple[Action, Matrix]:
    """What puts a photograph of size `source` on a canvas, and where its points come to lie.

    Returns
    -------
    action : callable
        (pixels, out) → out: `pixels` of shape (*source[, channels]), `out` of shape (*canvas[, channels]).
    matrix : ndarray
        Shape (3, 3), see `Placement.matrix`.
    """
    placement = declaration.placement(draws, source, canvas)
    action = partial(_place, declaration.resample, placement, _canvas(declaration))
    return action, placement.matrix(source, canvas)


@framing_of(YoloAugment)
def yolo_augment(declaration: YoloAugment, draws: Draws, source: Size, canvas: Size) -> tuple[Action, Matrix]:
    """As `letterbox`, for three channels of uint8; `out` may be uint8 or float32."""
    placement = declaration.placement(draws, source, canvas)
    distortion = declaration.distortion(draws)
    action = partial(_augment, declaration.resample, placement, _canvas(declaration), distortion)
    return action, placement.matrix(source, canvas)


def _canvas(declaration: Letterbox | YoloAugment) -> float | tuple[float, ...]:
    return declaration.usual_fill if declaration.fill_value is None else declaration.fill_value


def _place(
    resample: str, placement: Placement, fill: float | tuple[float, ...], pixels: Pixels, out: Pixels
) -> Pixels:
    out[...] = fill
    seen, window = _visible(resize(pixels, placement, resample), placement, out)
    np.copyto(window, seen)
    return out


def _augment(
    resample: str,
    placement: Placement,
    fill: float | tuple[float, ...],
    distortion: Distortion,
    pixels: Pixels,
    out: Pixels,
) -> Pixels:
    if pixels.shape[2:] != (3,) or pixels.dtype != np.uint8:
        raise ConfigurationError(
            'YoloAugment takes images of color_mode="rgb" and 8 bits, got'
            f" {pixels.shape[2] if pixels.ndim == 3 else 1} channels of {pixels.dtype}"
        )
    if distortion == UNCHANGED:
        return _place(resample, placement, fill, pixels, out)
    canvas = np.full((1, 1, 3), fill, np.uint8)
    out[...] = distort(canvas, distortion, np.empty((1, 1, 3), out.dtype))
    seen, window = _visible(resize(pixels, placement, resample), placement, out)
    distort(seen, distortion, window)
    return out


def _visible(resized: Pixels, placement: Placement, out: Pixels) -> tuple[Pixels, Pixels]:
    """What of a resized photograph is seen, mirrored or not, and the part of `out` that shows it."""
    canvas = out[:, ::-1] if placement.flips else out
    window = canvas[_shown(placement.top, placement.height), _shown(placement.left, placement.width)]
    top, left = max(-placement.top, 0), max(-placement.left, 0)
    seen = resized[top : top + window.shape[0], left : left + window.shape[1]]
    # Mirroring what is read leaves rows that are written from left to right: OpenCV takes no others.
    return (seen[:, ::-1], window[:, ::-1]) if placement.flips else (seen, window)


def _shown(start: int, length: int) -> slice:
    return slice(max(start, 0), start + length)


def resize(pixels: Pixels, placement: Placement, resample: str) -> Pixels:
    """A photograph of shape (any height, any width[, channels]) in the size of a placement."""
    size = placement.width, placement.height
    if resample == Resample.PIL:
        return _resize_with_pillow(pixels, size)
    height, width = pixels.shape[:2]
    smaller = min(width, size[0]), min(height, size[1])
    # Areas leave no pixel out, which keeps fine patterns quiet; they cannot enlarge.
    if smaller != (width, height):
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    return pixels if smaller == size else cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)


def _resize_with_pillow(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    try:
        from PIL import Image  # noqa: PLC0415 - an extra, and half a producer's own start
    except ImportError as error:
        raise ConfigurationError(
            "resample=\"pil\" needs Pillow in every producer: pip install 'feedline[pil]', or leave it out"
        ) from error
    if pixels.dtype != np.uint8:
        raise ConfigurationError(f'resample="pil" takes images of 8 bits, got {pixels.dtype}')
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def distort(pixels: Pixels, distortion: Distortion, out: Pixels) -> Pixels:
    """Change colours.

    Parameters
    ----------
    pixels : ndarray of uint8
        Shape (height, width, 3), RGB.
    distortion : Distortion
        How.
    out : ndarray of uint8 or float32
        Same shape; rounded if it is uint8, else in 0..255.
    """
    change = np.array([
        [1.0, 0.0, 0.0, 360.0 * (distortion.hue % 1.0)],
        [0.0, distortion.saturation, 0.0, 0.0],
        [0.0, 0.0, distortion.value, 0.0],
    ], np.float32)  # fmt: skip
    # Repeated along a row, because NumPy is fast only over many numbers side by side.
    highest = np.tile(_HIGHEST_HSV, (1, pixels.shape[1], 1))
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        _distort_rows(pixels[rows], change, highest, out[rows])
    return out


def _distort_rows(pixels: Pixels, change: Floats, highest: Floats, out: Pixels) -> None:
    values = np.multiply(pixels, np.float32(1 / 255), dtype=np.float32, order="C")
    hsv = cv2.cvtColor(values, cv2.COLOR_RGB2HSV)
    cv2.transform(hsv, change, dst=hsv)
    np.minimum(hsv, highest, out=hsv)
    cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=values)
    values *= 255.0
    np.copyto(out, values if out.dtype == np.float32 else np.rint(values, out=values), casting="unsafe")


_HIGHEST_HSV = np.array([720.0, 1.0, 1.0], np.float32)
"""Hue in degrees, which OpenCV takes beyond a full turn; saturation; value."""
