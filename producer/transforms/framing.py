"""Framings: the image of a file, of any size, becomes one of the size of the batch."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from feedline.common.declarations.framing import RandomResizedCrop
from feedline.common.sample.image import Interpolation, Size
from feedline.producer.arrays import Draws, Matrix, Pixels
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.registry import framing_of


@framing_of(RandomResizedCrop)
def resized_crop(
    declaration: RandomResizedCrop, draws: Draws, size: Size, out_size: Size
) -> tuple[Action, Matrix]:
    """Cut out the window and resize it."""
    window = declaration.window(draws, size)
    flag = _RESIZE[declaration.interpolation]
    return partial(_resize_window, window, out_size, flag), matrix_of_window(window, out_size)


def matrix_of_window(window: tuple[float, float, float, float], out_size: Size) -> Matrix:
    """Where points go when a window (top, left, height, width) is resized to `out_size`."""
    top, left, height, width = window
    down, right = out_size[0] / height, out_size[1] / width
    return np.array([[right, 0.0, -left * right], [0.0, down, -top * down], [0.0, 0.0, 1.0]])


_RESIZE: dict[str, int] = {
    Interpolation.NEAREST: cv2.INTER_NEAREST_EXACT,
    Interpolation.BILINEAR: cv2.INTER_LINEAR,
    Interpolation.BICUBIC: cv2.INTER_CUBIC,
    Interpolation.AREA: cv2.INTER_AREA,
}


def _resize_window(
    window: tuple[int, int, int, int], out_size: Size, flag: int, pixels: Pixels, out: Pixels
) -> Pixels:
    top, left, height, width = window
    part = pixels[top : top + height, left : left + width]
    return cv2.resize(part, out_size[::-1], dst=out, interpolation=flag)
