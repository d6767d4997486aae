"""Declarations that change values where they are: brightness, contrast, colours, rescaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from feedline.common.arguments import Pair, numbers
from feedline.common.declarations.base import (
    Check,
    Draws,
    Transform,
    between,
    bounds_from_zero,
    bounds_of,
    check_has_colors,
    check_one_each,
    factor_from,
    number_from,
)
from feedline.common.errors import ConfigurationError

KERAS_EPSILON = 1e-7
"""``keras.backend.epsilon()``, unless someone sets it: it keeps Keras' layers from dividing by 0."""

SATURATION = factor_from(-1.0)
"""What a factor of saturation must be."""


@dataclass(frozen=True, slots=True)
class RandomBrightness(Transform):
    """Add one number to all channels, as ``keras.layers.RandomBrightness``.

    Parameters
    ----------
    factor : float or (float, float)
        Fraction of the value range, in [-1, 1].
    value_range : (float, float)
        See the top of the file.
    """

    factor: float | Pair
    value_range: Pair = (0.0, 255.0)

    def delta(self, draws: Draws) -> float:
        """Draw what is added, in pixel values."""
        return between(bounds_of(self.factor), draws[0]) * (self.value_range[1] - self.value_range[0])


@dataclass(frozen=True, slots=True)
class RandomContrast(Transform):
    """Stretch each channel about its mean, as ``keras.layers.RandomContrast`` is documented.

    Parameters
    ----------
    factor : float or (float, float)
        In [0, 1]; ``(lower, upper)`` draws the stretch from [1 - lower, 1 + upper], and ``f`` means
        ``(f, f)``. The code of Keras 3.15 reads ``f`` as ``(0, f)`` and sorts a pair.
    value_range : (float, float)
        See the top of the file.
    """

    factor: float | Pair
    value_range: Pair = (0.0, 255.0)

    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0)}

    def stretch(self, draws: Draws) -> float:
        """How many times as far from the mean a pixel comes to lie."""
        lower, upper = self.factor if isinstance(self.factor, tuple) else (self.factor, self.factor)
        return between((1.0 - lower, 1.0 + upper), draws[0])


@dataclass(frozen=True, slots=True)
class Rescaling(Transform):
    """Multiply by `scale` and add `offset`, as ``keras.layers.Rescaling``; the batch becomes float32.

    Parameters
    ----------
    scale, offset : float
        ``Rescaling(1 / 255)`` gives [0, 1], ``Rescaling(1 / 127.5, -1)`` gives [-1, 1].
    """

    scale: float
    offset: float = 0.0

    _NUM_DRAWS: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Normalization(Transform):
    """Subtract a mean and divide by a standard deviation, as ``keras.layers.Normalization``; makes float32.

    Parameters
    ----------
    mean, variance : float or tuple of float
        In pixel values and their square; one number, or one for each channel.
    """

    mean: float | tuple[float, ...]
    variance: float | tuple[float, ...]

    _NUM_DRAWS: ClassVar[int] = 0
    _CHECKS: ClassVar[Mapping[str, Check]] = {"mean": numbers, "variance": numbers}

    def __post_init__(self) -> None:
        """Check each argument, then whether they go together."""
        # `super()` does not work in dataclasses with slots before Python 3.14.
        Transform.__post_init__(self)
        if np.shape(self.mean) != np.shape(self.variance):
            raise ConfigurationError(
                f"mean and variance of Normalization must have as many numbers, got {self.mean} "
                f"and {self.variance}"
            )
        if np.min(self.variance) < 0.0:
            raise ConfigurationError(f"variance of Normalization must not be negative, got {self.variance}")

    def check_channels(self, channels: int) -> None:
        """There must be one number, or one for each channel."""
        check_one_each("mean of Normalization", self.mean, channels)


@dataclass(frozen=True, slots=True)
class _OfColors(Transform):
    """What only images with colours have; an alpha channel is left as it is."""

    def check_channels(self, channels: int) -> None:
        """Colours must be there."""
        check_has_colors(self, channels)


@dataclass(frozen=True, slots=True)
class RandomGrayscale(Transform):
    """Take the colour out of some images, as ``keras.layers.RandomGrayscale``.

    Parameters
    ----------
    factor : float
        The share of images, in [0, 1]. Red, green and blue become
        0.2989 red + 0.5870 green + 0.1140 blue; alpha, and an image of one channel, stay.
    """

    factor: float = 0.5

    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": number_from(0.0, 1.0)}

    def applies(self, draws: Draws) -> bool:
        """Whether this sample becomes grey."""
        return bool(draws[0] < self.factor)


@dataclass(frozen=True, slots=True)
class RandomSaturation(_OfColors):
    """Make colours paler or stronger, as ``keras.layers.RandomSaturation`` is documented.

    Parameters
    ----------
    factor : float or (float, float)
        0 is grey, 0.5 changes nothing, 1 is as colourful as can be; ``f`` means ``(0, f)``. A pair may
        begin at -1: below 0 is grey, too. The code of Keras 3.15 reads ``f`` as ``(-f, f)``.
    value_range : (float, float)
        See the top of the file.
    """

    factor: float | Pair
    value_range: Pair = (0.0, 255.0)

    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": SATURATION}

    def times(self, draws: Draws) -> float:
        """By how much saturation, in [0, 1], is multiplied: f / (1 - f), 0 for a negative f."""
        factor = between(bounds_from_zero(self.factor), draws[0])
        return max(0.0, factor / (1.0 - factor + KERAS_EPSILON))


@dataclass(frozen=True, slots=True)
class RandomHue(_OfColors):
    """Turn the circle of colours, as ``keras.layers.RandomHue``.

    Parameters
    ----------
    factor : float or (float, float)
        In [0, 1], of half a turn; ``f`` means ``(0, f)``. The direction is random.
    value_range : (float, float)
        See the top of the file.
    """

    factor: float | Pair
    value_range: Pair = (0.0, 255.0)

    _NUM_DRAWS: ClassVar[int] = 2
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0)}

    def turn(self, draws: Draws) -> float:
        """Turns of the circle, in [-0.5, 0.5]; a third takes red to green."""
        sign = 1.0 if draws[0] < 0.5 else -1.0
        return 0.5 * sign * between(bounds_from_zero(self.factor), draws[1])


@dataclass(frozen=True, slots=True)
class RandomColorJitter(Transform):
    """Brightness, contrast, saturation and hue in this order, as ``keras.layers.RandomColorJitter``.

    Parameters
    ----------
    value_range : (float, float)
        See the top of the file.
    brightness_factor, contrast_factor, saturation_factor, hue_factor : float, (float, float) or None
        What the declaration of that name takes; None leaves it out. Alpha stays as it is.
    """

    value_range: Pair = (0.0, 255.0)
    brightness_factor: float | Pair | None = None
    contrast_factor: float | Pair | None = None
    saturation_factor: float | Pair | None = None
    hue_factor: float | Pair | None = None

    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "brightness_factor": factor_from(-1.0),
        "contrast_factor": factor_from(0.0),
        "saturation_factor": SATURATION,
        "hue_factor": factor_from(0.0),
    }

    @property
    def parts(self) -> tuple[Transform, ...]:
        """The declarations that it stands for, in their order."""
        factors = {
            RandomBrightness: self.brightness_factor,
            RandomContrast: self.contrast_factor,
            RandomSaturation: self.saturation_factor,
            RandomHue: self.hue_factor,
        }
        return tuple(make(factor, self.value_range) for make, factor in factors.items() if factor is not None)

    @property
    def num_draws(self) -> int:
        """Those of its parts, one after another."""
        return sum(part.num_draws for part in self.parts)

    def check_channels(self, channels: int) -> None:
        """Colours must be there if saturation or hue is to change."""
        if self.saturation_factor is not None or self.hue_factor is not None:
            check_has_colors(self, channels)
