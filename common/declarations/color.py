"""Declarations that change values where they are: brightness, contrast, rescaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from common.arguments import Pair
from common.declarations.base import Check, Draws, Transform, between, bounds_of, factor_from


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
