"""Saturation, hue, grayscale, colour jitter: what needs all three colours of a pixel at once.

Saturation and hue are coordinates of a pixel in the HSV model (A. R. Smith, "Color gamut transform
pairs", SIGGRAPH 1978), to which Keras' layers go, and from which they come back. So does this file, in
float32, so that nothing is rounded on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.arguments import Pair
from feedline.common.declarations.color import RandomBrightness, RandomContrast
from feedline.common.declarations.hue import (
    RandomColorDegeneration,
    RandomColorJitter,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.transforms import color
from feedline.producer.transforms.color import DEPTHS, channel_means, curve, round_into
from feedline.producer.transforms.filters import beside_alpha, clip_to, strip_rows, strips, unchanged
from feedline.producer.transforms.forms import Action, Line, Means
from feedline.producer.transforms.registry import filter_of

_LUMA = np.tile(np.array([0.2989, 0.5870, 0.1140]), (3, 1))
"""Keras' weights of red, green and blue, once for each channel that comes out."""

_AT_MOST = np.array([np.inf, 1.0, np.inf])
"""Of hue, saturation and value."""


@dataclass(frozen=True, slots=True)
class Shift:
    """What happens to a pixel in HSV.

    Attributes
    ----------
    value_range : (float, float)
        Where pixels lie before and after; what is beyond is clipped.
    turn : float
        Added to hue, in turns.
    times : float
        By which saturation is multiplied; it stops at 1.
    """

    value_range: Pair
    turn: float = 0.0
    times: float = 1.0

    def apply(self, lines: tuple[Line, ...], pixels: Pixels, out: Pixels) -> Pixels:
        """Write `pixels`, (height, width, 3), to `out`, after the curves of `lines`."""
        lowest, highest = self.value_range
        width = highest - lowest
        to_unit = Line(1.0 / width, -lowest / width, 0.0, 1.0)
        enter = curve((*lines, to_unit), pixels.dtype, np.float32)
        rgb, hsv = np.empty((2, strip_rows(pixels), *pixels.shape[1:]), np.float32)
        for strip, place in strips(pixels, out):
            result = self._in_hsv(enter(strip, rgb[: len(strip)]), hsv[: len(strip)])
            cv2.addWeighted(result, width, result, 0.0, lowest, dst=place, dtype=DEPTHS[out.dtype])
        return out

    def _in_hsv(self, rgb: Pixels, hsv: Pixels) -> Pixels:
        """Change `rgb`, in [0, 1], and use `hsv` on the way; the result is one of them."""
        # OpenCV takes hues beyond a whole turn, and no negative ones.
        degrees = 360.0 * (self.turn % 1.0)
        cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV, dst=hsv)
        cv2.transform(hsv, np.array([[1, 0, 0, degrees], [0, self.times, 0, 0], [0, 0, 1, 0]]), dst=rgb)
        if self.times > 1.0:
            cv2.min(rgb, _AT_MOST, dst=rgb)
        return cv2.cvtColor(rgb, cv2.COLOR_HSV2RGB, dst=hsv)


@filter_of(RandomSaturation)
def saturation(declaration: RandomSaturation, draws: Draws, _: Size) -> Action:
    """Multiply saturation."""
    shift = Shift(declaration.value_range, times=declaration.times(draws))
    return beside_alpha(partial(shift.apply, ()))


@filter_of(RandomHue)
def hue(declaration: RandomHue, draws: Draws, _: Size) -> Action:
    """Add to hue."""
    shift = Shift(declaration.value_range, turn=declaration.turn(draws))
    return beside_alpha(partial(shift.apply, ()))


@filter_of(RandomGrayscale)
def grayscale(declaration: RandomGrayscale, draws: Draws, _: Size) -> Action:
    """Give all channels the luma, in some images."""
    return beside_alpha(_gray) if declaration.applies(draws) else unchanged


def _gray(pixels: Pixels, out: Pixels) -> Pixels:
    if pixels.ndim == 2:
        return unchanged(pixels, out)
    return cv2.transform(pixels.astype(out.dtype, copy=False), _LUMA, dst=out)


@filter_of(RandomColorDegeneration)
def color_degeneration(declaration: RandomColorDegeneration, draws: Draws, _: Size) -> Action:
    """Go part of the way to the luma."""
    share = declaration.share(draws)
    weights = (1.0 - share) * np.eye(3) + share * _LUMA
    return beside_alpha(partial(_weigh, weights, declaration.value_range))


def _weigh(weights: npt.NDArray[np.float64], value_range: Pair, pixels: Pixels, out: Pixels) -> Pixels:
    """Make each channel of all three, by weights of shape (3, 3)."""
    # In floats: of whole numbers OpenCV would round the weights.
    floats, result = np.empty((2, strip_rows(pixels), *pixels.shape[1:]), np.float32)
    for strip, place in strips(pixels, out):
        np.copyto(floats[: len(strip)], strip)
        mixed = cv2.transform(floats[: len(strip)], weights, dst=result[: len(strip)])
        round_into(place, np.asarray(mixed, np.float32))
    return clip_to(value_range, out)


@filter_of(RandomColorJitter)
def color_jitter(declaration: RandomColorJitter, draws: Draws, _: Size) -> Action:
    """Do brightness, contrast, saturation and hue, those that are asked for, and round once."""
    tones: list[Callable[[Means], Line]] = []
    shift: Shift | None = None
    rest = iter(draws)
    for part in declaration.parts:
        own = np.fromiter(islice(rest, part.num_draws), np.float64)
        match part:
            case RandomBrightness():
                tones.append(partial(color.brightness, part, own))
            case RandomContrast():
                tones.append(partial(color.contrast, part, own))
            case RandomSaturation():
                shift = Shift(declaration.value_range, times=part.times(own))
            case RandomHue():
                shift = replace(shift or Shift(declaration.value_range), turn=part.turn(own))
    return beside_alpha(partial(_jitter, tones, shift))


def _jitter(tones: list[Callable[[Means], Line]], shift: Shift | None, pixels: Pixels, out: Pixels) -> Pixels:
    lines: tuple[Line, ...] = ()
    for tone in tones:
        lines = (*lines, tone(partial(_means_after, lines, pixels)))
    if shift is not None:
        return shift.apply(lines, pixels, out)
    return curve(lines, pixels.dtype, out.dtype)(pixels, out) if lines else unchanged(pixels, out)


def _means_after(lines: tuple[Line, ...], pixels: Pixels) -> npt.NDArray[np.float64]:
    """Mean of each channel, shape (channels,), of what `lines` make of `pixels`."""
    if not lines:
        return channel_means(pixels)
    apply = curve(lines, pixels.dtype, np.float32)
    scratch = np.empty((strip_rows(pixels), *pixels.shape[1:]), np.float32)
    sums = [
        len(strip) * channel_means(apply(strip, scratch[: len(strip)])) for strip, _ in strips(pixels, pixels)
    ]
    return np.asarray(np.sum(sums, axis=0) / len(pixels))
