"""Bounding boxes: how they look, and how they travel.

Boxes of one image are an array of shape (num_boxes, 5), float32: ``x1, y1, x2, y2, class``. Coordinates
are pixels of the image, x to the right and y down, and mean edges: the first pixel covers 0 to 1, so a
box over the whole image is ``0, 0, width, height``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import number, whole
from feedline.common.batch.layout import ArraySpec
from feedline.common.errors import ConfigurationError, RemoteProtocolError

Boxes: TypeAlias = npt.NDArray[np.float32]
"""Shape (num_boxes, 5), see the top of the file."""

NO_BOX = -1.0
"""What fills the rows of a batch's array that no box needs."""


@dataclass(frozen=True, slots=True)
class BoxSpec:
    """What a job does with boxes.

    Attributes
    ----------
    max_boxes : int
        Rows of the batch's array for one image, at least 1; boxes beyond it are left out.
    min_side : float
        A box of which less than so many pixels of its width, or of its height, are left in the image is
        dropped; at least 0.
    """

    max_boxes: int
    min_side: float = 1.0

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "max_boxes", whole("max_boxes", self.max_boxes, at_least=1))
        object.__setattr__(self, "min_side", number("min_box_side", self.min_side))
        if self.min_side < 0:
            raise ConfigurationError(f"min_box_side must be at least 0 pixels, got {self.min_side}")

    @property
    def array(self) -> ArraySpec:
        """The boxes of a batch: (max_boxes, 5) float32 per sample, rows that no box needs are `NO_BOX`."""
        return ArraySpec("boxes", (self.max_boxes, 5), "float32")

    def write(self, boxes: Boxes, out: Boxes) -> None:
        """Write the boxes of one image to its place in a batch, shape (max_boxes, 5)."""
        num = min(len(boxes), self.max_boxes)
        out[:num] = boxes[:num]
        out[num:] = NO_BOX

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        return [self.max_boxes, self.min_side]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> BoxSpec:
        """Undo `to_wire`."""
        max_boxes, min_side = wire
        return cls(max_boxes, min_side)


def pack(boxes: Sequence[Boxes]) -> tuple[npt.NDArray[np.int32], Boxes]:
    """The boxes of several images as two buffers: how many each has, then all of them."""
    counts = np.array([len(one) for one in boxes], np.int32)
    return counts, np.concatenate([np.zeros((0, 5), np.float32), *boxes], dtype=np.float32)


def unpack(buffers: Iterable[Any], num_images: int) -> list[Boxes]:
    """Undo `pack`; each result is read-only.

    Raises
    ------
    RemoteProtocolError
        If the buffers are not the boxes of `num_images` images.
    """
    try:
        counts, values = (memoryview(buffer) for buffer in buffers)
        lengths = np.frombuffer(counts, np.int32)
        rows = np.frombuffer(values, np.float32).reshape(-1, 5)
    except ValueError as error:
        raise RemoteProtocolError(f"a ticket's boxes cannot be read: {error}") from error
    if len(lengths) != num_images or lengths.sum() != len(rows) or (lengths < 0).any():
        raise RemoteProtocolError(f"a ticket has boxes of {len(lengths)} images for {num_images}")
    return np.split(rows, np.cumsum(lengths)[:-1])
