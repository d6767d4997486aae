"""What all declarations share: how they get their name, how arguments are checked, and what a factor is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias, TypeVar, dataclass_transform

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import Pair, factor, number, number_in, numbers, one_of, pair, pixels
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import Interpolation
from feedline.common.signatures import constructor_suggests

Draws: TypeAlias = Sequence[float] | npt.NDArray[np.float64]
"""The uniforms in [0, 1) of one sample and one transform, `Transform.num_draws` of them."""

Check: TypeAlias = Callable[[str, Any], Any]
"""(label, value) -> the value in one form; ConfigurationError, with the label, if it cannot work."""


Fill: TypeAlias = float | tuple[float, ...] | None
"""One number, or one for each channel; None leaves it to `feedline.common.declarations.filling`."""


class FillMode(StrEnum):
    """What lies beyond the edges of ``abcd``."""

    CONSTANT = "constant"  # kkkk|abcd|kkkk with k = fill_value
    NEAREST = "nearest"  # aaaa|abcd|dddd
    REFLECT = "reflect"  # dcba|abcd|dcba
    WRAP = "wrap"  # abcd|abcd|abcd


def between(bounds: Pair, draw: float) -> float:
    """Where a uniform in [0, 1) lies between two bounds."""
    return float(bounds[0] + (bounds[1] - bounds[0]) * draw)


def bounds_of(factor: float | Pair) -> Pair:
    """(lower, upper) of a factor: of a number f it is (-|f|, |f|)."""
    if isinstance(factor, tuple):
        return min(factor), max(factor)
    return -abs(factor), abs(factor)


def bounds_from_zero(factor: float | Pair) -> Pair:
    """(lower, upper) of a factor that says how strong something is: of a number f it is (0, f)."""
    return bounds_of(factor) if isinstance(factor, tuple) else (0.0, factor)


def is_chosen(factor: float | Pair, draw: float) -> bool:
    """Whether a sample is among those to be changed.

    Keras draws a probability from the range of `factor`, then decides by it. What comes of it is a decision
    by the middle of the range, which needs one draw.
    """
    return draw < sum(bounds_from_zero(factor)) / 2.0


def factor_from(lowest: float, highest: float = 1.0) -> Check:
    """Make the check of a number or a pair in [`lowest`, `highest`]."""
    return lambda label, value: factor(label, value, lowest, highest)


def number_from(lowest: float, highest: float) -> Check:
    """Make the check of a number in [`lowest`, `highest`]."""
    return lambda label, value: number_in(label, value, lowest, highest)


def above_zero(label: str, value: Any) -> float:
    """Read a number above 0; ConfigurationError if it is none."""
    known = number(label, value)
    if known <= 0:
        raise ConfigurationError(f"{label} must be above 0, got {value!r}")
    return known


def value_range(label: str, value: Any) -> Pair:
    """Read the lowest and the highest value of a pixel; ConfigurationError if they are no range."""
    ends = pair(label, value)
    if ends[0] == ends[1]:
        raise ConfigurationError(f"{label} must have two ends that differ, got {value!r}")
    return min(ends), max(ends)


def fill_from_keras(config: Mapping[str, Any]) -> Fill:
    """Read the fill value of a layer: of its default, 0, nobody knows whether it was meant."""
    fill: float = config["fill_value"]
    return fill or None


def one_name_of(names: type[StrEnum], *allowed: StrEnum) -> Check:
    """Make the check of a value that spells a member of `names`, or one of those `allowed`."""
    return lambda label, value: one_of(names, label, value, *allowed)


SHARED_CHECKS: Mapping[str, Check] = MappingProxyType({
    **dict.fromkeys(("factor", "height_factor", "width_factor"), factor_from(-1.0)),
    **dict.fromkeys(("height", "width"), pixels),
    **dict.fromkeys(("scale", "offset"), number),
    "fill_value": numbers,
    "fill_mode": one_name_of(FillMode),
    "interpolation": one_name_of(Interpolation, Interpolation.NEAREST, Interpolation.BILINEAR),
    "value_range": value_range,
})  # fmt: skip
"""What arguments must be that several declarations have, by name."""


DEEP_RANGES: Mapping[str, Pair] = MappingProxyType({"uint16": (0, 65535), "int16": (-1024, 3071)})
"""Of pixels deeper than 8 bits: an example for each dtype."""


@dataclass(frozen=True, slots=True)
class Transform:
    """One thing that is done to every image of a job.

    `_NUM_DRAWS` says how many uniforms one sample consumes, `_CHECKS` what arguments must be that are not
    among `SHARED_CHECKS`, or are something else here, and `_EXAMPLE` with which arguments its effect is seen.
    What has an edge beyond which it looks says by `_USUAL_FILL` what is there in pictures, and has a
    `fill_value`. `_MOVES` says that pixels come to other places, `_OF_COLORS` that channels are taken for
    red, green, blue and alpha.
    """

    _EXAMPLE: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    _NUM_DRAWS: ClassVar[int] = 1
    _USUAL_FILL: ClassVar[float | None] = None
    _MOVES: ClassVar[bool] = False
    _OF_COLORS: ClassVar[bool] = False
    _CHECKS: ClassVar[Mapping[str, Check]] = MappingProxyType({})

    @classmethod
    def example(cls) -> Self:
        """One of its kind whose effect is seen: the docs draw and time it, and tests try it."""
        return cls(**cls._EXAMPLE)

    @classmethod
    def from_keras(cls, config: Mapping[str, Any], value_range: Pair) -> Transform:  # noqa: ARG003
        """Declare what the Keras layer of its name does, where Keras' code and its documentation agree.

        Parameters
        ----------
        config : mapping
            What ``get_config()`` of the layer returns, in plain numbers and texts.
        value_range : (float, float)
            Lowest and highest value of a pixel that comes in.

        Raises
        ------
        ConfigurationError
            If an argument of the layer has no counterpart.
        """
        known = {argument.name: config[argument.name] for argument in fields(cls)}
        if cls._USUAL_FILL is not None:
            known["fill_value"] = fill_from_keras(config)
        return cls(**known)

    def __post_init__(self) -> None:
        """Bring every argument into one form, or refuse it."""
        checks = {**SHARED_CHECKS, **self._CHECKS}
        for argument in fields(self):
            value = getattr(self, argument.name)
            if value is None and argument.default is None:
                continue
            label = f"{argument.name} of {type(self).__name__}"
            object.__setattr__(self, argument.name, checks[argument.name](label, value))

    @property
    def num_draws(self) -> int:
        """How many uniforms one sample consumes."""
        return self._NUM_DRAWS

    @property
    def moves(self) -> bool:
        """Whether pixels come to other places: masks and images to predict follow."""
        return self._MOVES

    @property
    def of_colors(self) -> bool:
        """Whether channels are taken for red, green, blue and alpha."""
        return self._OF_COLORS

    @property
    def without_colors(self) -> Transform:
        """What is done in its place to images to predict: their values stay."""
        return self

    @property
    def has_edge(self) -> bool:
        """Whether what lies beyond the edge of an image comes to be seen; then there is a `fill_value`."""
        return self._USUAL_FILL is not None

    @property
    def usual_fill(self) -> float:
        """What lies there in pictures, if nothing is said."""
        return self._USUAL_FILL or 0.0

    def fill_after(self, fill: tuple[float, ...]) -> tuple[float, ...]:
        """What becomes of what lies around images: one number, or one for each channel."""
        return fill

    @property
    def without_chance(self) -> Transform | None:
        """What a model is judged with in its place: itself if it draws nothing, else nothing at all."""
        return None if self.num_draws else self

    @property
    def not_followed(self) -> tuple[str, str] | None:
        """Why masks, boxes and images to predict cannot go where pixels go, and a remedy; or None."""
        return None

    def check_channels(self, channels: int) -> None:
        """Raise ConfigurationError if images of so many channels (1 to 4) cannot be taken."""

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of what comes out of an image of (height, width), in pixels."""
        return size

    def output_dtype(self, dtype: str) -> str:
        """Name the dtype of what comes out of pixels of `dtype`.

        Raises
        ------
        ConfigurationError
            If pixels of more than 8 bits would be clipped, or cannot be taken.
        """
        if dtype in DEEP_RANGES and getattr(self, "value_range", None) == (0.0, 255.0):
            raise ConfigurationError(
                f"{type(self).__name__} would clip {dtype} pixels to value_range=(0, 255): "
                f"pass the range of your pixels, such as value_range={DEEP_RANGES[dtype]}"
            )
        return dtype

    def output_range(self, value_range: Pair) -> Pair:
        """(lowest, highest) value of a pixel that comes out, if those that come in lie in `value_range`."""
        return value_range


_HINTS = {
    "seed": "leave it out, draws follow from the seed of the BatchSequence",
    "data_format": "leave it out, channels come last",
}
"""Arguments of Keras' layers."""

DECLARATIONS: dict[str, type[Transform]] = {}
"""Every declaration by the name that travels; full once the package is imported."""

AnyTransform = TypeVar("AnyTransform", bound=Transform)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def declaration(cls: type[AnyTransform]) -> type[AnyTransform]:
    """Make a frozen dataclass with slots of a class, and enter it under its name: then it is one of all.

    Raises
    ------
    TypeError
        If it has no `_EXAMPLE` of its own, or the name is taken.
    ConfigurationError
        If the example cannot work.
    """
    if "_EXAMPLE" not in vars(cls):
        raise TypeError(f"{cls.__name__} needs an _EXAMPLE: the arguments with which its effect is seen")
    if cls.__name__ in DECLARATIONS:
        raise TypeError(f"there are two declarations of the name {cls.__name__}")
    made = dataclass(frozen=True, slots=True)(cls)
    made.example()
    constructor_suggests(**_HINTS)(made)
    DECLARATIONS[made.__name__] = made
    return made


def check_takes_8_bits(transform: Transform, dtype: str) -> None:
    """Raise ConfigurationError if pixels of `dtype` have more than 8 bits."""
    if dtype in DEEP_RANGES:
        raise ConfigurationError(f"{transform} takes pixels of 8 bits, got {dtype}: ask for dtype='uint8'")


def check_has_colors(transform: Transform, channels: int) -> None:
    """Raise ConfigurationError if images of so many channels are grey, or two windows of a CT."""
    if channels < 3:
        raise ConfigurationError(
            f"{type(transform).__name__} changes colours, and images without red, green and blue have none: "
            'ask for color_mode="rgb", or leave it out'
        )


def check_one_each(label: str, values: float | tuple[float, ...], channels: int) -> None:
    """Raise ConfigurationError unless there is one number, or one for each channel."""
    if isinstance(values, tuple) and len(values) != channels:
        raise ConfigurationError(
            f"{label} must be one number, or one for each of {channels} channels, got {len(values)}: {values}"
        )
