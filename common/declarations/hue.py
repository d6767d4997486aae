"""Declarations that change the colours of a pixel: saturation, hue, grayscale, colour jitter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from feedline.common.arguments import Pair
from feedline.common.declarations.base import (
    Check,
    Draws,
    Transform,
    between,
    bounds_from_zero,
    check_has_colors,
    declaration,
    factor_from,
    number_from,
)
from feedline.common.declarations.color import KERAS_EPSILON, RandomBrightness, RandomContrast

SATURATION = factor_from(-1.0)
"""What a factor of saturation must be."""


@dataclass(frozen=True, slots=True)
class _OfColors(Transform):
    """What only images with colours have; an alpha channel is left as it is."""

    _OF_COLORS: ClassVar[bool] = True

    def check_channels(self, channels: int) -> None:
        """Colours must be there."""
        check_has_colors(self, channels)


@declaration
class RandomGrayscale(Transform):
    """Take the colour out of some images, as ``keras.layers.RandomGrayscale``.

    Parameters
    ----------
    factor : float
        The share of images, in [0, 1]. Red, green and blue become
        0.2989 red + 0.5870 green + 0.1140 blue; alpha, and an image of one channel, stay.
    """

    factor: float = 0.5

    _OF_COLORS: ClassVar[bool] = True
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 0.4}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": number_from(0.0, 1.0)}

    def applies(self, draws: Draws) -> bool:
        """Whether this sample becomes grey."""
        return bool(draws[0] < self.factor)


@declaration
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

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": (0.0, 0.8)}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": SATURATION}

    def times(self, draws: Draws) -> float:
        """By how much saturation, in [0, 1], is multiplied: f / (1 - f), 0 for a negative f."""
        factor = between(bounds_from_zero(self.factor), draws[0])
        return max(0.0, factor / (1.0 - factor + KERAS_EPSILON))


@declaration
class RandomColorDegeneration(_OfColors):
    """Make colours paler, as ``keras.layers.RandomColorDegeneration`` is documented.

    Parameters
    ----------
    factor : float or (float, float)
        How much of the way to grey a pixel goes: 0 changes nothing, 1 is grey; ``f`` means ``(0, f)``. A
        pair may begin at -1: below 0 colours become stronger. The code of Keras 3.15 reads ``f`` as
        ``(-f, f)``.
    value_range : (float, float)
        See the top of the file.
    """

    factor: float | Pair
    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 1.0}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": SATURATION}

    def share(self, draws: Draws) -> float:
        """How much grey there is in what comes out, in [-1, 1]."""
        return between(bounds_from_zero(self.factor), draws[0])


@declaration
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

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 1.0}
    _NUM_DRAWS: ClassVar[int] = 2
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0)}

    def turn(self, draws: Draws) -> float:
        """Turns of the circle, in [-0.5, 0.5]; a third takes red to green."""
        sign = 1.0 if draws[0] < 0.5 else -1.0
        return 0.5 * sign * between(bounds_from_zero(self.factor), draws[1])


@declaration
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

    _OF_COLORS: ClassVar[bool] = True
    _EXAMPLE: ClassVar[Mapping[str, Any]] = {
        "brightness_factor": 0.2,
        "contrast_factor": 0.4,
        "saturation_factor": (0.3, 0.7),
        "hue_factor": 0.2,
    }
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "brightness_factor": factor_from(-1.0),
        "contrast_factor": factor_from(0.0),
        "saturation_factor": SATURATION,
        "hue_factor": factor_from(0.0),
    }

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], _: Pair) -> RandomColorJitter:
        """See `Transform`; each number means the range that the code of Keras 3.15 reads it as."""
        factors = {name: _range_in_keras(name, config[name]) for name in cls._CHECKS}
        return cls(config["value_range"], **factors)

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


def _range_in_keras(name: str, factor: Any) -> Any:
    """(lower, upper) that the code of Keras 3.15 draws a factor of colour jitter from; None is left out."""
    if factor is None or np.ndim(factor):
        return factor
    lowest = 0.0 if name in {"contrast_factor", "hue_factor"} else -factor
    return lowest, factor
