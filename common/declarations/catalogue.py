"""Lists of declarations: their draws, their order, sizes, dtypes, and the form that travels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from math import prod
from typing import Any

from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.base import Transform, check_one_each
from feedline.common.declarations.framing import Framing
from feedline.common.declarations.mixing import Mixing
from feedline.common.errors import ConfigurationError, RemoteProtocolError
from feedline.common.sample.companions import Role
from feedline.common.sample.image import ImageSpec
from feedline.common.user_code import Arguments

DTYPES = ("uint8", "uint16", "int16", "float32")
"""What a job may ask for; float32 is decoded as uint8, Hounsfield units as int16, and keeps its range until
a transform makes floats of another."""


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
        fill = getattr(transform, "fill_value", None)
        if fill is not None:
            check_one_each(f"fill_value of {type(transform).__name__}", fill, channels)
        transform.check_channels(channels)


def applied_to(transforms: Iterable[Transform], role: Role) -> tuple[Transform, ...]:
    """Which of `transforms` images of a role go through, as the text of `Role` says."""
    if role is Role.INPUT:
        return tuple(transforms)
    return tuple(
        transform.without_colors
        for transform in transforms
        if transform.moves or (role is Role.TARGET and not transform.num_draws)
    )


def check_image(transforms: Iterable[Transform], image: ImageSpec, name: str, role: Role) -> None:
    """Raise ConfigurationError unless images of a role can go through all that they have to.

    Parameters
    ----------
    transforms : iterable of Transform
        Of the job.
    image : ImageSpec
        What the images are; of a stack, one slice.
    name : str
        Of their array, for the error.
    role : Role
        What they are for.
    """
    if role is Role.MASK:
        return  # what moves pixels takes any
    applied = applied_to(transforms, role)
    for transform in applied:
        if transform.of_colors and image.channels > 1 and not image.has_colors:
            raise ConfigurationError(
                f"{type(transform).__name__} takes channels for red, green and blue, and the {image.channels}"
                f" of {name} are windows of a CT: leave it out, or use RandomBrightness or RandomContrast"
            )
    check_channels(applied, image.channels)
    output_dtype(applied, image.dtype)


def output_dtype(transforms: Iterable[Transform], dtype: str) -> str:
    """Name the dtype of the batch of a job of `dtype`: the same, or float32 if a transform makes floats.

    Raises
    ------
    ConfigurationError
        If `dtype` is none of `DTYPES`, or if a transform cannot take, or would clip, pixels of such a depth.
    """
    if dtype not in DTYPES:
        raise ConfigurationError(f"dtype must be one of {DTYPES}, got {dtype!r}")
    for transform in transforms:
        dtype = transform.output_dtype(dtype)
    return dtype


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


def _plain(value: Any) -> Any:
    if isinstance(value, Arguments):
        return value.packed
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value
