"""What filters share: parts of an image that fit into the cache, alpha, and pixels that stay."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from feedline.common.arguments import Pair
from feedline.producer.arrays import Pixels
from feedline.producer.transforms.forms import Action

STRIP_PIXELS = 1 << 15
"""As floats of three channels 384 KiB: measured, a whole image at once takes three times as long."""


def strips(pixels: Pixels, out: Pixels) -> Iterator[tuple[Pixels, Pixels]]:
    """Go through two images of the same height, `strip_rows` at a time."""
    step = strip_rows(pixels)
    for top in range(0, len(pixels), step):
        yield pixels[top : top + step], out[top : top + step]


def strip_rows(pixels: Pixels) -> int:
    """How many rows of an image go together; the last strip may have fewer."""
    return min(len(pixels), max(1, STRIP_PIXELS // int(pixels.shape[1])))


def unchanged(pixels: Pixels, out: Pixels) -> Pixels:
    """The `Action` that does nothing: `pixels`, in the dtype of `out`."""
    if pixels.dtype == out.dtype:
        return pixels
    np.copyto(out, pixels)
    return out


def beside_alpha(action: Action) -> Action:
    """Let an action have red, green and blue alone, where there is a fourth channel."""

    def on_colors(pixels: Pixels, out: Pixels) -> Pixels:
        if pixels.ndim == 2 or pixels.shape[2] == 3:
            return action(pixels, out)
        colors = cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB)
        out[:, :, :3] = action(colors, np.empty(colors.shape, out.dtype))
        out[:, :, 3] = pixels[:, :, 3]
        return out

    return on_colors


def clip_to(value_range: Pair, pixels: Pixels) -> Pixels:
    """Clip pixels to a range, in place, where their dtype allows more than it."""
    lowest, highest = value_range
    if np.issubdtype(pixels.dtype, np.integer):
        limits = np.iinfo(pixels.dtype)
        lowest, highest = max(limits.min, round(lowest)), min(limits.max, round(highest))
        if (lowest, highest) == (limits.min, limits.max):
            return pixels
    return np.clip(pixels, pixels.dtype.type(lowest), pixels.dtype.type(highest), out=pixels)
