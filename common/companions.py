"""Further images of each sample: a second input, an image to predict, a mask.

They lie in files of their own. Whatever moves the pixels of ``x`` moves theirs the same way, so that
they stay where they belong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from common.arguments import one_of
from common.errors import ConfigurationError
from common.image import ColorMode, ImageSpec, Interpolation


class Role(StrEnum):
    """What an image is for, and so which transforms it goes through."""

    INPUT = "input"
    """All of them, with the same draws as ``x``."""

    TARGET = "target"
    """Those that move pixels, and those that draw nothing, such as `Rescaling`."""

    MASK = "mask"
    """Those that move pixels. Each value is a class: none is computed, beyond the edge is 0."""


@dataclass(frozen=True, slots=True)
class Companion:
    """One further image of each sample.

    Attributes
    ----------
    name : str
        Of its array in the batch.
    role : str
        A `Role`.
    color_mode : str
        A `ColorMode`; a mask is ``"grayscale"``, one class number a pixel.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    name: str
    role: str
    color_mode: str = ColorMode.RGB

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "role", one_of(Role, "role", self.role))
        object.__setattr__(self, "color_mode", one_of(ColorMode, "color_mode", self.color_mode))
        if self.role == Role.MASK and self.color_mode != ColorMode.GRAYSCALE:
            raise ConfigurationError(
                "a mask holds one class number a pixel, so its color_mode is 'grayscale',"
                f" got {self.color_mode!r}"
            )

    def image(self, x: ImageSpec) -> ImageSpec:
        """What its files are decoded to, beside `x`."""
        if self.role == Role.MASK:
            x = replace(x, interpolation=Interpolation.NEAREST, jpeg_scaling=False)
        return replace(x, color_mode=self.color_mode)

    def to_wire(self) -> list[str]:
        """Plain values for msgpack."""
        return [self.name, str(self.role), str(self.color_mode)]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> Companion:
        """Undo `to_wire`."""
        name, role, color_mode = wire
        return cls(str(name), role, color_mode)
