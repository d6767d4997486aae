"""Further images of each sample: a second input, an image to predict, a mask.

They lie in files of their own. Whatever moves the pixels of ``x`` moves theirs the same way, so that
they stay where they belong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from feedline.common.arguments import one_of
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import ColorMode, ImageSpec, Interpolation
from feedline.common.sample.mask_values import MaskValues


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
    values : MaskValues or None
        Of a mask: the classes of its values, if those are not the values themselves.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    name: str
    role: str
    values: MaskValues | None = None

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "role", one_of(Role, "role", self.role))
        if self.values is not None and self.role != Role.MASK:
            raise ConfigurationError(f"mask_values are for masks, and {self.name} is for {self.role}")

    def image(self, x: ImageSpec) -> ImageSpec:
        """What its files are decoded to, beside `x`: the same, but of a mask one whole number a pixel."""
        if self.role != Role.MASK:
            return replace(x, slices=1)
        dtype = "uint16" if x.dtype == "uint16" else "uint8"
        mode = self.values or ColorMode.CLASSES
        return ImageSpec(x.height, x.width, mode, Interpolation.NEAREST, x.fit, dtype)

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        return [self.name, str(self.role), None if self.values is None else self.values.to_wire()]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> Companion:
        """Undo `to_wire`."""
        name, role, values = wire
        return cls(str(name), role, None if values is None else MaskValues.from_wire(values))
