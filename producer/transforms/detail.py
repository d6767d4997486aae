"""Gaussian blur, sharpness, Gaussian noise, erasing.

Noise is a pure function of one draw: the draw is the key of a counter-based generator (see
`feedline.common.draws`), and 16 bits of its output, as a rank among 65,536, are one normally distributed
number.
"""

from __future__ import annotations

import math
from functools import cache, partial
from statistics import NormalDist
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.arguments import Pair
from feedline.common.declarations.detail import (
    GaussianNoise,
    RandomErasing,
    RandomGaussianBlur,
    RandomSharpness,
)
from feedline.common.draws import Purpose, raw
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.transforms.color import DEPTHS, rows
from feedline.producer.transforms.filters import clip_to, unchanged
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.geometry import for_four_channels
from feedline.producer.transforms.registry import filter_of

Box = tuple[slice, slice]
Kernel = npt.NDArray[np.float64]


@filter_of(RandomGaussianBlur)
def gaussian_blur(declaration: RandomGaussianBlur, draws: Draws, _: Size) -> Action:
    """Blur some images."""
    if not declaration.applies(draws):
        return unchanged
    across, down = (bell(declaration.kernel_size, sigma) for sigma in declaration.sigmas(draws))
    fill = for_four_channels(declaration.fill_value)
    return partial(_blur, across, down, fill, declaration.value_range)


def bell(size: int, sigma: float) -> Kernel:
    """The weights of a Gaussian, `size` of them, which add up to 1; `sigma` is in pixels."""
    places = np.arange(size) - (size - 1) / 2.0
    weights = np.exp(-0.5 * (places / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def _blur(
    across: Kernel, down: Kernel, fill: tuple[float, ...], value_range: Pair, pixels: Pixels, out: Pixels
) -> Pixels:
    # Not cv2.GaussianBlur, whose weights are rounded to a 256th.
    if any(fill):
        edge = len(across) // 2
        inside = slice(edge, -edge or None)
        around = cv2.copyMakeBorder(pixels, *(edge,) * 4, cv2.BORDER_CONSTANT, value=fill)
        np.copyto(out, cv2.sepFilter2D(around, DEPTHS[out.dtype], across, down)[inside, inside])
    else:
        cv2.sepFilter2D(pixels, DEPTHS[out.dtype], across, down, dst=out, borderType=cv2.BORDER_CONSTANT)
    return clip_to(value_range, out)


@filter_of(RandomSharpness)
def sharpness(declaration: RandomSharpness, draws: Draws, _: Size) -> Action:
    """Go to the smoothed image, or away from it; beyond the edge is black, as it is for Keras."""
    smoothness = declaration.smoothness(draws)
    kernel = smoothness * _SMOOTH
    kernel[1, 1] += 1.0 - smoothness
    return partial(_convolve, kernel, declaration.value_range)


_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13.0
"""What PIL calls SMOOTH."""


def _convolve(kernel: Kernel, value_range: Pair, pixels: Pixels, out: Pixels) -> Pixels:
    cv2.filter2D(pixels, DEPTHS[out.dtype], kernel, dst=out, borderType=cv2.BORDER_CONSTANT)
    return clip_to(value_range, out)


@filter_of(GaussianNoise)
def gaussian_noise(declaration: GaussianNoise, draws: Draws, _: Size) -> Action:
    """Add a number to each value of each channel."""
    return partial(_add_noise, declaration, float(draws[0]))


def _add_noise(declaration: GaussianNoise, draw: float, pixels: Pixels, out: Pixels) -> Pixels:
    values, result = rows(pixels), rows(out)
    noise = cv2.LUT(_ranks(draw, values.shape), _normals() * np.float32(declaration.sigma))
    cv2.add(values, noise, dst=result, dtype=DEPTHS[out.dtype])
    return clip_to(declaration.value_range, out)


@filter_of(RandomErasing)
def erasing(declaration: RandomErasing, draws: Draws, size: Size) -> Action:
    """Overwrite a box in some images."""
    across, down = declaration.box(draws, size)
    box = _inside(*down), _inside(*across)
    is_empty = any(part.start >= part.stop for part in box)
    if is_empty or not declaration.applies(draws):
        return unchanged
    if declaration.fill_value is None:
        return partial(_fill_with_noise, box, declaration.value_range, declaration.noise_draw(draws))
    return partial(_fill, box, np.clip(declaration.fill_value, *declaration.value_range))


def _inside(start: float, stop: float) -> slice:
    """The pixels at whole numbers in [start, stop)."""
    return slice(math.ceil(start), math.ceil(stop))


def _fill(box: Box, value: Any, pixels: Pixels, out: Pixels) -> Pixels:
    np.copyto(out, pixels)
    out[box] = value if out.dtype == np.float32 else np.rint(value)
    return out


def _fill_with_noise(box: Box, value_range: Pair, draw: float, pixels: Pixels, out: Pixels) -> Pixels:
    np.copyto(out, pixels)
    place = out[box]
    table = np.clip(_normals() * np.float32(value_range[1]), *value_range)
    table = (table if out.dtype == np.float32 else np.rint(table)).astype(out.dtype)
    out[box] = cv2.LUT(_ranks(draw, (len(place), place[0].size)), table).reshape(place.shape)
    return out


def normal_noise(draw: float, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Normally distributed numbers, mean 0 and deviation 1: a pure function of a draw and their number."""
    return np.asarray(cv2.LUT(_ranks(draw, shape), _normals()), np.float32)


def _ranks(draw: float, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Evenly distributed whole numbers of 16 bits, a pure function of a draw and their number."""
    num = math.prod(shape)
    words = raw(Purpose.NOISE, int(draw * 2.0**53), 0, -(-num // 4))
    return words.view(np.uint16)[:num].reshape(shape)


@cache
def _normals() -> npt.NDArray[np.float32]:
    """Normally distributed numbers by rank: where 65,536 equal parts of the distribution have their middle.

    Shape (65536, 1). They end at 4.3 standard deviations. Their own is 1 to four digits.
    """
    upper = [NormalDist().inv_cdf((rank + 0.5) / 65536) for rank in range(32768, 65536)]
    return np.array([*(-value for value in reversed(upper)), *upper], np.float32)[:, np.newaxis]
