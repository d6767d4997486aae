"""What a user may ask to be done to each image, and lists of it: sizes, dtypes, the form that travels.

The declarations themselves are in `feedline.common.declarations`, each with its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from math import prod
from typing import Any

from feedline.common.declarations.base import Draws, FillMode, Transform
from feedline.common.declarations.color import (
    Normalization,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
    Rescaling,
)
from feedline.common.declarations.detail import GaussianNoise, RandomErasing, RandomGaussianBlur
from feedline.common.declarations.framing import Framing, RandomResizedCrop
from feedline.common.declarations.geometry import (
    CenterCrop,
    Flip,
    FlipMode,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from feedline.common.declarations.mixing import Collage, CutMix, Mixing, MixUp, Mosaic, Patch
from feedline.common.declarations.plugins import Albumentations, Foreign, PythonTransform
from feedline.common.declarations.yolo import Letterbox, Resample, YoloAugment
from feedline.common.errors import ConfigurationError, RemoteProtocolError
from feedline.common.sample.image import Interpolation
from feedline.common.user_code import Arguments

__all__ = [
    "DECLARATIONS",
    "Albumentations",
    "CenterCrop",
    "Collage",
    "CutMix",
    "Draws",
    "FillMode",
    "Flip",
    "FlipMode",
    "Foreign",
    "Framing",
    "GaussianNoise",
    "Interpolation",
    "Letterbox",
    "MixUp",
    "Mixing",
    "Mosaic",
    "Normalization",
    "Patch",
    "PythonTransform",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSaturation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Rescaling",
    "Transform",
    "YoloAugment",
    "check_channels",
    "check_order",
    "from_wire",
    "is_framed",
    "num_draws",
    "num_sources",
    "output_dtype",
    "output_size",
    "to_wire",
]

DECLARATIONS: dict[str, type[Transform]] = {
    declaration.__name__: declaration
    for declaration in (
        Flip,
        RandomFlip,
        RandomRotation,
        RandomTranslation,
        RandomZoom,
        RandomShear,
        RandomCrop,
        CenterCrop,
        RandomBrightness,
        RandomContrast,
        RandomSaturation,
        RandomHue,
        RandomColorJitter,
        RandomGrayscale,
        RandomGaussianBlur,
        GaussianNoise,
        RandomErasing,
        Rescaling,
        Normalization,
        RandomResizedCrop,
        Letterbox,
        YoloAugment,
        MixUp,
        CutMix,
        Mosaic,
        PythonTransform,
        Albumentations,
    )
}
"""Every declaration by the name that travels. `feedline.producer.transforms.registry` says what each does."""

DTYPES = ("uint8", "uint16", "int16", "float32")
"""What a job may ask for; float32 is decoded as uint8, Hounsfield units as int16, and keeps its range until
one of `MAKE_FLOATS`."""

MAKE_FLOATS = (Rescaling, Normalization)
"""What comes out of these is no whole number in the range of pixels any more."""

_RANGES = {"uint16": "(0, 65535)", "int16": "(-1024, 3071)"}
"""Of pixels deeper than 8 bits: an example for each dtype."""


def num_draws(transforms: Iterable[Transform]) -> int:
    """How many uniforms one sample consumes in all."""
    return sum(transform.num_draws for transform in transforms)


def is_framed(transforms: Sequence[Transform]) -> bool:
    """Whether a framing, which does its own resize, stands first."""
    return bool(transforms) and isinstance(transforms[0], Framing)


def num_sources(transforms: Iterable[Transform]) -> int:
    """How many samples become one."""
    return prod(transform.num_samples for transform in transforms if isinstance(transform, Mixing))


def check_order(transforms: Sequence[Transform]) -> None:
    """Raise a ConfigurationError if a framing stands anywhere but at the beginning."""
    for place, transform in enumerate(transforms):
        if place and isinstance(transform, Framing):
            raise ConfigurationError(
                f"{type(transform).__name__} takes the place of the resize, so it must be the first"
                f" transform; it is number {place + 1}"
            )


def output_size(transforms: Iterable[Transform], size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) after all `transforms` of an image of (height, width), in pixels.

    Raises
    ------
    ConfigurationError
        If one of them cannot take an image of the size it would get.
    """
    for transform in transforms:
        size = transform.output_size(size)
    return size


def check_channels(transforms: Iterable[Transform], channels: int) -> None:
    """Raise ConfigurationError if one of `transforms` cannot take images of so many channels (1, 3 or 4)."""
    for transform in transforms:
        transform.check_channels(channels)


def output_dtype(transforms: Iterable[Transform], dtype: str) -> str:
    """Name the dtype of the batch of a job of `dtype`: the same, or float32 after one of `MAKE_FLOATS`.

    Raises
    ------
    ConfigurationError
        If `dtype` is none of `DTYPES`, or if a transform would clip 16-bit pixels to 8 bits.
    """
    if dtype not in DTYPES:
        raise ConfigurationError(f"dtype must be one of {DTYPES}, got {dtype!r}")
    result = dtype
    for transform in transforms:
        if isinstance(transform, MAKE_FLOATS):
            result = "float32"
        elif result in _RANGES:
            _refuse_deep(transform, result)
    return result


def to_wire(transforms: Iterable[Transform]) -> list[Any]:
    """Plain values for msgpack: ``[[name, {argument: value}], ...]``."""
    return [
        [type(transform).__name__, {f.name: _plain(getattr(transform, f.name)) for f in fields(transform)}]
        for transform in transforms
    ]


def from_wire(wire: Any) -> tuple[Transform, ...]:
    """Undo `to_wire`.

    Raises
    ------
    RemoteProtocolError
        If `wire` names a transform or an argument unknown here, or a value that cannot work.
    """
    if not isinstance(wire, list | tuple):
        raise RemoteProtocolError(f"expected a list of transforms, got {wire!r}")
    return tuple(_one_from_wire(item) for item in wire)


def _one_from_wire(item: Any) -> Transform:
    match item:
        case [str(name), dict(arguments)] if name in DECLARATIONS:
            declaration = DECLARATIONS[name]
        case [str(name), dict()]:
            raise RemoteProtocolError(
                f"no transform is called {name!r}; known here: {list(DECLARATIONS)}. "
                "Run the same version of Feedline on both sides"
            )
        case _:
            raise RemoteProtocolError(f"expected [name, arguments] of a transform, got {item!r}")
    try:
        return declaration(**arguments)
    except (ConfigurationError, TypeError) as error:
        raise RemoteProtocolError(f"{name} cannot be made from {arguments!r}: {error}") from error


def _refuse_deep(transform: Transform, dtype: str) -> None:
    """Raise a ConfigurationError if pixels of more than 8 bits would be clipped, or cannot be taken."""
    if isinstance(transform, YoloAugment) or getattr(transform, "resample", None) == Resample.PIL:
        raise ConfigurationError(f"{transform} takes pixels of 8 bits, got {dtype}: ask for dtype='uint8'")
    value_range = getattr(transform, "value_range", None)
    if value_range == (0.0, 255.0):
        raise ConfigurationError(
            f"{type(transform).__name__} would clip {dtype} pixels to value_range=(0, 255): "
            f"pass the range of your pixels, such as value_range={_RANGES[dtype]}"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Arguments):
        return value.packed
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value
