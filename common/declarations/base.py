"""What all declarations share: how arguments are checked, and what a factor is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import Pair, factor, number, number_in, one_of, pair, pixels
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import Interpolation

Draws: TypeAlias = Sequence[float] | npt.NDArray[np.float64]
"""The uniforms in [0, 1) of one sample and one transform, `Transform.num_draws` of them."""

Check: TypeAlias = Callable[[str, Any], Any]
"""(label, value) -> the value in one form; ConfigurationError, with the label, if it cannot work."""


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


def factor_from(lowest: float, highest: float = 1.0) -> Check:
    """Make the check of a number or a pair in [`lowest`, `highest`]."""
    return lambda label, value: factor(label, value, lowest, highest)


def number_from(lowest: float, highest: float) -> Check:
    """Make the check of a number in [`lowest`, `highest`]."""
    return lambda label, value: number_in(label, value, lowest, highest)


def value_range(label: str, value: Any) -> Pair:
    """Read the lowest and the highest value of a pixel; ConfigurationError if they are no range."""
    ends = pair(label, value)
    if ends[0] == ends[1]:
        raise ConfigurationError(f"{label} must have two ends that differ, got {value!r}")
    return min(ends), max(ends)


def one_name_of(names: type[StrEnum], *allowed: StrEnum) -> Check:
    """Make the check of a value that spells a member of `names`, or one of those `allowed`."""
    return lambda label, value: one_of(names, label, value, *allowed)


SHARED_CHECKS: Mapping[str, Check] = MappingProxyType({
    **dict.fromkeys(("factor", "height_factor", "width_factor"), factor_from(-1.0)),
    **dict.fromkeys(("height", "width"), pixels),
    **dict.fromkeys(("fill_value", "scale", "offset"), number),
    "fill_mode": one_name_of(FillMode),
    "interpolation": one_name_of(Interpolation, Interpolation.NEAREST, Interpolation.BILINEAR),
    "value_range": value_range,
})  # fmt: skip
"""What arguments must be that several declarations have, by name."""


@dataclass(frozen=True, slots=True)
class Transform:
    """One thing that is done to every image of a job.

    `_NUM_DRAWS` says how many uniforms one sample consumes, `_CHECKS` what arguments must be that are not
    among `SHARED_CHECKS`, or are something else here.
    """

    _NUM_DRAWS: ClassVar[int] = 1
    _CHECKS: ClassVar[Mapping[str, Check]] = MappingProxyType({})

    def __post_init__(self) -> None:
        """Bring every argument into one form, or refuse it."""
        checks = {**SHARED_CHECKS, **self._CHECKS}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            label = f"{field.name} of {type(self).__name__}"
            object.__setattr__(self, field.name, checks[field.name](label, value))

    @property
    def num_draws(self) -> int:
        """How many uniforms one sample consumes."""
        return self._NUM_DRAWS

    @property
    def without_chance(self) -> Transform | None:
        """What a model is judged with in its place: itself if it draws nothing, else nothing at all."""
        return None if self.num_draws else self

    def check_channels(self, channels: int) -> None:
        """Raise ConfigurationError if images of so many channels (1 to 4) cannot be taken."""

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of what comes out of an image of (height, width), in pixels."""
        return size


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
