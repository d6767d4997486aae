"""What the widely used Keras YOLOv3 generator does to an image, literally: Pillow, matplotlib, float64.

A second implementation, written to be read beside the original (``get_random_data`` in ``yolo3/utils.py`` of
qqwweee/keras-yolo3), of one photograph and eleven recorded draws, in the order in which it draws them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image

Array = npt.NDArray[Any]


def letterboxed(photograph: Array, canvas: tuple[int, int]) -> Array:
    """uint8 of shape (*canvas, 3): no draws, no colours."""
    image = Image.fromarray(photograph)
    scale = min(canvas[1] / image.width, canvas[0] / image.height)
    width, height = int(image.width * scale), int(image.height * scale)
    corner = (canvas[1] - width) // 2, (canvas[0] - height) // 2
    return np.array(on_canvas(image, (width, height), corner, canvas))


def placed(photograph: Array, canvas: tuple[int, int], draws: Array, jitter: float = 0.3) -> Array:
    """uint8 of shape (*canvas, 3), before colours, by the first six draws."""
    numerator, denominator, scale, left, top, flip = draws[:6]
    ratio = canvas[1] / canvas[0] * uniform(1 - jitter, 1 + jitter, numerator)
    ratio = ratio / uniform(1 - jitter, 1 + jitter, denominator)
    scale = uniform(0.25, 2, scale)
    if ratio < 1:
        height = int(scale * canvas[0])
        width = int(height * ratio)
    else:
        width = int(scale * canvas[1])
        height = int(width / ratio)
    corner = int(uniform(0, canvas[1] - width, left)), int(uniform(0, canvas[0] - height, top))
    image = on_canvas(Image.fromarray(photograph), (width, height), corner, canvas)
    if flip < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.array(image)


def distorted(image: Array, draws: Array, hue: float = 0.1, most: tuple[float, float] = (1.5, 1.5)) -> Array:
    """float64 in 0..1, by the last five draws."""
    rest: Iterator[float] = iter(draws[6:])
    turn = uniform(-hue, hue, next(rest))
    factors = []
    for highest in most:
        coin, draw = next(rest), next(rest)
        factor = uniform(1, highest, draw)
        factors.append(factor if coin < 0.5 else 1 / factor)
    hsv = rgb_to_hsv(image / 255.0)
    hues = hsv[..., 0] + turn
    hues[hues > 1] -= 1
    hues[hues < 0] += 1
    scaled = hsv[..., 1:] * factors
    return np.asarray(hsv_to_rgb(np.dstack([hues, scaled]).clip(0, 1)))


def augmented(photograph: Array, canvas: tuple[int, int], draws: Array) -> Array:
    """float64 in 0..1, shape (*canvas, 3): all of it."""
    return distorted(placed(photograph, canvas, draws), draws)


def on_canvas(
    image: Image.Image, size: tuple[int, int], corner: tuple[int, int], canvas: tuple[int, int]
) -> Image.Image:
    grey = Image.new("RGB", (canvas[1], canvas[0]), (128, 128, 128))
    grey.paste(image.resize(size, Image.Resampling.BICUBIC), corner)
    return grey


def uniform(lowest: float, highest: float, draw: float) -> float:
    return float(draw * (highest - lowest) + lowest)
