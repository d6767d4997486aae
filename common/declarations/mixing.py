"""Declarations that make one sample of several: MixUp, CutMix, Mosaic.

The first sample is the one that is due in the epoch; the others, its partners, are drawn for it from
the whole data set. All of them go through the transforms that stand before the mixing in the list, each
with draws of its own, and the result goes through those after it. Labels are mixed in the same shares.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from feedline.common.arguments import Pair, pair
from feedline.common.declarations.base import (
    Check,
    Draws,
    Transform,
    above_zero,
    between,
    bounds_from_zero,
    declaration,
    factor_from,
)
from feedline.common.draws import beta
from feedline.common.errors import ConfigurationError

_SMALLEST_ALPHA = 1e-6
"""What Keras adds to an alpha, which must not be 0."""


def _inside(label: str, value: object) -> Pair:
    lower, upper = sorted(pair(label, value))
    if not 0 < lower <= upper < 1:
        raise ConfigurationError(f"{label} must be a pair of numbers between 0 and 1, got {value!r}")
    return lower, upper


class Patch(NamedTuple):
    """A window of one of the images, which is kept where it is or moved; whole pixels.

    Attributes
    ----------
    source : int
        Which of the images.
    from_top, from_left : int
        Where it lies in that image.
    top, left, height, width : int
        Where it comes to lie.
    """

    source: int
    from_top: int
    from_left: int
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Mixing(Transform):
    """Makes one sample of `num_samples`."""

    _MOVES: ClassVar[bool] = True
    _NUM_SAMPLES: ClassVar[int] = 2

    @property
    def num_samples(self) -> int:
        """How many samples become one."""
        return self._NUM_SAMPLES


@dataclass(frozen=True, slots=True)
class Collage(Mixing, ABC):
    """A mixing that pastes patches of the images side by side, or over each other."""

    @abstractmethod
    def patches(self, draws: Draws, size: tuple[int, int]) -> list[Patch]:
        """What lies where in the result, of images of `size`; a later patch hides an earlier one."""


@declaration
class MixUp(Mixing):
    """Blend two images and their labels, as ``keras.layers.MixUp`` (Zhang et al., arXiv 1710.09412).

    Parameters
    ----------
    alpha : float
        Above 0: the share of the first image is drawn from the distribution Beta(alpha, alpha). Small: one
        of the two prevails; 1: every share is as likely.
    """

    alpha: float = 0.2

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"alpha": 1.0}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"alpha": above_zero}

    def share(self, draws: Draws) -> float:
        """Share of the first image, in [0, 1]."""
        return beta(self.alpha, draws[0])


@declaration
class CutMix(Collage):
    """Paste a rectangle of a second image over the first, as ``keras.layers.CutMix`` (arXiv 1905.04899).

    Parameters
    ----------
    factor : float or (float, float)
        In [0, 1]; a number ``f`` means ``(0, f)``. From it an alpha is drawn, and from Beta(alpha, alpha) the
        share of the first image. The rectangle has the image's ratio of sides, and lies anywhere inside it.
    """

    factor: float | Pair = 1.0

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": (1.0, 1.0)}
    _NUM_DRAWS: ClassVar[int] = 4
    _CHECKS: ClassVar[Mapping[str, Check]] = {"factor": factor_from(0.0)}

    def patches(self, draws: Draws, size: tuple[int, int]) -> list[Patch]:
        """See `Collage`; the rectangle has whole pixels."""
        share = beta(between(bounds_from_zero(self.factor), draws[0]) + _SMALLEST_ALPHA, draws[1])
        height, width = (round(math.sqrt(1.0 - share) * side) for side in size)
        top, left = int(draws[2] * (size[0] - height + 1)), int(draws[3] * (size[1] - width + 1))
        return [Patch(0, 0, 0, 0, 0, *size), Patch(1, top, left, top, left, height, width)]


@declaration
class Mosaic(Collage):
    """Put four images together so that a corner of each meets at one point (YOLOv4, arXiv 2004.10934).

    Each shows the part next to that corner, unscaled: the image at the top left its bottom right part.

    Parameters
    ----------
    offset : (float, float)
        The point lies between these shares of the height, and of the width, each strictly between 0 and 1.
    """

    offset: Pair = (0.25, 0.75)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"offset": (0.25, 0.75)}
    _NUM_DRAWS: ClassVar[int] = 2
    _NUM_SAMPLES: ClassVar[int] = 4
    _CHECKS: ClassVar[Mapping[str, Check]] = {"offset": _inside}

    def patches(self, draws: Draws, size: tuple[int, int]) -> list[Patch]:
        """See `Collage`."""
        height, width = size
        y = min(max(round(between(self.offset, draws[0]) * height), 1), height - 1)
        x = min(max(round(between(self.offset, draws[1]) * width), 1), width - 1)
        return [
            Patch(0, height - y, width - x, 0, 0, y, x),
            Patch(1, height - y, 0, 0, x, y, width - x),
            Patch(2, 0, width - x, y, 0, height - y, x),
            Patch(3, 0, 0, y, x, height - y, width - x),
        ]
