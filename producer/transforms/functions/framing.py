"""Framings and `Resizing`: an image of any size becomes one of another size."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from feedline.common.declarations.framing import RandomResizedCrop, Resizing, Window
from feedline.common.sample.image import Interpolation, Size
from feedline.producer.arrays import MOST_PADDED_PIXELS, Draws, Matrix, Pixels
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.functions.geometry import for_four_channels
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


def _resize_window(window: Window, out_size: Size, flag: int, pixels: Pixels, out: Pixels) -> Pixels:
    top, left, height, width = window
    part = pixels[top : top + height, left : left + width]
    return cv2.resize(part, out_size[::-1], dst=out, interpolation=flag)


@framing_of(Resizing)
def resizing(declaration: Resizing, _: Draws, size: Size, out_size: Size) -> tuple[Action, Matrix]:
    """Cut out or add what keeps the ratio of sides, and resize it."""
    window = declaration.window(size)
    return partial(_resize, declaration, window), matrix_of_window(window, out_size)


def _resize(declaration: Resizing, window: Window, pixels: Pixels, out: Pixels) -> Pixels:
    if window[2] * window[3] > MOST_PADDED_PIXELS:
        return _resize_and_pad(declaration, window[2:], pixels, out)
    part = _window_of(pixels, window, for_four_channels(declaration.fill_value))
    return _resize_to(out, part, declaration.interpolation)


def _resize_and_pad(declaration: Resizing, padded: Size, pixels: Pixels, out: Pixels) -> Pixels:
    """As padding to a size and then resizing, but for the edge, which comes to lie at whole pixels.

    A strip of 30,000 x 2 pixels would be padded to gigabytes.
    """
    sizes = zip(pixels.shape[:2], padded, out.shape[:2], strict=True)
    height, width = (max(1, round(old * new / whole)) for old, whole, new in sizes)
    small = _resize_to(
        np.empty((height, width, *out.shape[2:]), out.dtype), pixels, declaration.interpolation
    )
    down, right = out.shape[0] - height, out.shape[1] - width
    above, before = down // 2, right // 2
    fill = for_four_channels(declaration.fill_value)
    edges = above, down - above, before, right - before
    return cv2.copyMakeBorder(small, *edges, cv2.BORDER_CONSTANT, dst=out, value=fill)


def _resize_to(out: Pixels, part: Pixels, interpolation: str) -> Pixels:
    if interpolation == Interpolation.NEAREST:
        return _resize_by_nearest(part, out)
    return cv2.resize(part, out.shape[1::-1], dst=out, interpolation=_RESIZE[interpolation])


def _window_of(pixels: Pixels, window: Window, fill: tuple[float, ...]) -> Pixels:
    top, left, height, width = window
    if top >= 0 and left >= 0:
        return pixels[top : top + height, left : left + width]
    return cv2.copyMakeBorder(pixels, -top, -top, -left, -left, cv2.BORDER_CONSTANT, value=fill)


def _resize_by_nearest(pixels: Pixels, out: Pixels) -> Pixels:
    # OpenCV's own is a pixel off where two are as near, which is all of them when an image is halved.
    rows, columns = (
        ((2 * np.arange(new) + 1) * old // (2 * new)).astype(np.float32)
        for old, new in zip(pixels.shape[:2], out.shape[:2], strict=True)
    )
    x, y = np.meshgrid(columns, rows)
    return cv2.remap(pixels, x, y, cv2.INTER_NEAREST, dst=out)
