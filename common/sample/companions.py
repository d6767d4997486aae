"""Further images of each sample: a second input, an image to predict, a mask.

They lie in files of their own. Whatever moves the pixels of ``x`` moves theirs the same way, so that
they stay where they belong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from feedline.common.arguments import one_of
from feedline.common.sample.image import ColorMode, ImageSpec, Interpolation


class Role(StrEnum):
    """What an image is for, and so which transforms it goes through."""

    INPUT = "input"
    """All of them, with the same draws as ``x``."""

    TARGET = "target"
    """Those that move pixels, and those that draw nothing, such as `Rescaling`."""

    MASK = "mask"
    """Those that move pixels. Each value is a class: none is computed."""


@dataclass(frozen=True, slots=True)
class Companion:
    """One further image of each sample.

    Attributes
    ----------
    name : str
        Of its array in the batch.
    role : str
        A `Role`.
    fill : int
        Of a mask: the class of what lies beyond its edges.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    name: str
    role: str
    fill: int = 0

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "role", one_of(Role, "role", self.role))

    def image(self, x: ImageSpec) -> ImageSpec:
        """What its files are decoded to, beside `x`: the same, but of a mask one whole number a pixel."""
        if self.role != Role.MASK:
            return replace(x, slices=1)
        dtype = "uint16" if x.dtype == "uint16" else "uint8"
        size = x.height, x.width
        return ImageSpec(*size, ColorMode.CLASSES, Interpolation.NEAREST, x.fit, dtype, fill=self.fill)

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        return [self.name, str(self.role), self.fill]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> Companion:
        """Undo `to_wire`."""
        name, role, fill = wire
        return cls(str(name), role, fill)
