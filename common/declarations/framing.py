"""Declarations that bring a file of any size to the size of the batch, in place of the plain resize.

One of them may stand first in a list of transforms, and nowhere else: what comes after it, and after
the plain resize, gets images that all have one size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from feedline.common.arguments import Pair, pair
from feedline.common.declarations.base import Check, Draws, Transform, between, declaration, one_name_of
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import Interpolation


@dataclass(frozen=True, slots=True)
class Framing(Transform):
    """Takes the whole image of a file, and gives one of ``image_size``."""

    _MOVES: ClassVar[bool] = True


def _positive(label: str, value: object, highest: float) -> Pair:
    lower, upper = sorted(pair(label, value))
    if lower <= 0 or upper > highest:
        limit = "" if math.isinf(highest) else f" and at most {highest:g}"
        raise ConfigurationError(f"{label} must be a pair of numbers above 0{limit}, got {value!r}")
    return lower, upper


@declaration
class RandomResizedCrop(Framing):
    """Cut out a window of random area and ratio of sides, and resize it, as torchvision's of that name.

    Parameters
    ----------
    scale : (float, float)
        Area of the window as a share of the image, above 0 and at most 1.
    ratio : (float, float)
        Width by height of the window, above 0. torchvision draws until a window fits into the image; here
        only ratios are drawn that do, so that each sample consumes the same number of draws.
    interpolation : {"nearest", "bilinear", "bicubic", "area"}
        Of the resize.
    """

    scale: Pair = (0.08, 1.0)
    ratio: Pair = (3 / 4, 4 / 3)
    interpolation: str = Interpolation.BILINEAR

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"scale": (0.2, 0.8)}
    _NUM_DRAWS: ClassVar[int] = 4
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "scale": lambda label, value: _positive(label, value, 1.0),
        "ratio": lambda label, value: _positive(label, value, math.inf),
        "interpolation": one_name_of(Interpolation),
    }

    def window(self, draws: Draws, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of the window in an image of `size`, in pixels."""
        area = between(self.scale, draws[0]) * size[0] * size[1]
        narrowest, widest = area / size[0] ** 2, size[1] ** 2 / area
        lower, upper = (min(max(ratio, narrowest), widest) for ratio in self.ratio)
        ratio = math.exp(between((math.log(lower), math.log(upper)), draws[1]))
        height = min(max(round(math.sqrt(area / ratio)), 1), size[0])
        width = min(max(round(math.sqrt(area * ratio)), 1), size[1])
        top, left = int(draws[2] * (size[0] - height + 1)), int(draws[3] * (size[1] - width + 1))
        return top, left, height, width
