"""Further images of each sample: a second input, an image to predict, a mask.

They lie in files of their own; masks may be drawn instead. Whatever moves the pixels of ``x`` moves theirs
the same way, so that they stay where they belong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from feedline.common.arguments import dtype_name, one_of
from feedline.common.errors import ConfigurationError
from feedline.common.sample.image import (
    ColorMode,
    ImageSpec,
    Interpolation,
    Mode,
    Size,
    decoded_dtype,
    size_of,
)
from feedline.common.sample.mask_values import MaskValues
from feedline.common.signatures import constructor_suggests


class Role(StrEnum):
    """What an image is for, and so which transforms it goes through."""

    INPUT = "input"
    """All of them, with the same draws as ``x``."""

    TARGET = "target"
    """Those that move pixels, and those that draw nothing, such as `Rescaling`."""

    MASK = "mask"
    """Those that move pixels. Each value is a class: none is computed."""

    VALUES = "values"
    """Those that move pixels. What is asked for with a dtype of its own is treated so, whatever it is for."""


ROLES = (Role.INPUT, Role.TARGET, Role.MASK)
"""What a companion may be for."""


class Origin(StrEnum):
    """Where the pixels of a companion come from."""

    FILES = "files"
    """Each image has one of its own."""

    REGIONS = "regions"
    """They are drawn of what is in the ticket: see `feedline.common.sample.regions`."""


COLORS = (ColorMode.GRAYSCALE, ColorMode.RGB, ColorMode.RGBA)
COMPANION_DTYPES = ("uint8", "uint16", "float32")
"""What a further image may be, beside what ``x`` is."""


@constructor_suggests()
@dataclass(frozen=True, slots=True)
class ImageOptions:
    """In what a further image of each sample differs from ``x``; None where it does not.

    Parameters
    ----------
    color_mode : {"grayscale", "rgb", "rgba"}, optional
        Channels; not of masks, which have one.
    dtype : {"uint8", "uint16", "float32"}, optional
        With a dtype of its own an image keeps the values of its files, such as the millimetres of a depth
        map: only transforms that move pixels are applied to it. ``"uint16"`` keeps all 16 bits, ``"float32"``
        has the values of ``"uint8"``.
    image_size : (int, int), optional
        Height and width; in the ratio of the sides of ``x`` if there are transforms.
    interpolation : {"nearest", "bilinear", "bicubic", "area"}, optional
        Of the resize; not of masks, whose values are never computed.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.

    Examples
    --------
    >>> ImageOptions(color_mode="grayscale", dtype="uint16")
    ImageOptions(color_mode='grayscale', dtype='uint16', image_size=None, interpolation=None)
    """

    color_mode: str | None = None
    dtype: str | None = None
    image_size: Size | None = None
    interpolation: str | None = None

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        if self.color_mode is not None:
            one_of(ColorMode, "color_mode", self.color_mode, *COLORS)
        if self.interpolation is not None:
            one_of(Interpolation, "interpolation", self.interpolation)
        object.__setattr__(self, "dtype", dtype_name(self.dtype))
        if self.dtype is not None and self.dtype not in COMPANION_DTYPES:
            raise ConfigurationError(f"dtype must be one of {COMPANION_DTYPES}, got {self.dtype!r}")
        if self.image_size is not None:
            object.__setattr__(self, "image_size", size_of("image_size", self.image_size))

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        size = None if self.image_size is None else list(self.image_size)
        return [self.color_mode, self.dtype, size, self.interpolation]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> Self:
        """Undo `to_wire`."""
        color_mode, dtype, size, interpolation = wire
        return cls(color_mode, dtype, size, interpolation)


AS_X = ImageOptions()
"""As ``x`` in everything."""


@dataclass(frozen=True, slots=True)
class Companion:
    """One further image of each sample.

    Attributes
    ----------
    name : str
        Of its array in the batch.
    role : str
        One of `ROLES`.
    own : ImageOptions
        In what it differs from ``x``.
    values : MaskValues or None
        Of a mask: the classes of its values, if those are not the values themselves.
    fill : int
        Of a mask: the class of what lies beyond its edges.
    origin : str
        An `Origin`; only masks are drawn.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    name: str
    role: str
    own: ImageOptions = AS_X
    values: MaskValues | None = None
    fill: int = 0
    origin: str = Origin.FILES

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "role", one_of(Role, "role", self.role, *ROLES))
        object.__setattr__(self, "origin", one_of(Origin, "origin", self.origin))
        if self.origin == Origin.REGIONS and self.role != Role.MASK:
            raise ConfigurationError(f"only masks are drawn, got role={str(self.role)!r}")
        if self.values is not None and self.role != Role.MASK:
            raise ConfigurationError(f"mask_values are for masks, and {self.name} is for {self.role}")
        own = self.own
        if self.role == Role.MASK and (own.color_mode or own.interpolation or own.dtype == "float32"):
            raise ConfigurationError(
                "a mask has one whole number a pixel, and none is ever computed: it may have an image_size,"
                f' and a dtype "uint8" or "uint16", and nothing else; got {own}'
            )

    @property
    def treated_as(self) -> Role:
        """Which transforms it goes through."""
        keeps_values = self.role != Role.MASK and self.own.dtype is not None
        return Role.VALUES if keeps_values else Role(self.role)

    def image(self, x: ImageSpec) -> ImageSpec:
        """What its files are decoded to, beside `x`: the same, but of a mask one whole number a pixel."""
        height, width = self.own.image_size or x.size
        if self.role == Role.MASK:
            dtype = self.own.dtype or ("uint16" if x.dtype == "uint16" else "uint8")
            mode = self.values or ColorMode.CLASSES
            return ImageSpec(height, width, mode, Interpolation.NEAREST, x.fit, dtype, fill=self.fill)
        color_mode = self.own.color_mode or x.color_mode
        return replace(
            x,
            height=height,
            width=width,
            color_mode=color_mode,
            interpolation=self.own.interpolation or x.interpolation,
            dtype=self._decoded_dtype(x, color_mode),
            slices=1,
        )

    def _decoded_dtype(self, x: ImageSpec, color_mode: Mode) -> str:
        if self.own.dtype is not None:
            return decoded_dtype(color_mode, self.own.dtype)
        # Of Hounsfield units alone are colours another depth.
        return "uint8" if self.own.color_mode is not None and x.dtype == "int16" else x.dtype

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        values = None if self.values is None else self.values.to_wire()
        return [self.name, str(self.role), self.own.to_wire(), values, self.fill, str(self.origin)]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> Companion:
        """Undo `to_wire`."""
        name, role, own, values, fill, origin = wire
        known = None if values is None else MaskValues.from_wire(values)
        return cls(str(name), role, ImageOptions.from_wire(own), known, fill, origin)
