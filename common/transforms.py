"""What a user may ask to be done to each image, and lists of it: sizes, dtypes, the form that travels.

The declarations themselves are in `common.declarations`, each with its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from common.declarations.base import Draws, FillMode, Transform
from common.declarations.color import RandomBrightness, RandomContrast, Rescaling
from common.declarations.framing import Framing, RandomResizedCrop
from common.declarations.geometry import (
    FlipMode,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from common.declarations.mixing import Collage, CutMix, Mixing, MixUp, Mosaic, Patch
from common.declarations.plugins import Albumentations, PythonTransform
from common.errors import ConfigurationError, RemoteProtocolError
from common.image import Interpolation
from common.user_code import Arguments

__all__ = [
    "DECLARATIONS",
    "Albumentations",
    "Collage",
    "CutMix",
    "Draws",
    "FillMode",
    "FlipMode",
    "Framing",
    "Interpolation",
    "MixUp",
    "Mixing",
    "Mosaic",
    "Patch",
    "PythonTransform",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Rescaling",
    "Transform",
    "from_wire",
    "num_draws",
    "output_dtype",
    "output_size",
    "to_wire",
]

DECLARATIONS: dict[str, type[Transform]] = {
    declaration.__name__: declaration
    for declaration in (
        RandomFlip,
        RandomRotation,
        RandomTranslation,
        RandomZoom,
        RandomCrop,
        RandomBrightness,
        RandomContrast,
        Rescaling,
        RandomResizedCrop,
        MixUp,
        CutMix,
        Mosaic,
        PythonTransform,
        Albumentations,
    )
}
"""Every declaration by the name that travels. `producer.transforms.registry` says what each does."""

DTYPES = ("uint8", "uint16", "float32")
"""What a job may ask for; float32 is decoded as uint8 and keeps its range until a `Rescaling`."""


def num_draws(transforms: Iterable[Transform]) -> int:
    """How many uniforms one sample consumes in all."""
    return sum(transform.num_draws for transform in transforms)


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


def output_dtype(transforms: Iterable[Transform], dtype: str) -> str:
    """Name the dtype of the batch that a job of `dtype` makes: `dtype`, or float32 after a `Rescaling`.

    Raises
    ------
    ConfigurationError
        If `dtype` is none of `DTYPES`, or if a transform would clip 16-bit pixels to 8 bits.
    """
    if dtype not in DTYPES:
        raise ConfigurationError(f"dtype must be one of {DTYPES}, got {dtype!r}")
    result = dtype
    for transform in transforms:
        if isinstance(transform, Rescaling):
            result = "float32"
        elif result == "uint16":
            _refuse_8_bit_range(transform)
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


def _refuse_8_bit_range(transform: Transform) -> None:
    value_range = getattr(transform, "value_range", None)
    if value_range == (0.0, 255.0):
        raise ConfigurationError(
            f"{type(transform).__name__} would clip uint16 pixels to value_range=(0, 255): "
            "pass the range of your pixels, such as value_range=(0, 65535)"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Arguments):
        return value.packed
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value
