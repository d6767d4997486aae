"""Regions of an image, of which a mask is drawn: how they look, and how they travel.

The regions of one image are an array of int32: height and width of the image, in pixels, and then for each
region its value in the mask, its `Shape`, how many numbers follow, and these. Those that come later lie on
top. Coordinates are as those of boxes: the first pixel covers 0 to 1. A pixel belongs to a region in which
its centre lies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.errors import RemoteProtocolError
from feedline.common.formats.images import too_large
from feedline.common.sample.image import Size

Regions: TypeAlias = npt.NDArray[np.int32]
"""Shape (num_numbers,), see the top of the file."""

GRID = 256
"""Coordinates are whole numbers of so many parts of a pixel, so that all machines draw the same."""

FARTHEST = 1 << 22
"""Pixels from the corner of the image that a coordinate may be away from."""


class Shape(IntEnum):
    """What the numbers of a region are."""

    POLYGON = 0
    """x and y of each corner in turn, in parts of a pixel: see `GRID`. Where it crosses itself, every second
    part is inside."""

    RUNS = 1
    """Lengths of runs of pixels, outside and inside in turn, column by column: COCO's run-length encoding."""


_SHAPES = frozenset(map(int, Shape))


class Region(NamedTuple):
    """One part of a mask.

    Attributes
    ----------
    value : int
        What its pixels are.
    shape : Shape
        What the numbers are.
    numbers : ndarray of int32
        Shape (num_numbers,).
    """

    value: int
    shape: Shape
    numbers: npt.NDArray[np.int32]


def joined(size: Size, regions: Iterable[Region]) -> Regions:
    """The regions of one image, of `size` (height, width), as one array."""
    parts = [np.array(size, np.int32)]
    for value, shape, numbers in regions:
        parts += [np.array([value, shape, len(numbers)], np.int32), numbers]
    return np.concatenate(parts, dtype=np.int32)


def parted(values: Regions) -> tuple[Size, Iterator[Region]]:
    """Undo `joined`.

    Raises
    ------
    RemoteProtocolError
        If the numbers are not those of regions; while they are taken.
    """
    if len(values) < 2 or values[0] < 1 or values[1] < 1:
        raise RemoteProtocolError(f"regions begin with height and width, got {values[:2].tolist()}")
    size = int(values[0]), int(values[1])
    refusal = too_large(size)
    if refusal is not None:
        raise RemoteProtocolError(f"a mask of regions {refusal}")
    return size, _parted(values)


def _parted(values: Regions) -> Iterator[Region]:
    at = 2
    while at < len(values):
        head = values[at : at + 3].tolist()
        if len(head) < 3 or head[1] not in _SHAPES or not 0 <= head[2] <= len(values) - at - 3:
            raise RemoteProtocolError(f"not the head of a region: {head}")
        value, shape, length = head
        yield Region(value, Shape(shape), values[at + 3 : at + 3 + length])
        at += 3 + length


def pack(images: Sequence[Regions]) -> tuple[npt.NDArray[np.int32], Regions]:
    """The regions of several images as two buffers: how many numbers each has, then all of them."""
    return np.array([len(one) for one in images], np.int32), np.concatenate(images)


def unpack(buffers: Iterable[Any], num_images: int) -> list[Regions]:
    """Undo `pack`; each result is read-only.

    Raises
    ------
    RemoteProtocolError
        If the buffers are not the regions of `num_images` images.
    """
    try:
        lengths, values = (np.frombuffer(memoryview(buffer), np.int32) for buffer in buffers)
    except ValueError as error:
        raise RemoteProtocolError(f"a ticket's regions cannot be read: {error}") from error
    if len(lengths) != num_images or lengths.sum() != len(values) or (lengths < 0).any():
        raise RemoteProtocolError(f"a ticket has regions of {len(lengths)} images for {num_images}")
    return np.split(values, np.cumsum(lengths)[:-1])
