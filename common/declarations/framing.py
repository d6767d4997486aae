"""Declarations that bring images to a size.

A `Framing` brings a file of any size to the size of the batch, in place of the plain resize. One may stand
first in a list of transforms, and nowhere else: what comes after it, and after the plain resize, gets images
that all have one size. `Resizing` takes those to another, anywhere in a list.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeAlias

from feedline.common.arguments import Pair, pair, yes_or_no
from feedline.common.declarations.base import (
    Check,
    Draws,
    Fill,
    FillMode,
    Transform,
    between,
    declaration,
    fill_from_keras,
    one_name_of,
)
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import Fit, Interpolation, Size

Window: TypeAlias = tuple[int, int, int, int]
"""(top, left, height, width) in pixels: a part of an image, or more than all of it."""


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

    def window(self, draws: Draws, size: tuple[int, int]) -> Window:
        """(top, left, height, width) of the window in an image of `size`, in pixels."""
        area = between(self.scale, draws[0]) * size[0] * size[1]
        narrowest, widest = area / size[0] ** 2, size[1] ** 2 / area
        lower, upper = (min(max(ratio, narrowest), widest) for ratio in self.ratio)
        ratio = math.exp(between((math.log(lower), math.log(upper)), draws[1]))
        height = min(max(round(math.sqrt(area / ratio)), 1), size[0])
        width = min(max(round(math.sqrt(area * ratio)), 1), size[1])
        top, left = int(draws[2] * (size[0] - height + 1)), int(draws[3] * (size[1] - width + 1))
        return top, left, height, width


@declaration
class Resizing(Transform):
    """Bring images to another size, as ``keras.layers.Resizing``; anywhere in a list.

    Parameters
    ----------
    height, width : int
        What comes out, in pixels.
    interpolation : str
        ``"bilinear"`` looks pixels up in between, without blurring what is shrunk, as in Keras; ``"area"``
        averages; ``"nearest"`` computes no value.
    crop_to_aspect_ratio, pad_to_aspect_ratio : bool
        Keep the ratio of sides: by cutting off evenly what does not fit, or by adding evenly what lacks.
    fill_mode : str
        ``"constant"``, the only one that Keras has, too.
    fill_value : float or tuple of float, optional
        What is added.
    """

    height: int
    width: int
    interpolation: str = Interpolation.BILINEAR
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    fill_mode: str = FillMode.CONSTANT
    fill_value: Fill = None

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"height": 56, "width": 84, "pad_to_aspect_ratio": True}
    _NUM_DRAWS: ClassVar[int] = 0
    _MOVES: ClassVar[bool] = True
    _USUAL_FILL: ClassVar[float] = 0.0
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "interpolation": one_name_of(
            Interpolation, Interpolation.NEAREST, Interpolation.BILINEAR, Interpolation.AREA
        ),
        "crop_to_aspect_ratio": yes_or_no,
        "pad_to_aspect_ratio": yes_or_no,
        "fill_mode": one_name_of(FillMode, FillMode.CONSTANT),
    }

    def __post_init__(self) -> None:
        """Check each argument, then that it is told one thing."""
        Transform.__post_init__(self)
        _ = self.fit

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], _: Pair) -> Resizing:
        """See `Transform`; without Keras' filter against aliasing."""
        if config["antialias"]:
            raise ConfigurationError(
                'antialias=True cannot be carried over: use interpolation="area", which averages, too'
            )
        known = {argument.name: config[argument.name] for argument in fields(cls)}
        return cls(**known | {"fill_value": fill_from_keras(config)})

    @property
    def fit(self) -> Fit:
        """What becomes of another ratio of sides."""
        return Fit.of(
            crop_to_aspect_ratio=self.crop_to_aspect_ratio, pad_to_aspect_ratio=self.pad_to_aspect_ratio
        )

    @property
    def of_classes(self) -> Resizing:
        """The same for an image whose values are classes: none is computed."""
        return replace(self, interpolation=Interpolation.NEAREST)

    def output_size(self, _: Size) -> Size:
        """The height and width that were asked for."""
        return self.height, self.width

    def window(self, size: Size) -> Window:
        """What of an image of `size` is resized; Keras' arithmetic, which leaves out an odd pixel."""
        height, width = size
        right_height = int(width * self.height / self.width)
        right_width = int(height * self.width / self.height)
        if self.fit == Fit.CROP:
            kept = max(min(height, right_height), 1), max(min(width, right_width), 1)
            return (height - kept[0]) // 2, (width - kept[1]) // 2, *kept
        if self.fit == Fit.PAD:
            above, before = max(right_height - height, 0) // 2, max(right_width - width, 0) // 2
            return -above, -before, height + 2 * above, width + 2 * before
        return 0, 0, height, width
