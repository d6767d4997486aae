"""Outlines of objects, as annotations give them: polygons, and COCO's run-length encoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.errors import DatasetError
from feedline.common.sample.image import Size
from feedline.common.sample.regions import FARTHEST, GRID, Region, Shape

Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

_FEWEST = 6
"""Numbers of the smallest polygon: three corners."""

_BITS, _MORE, _SIGN, _FIRST = 5, 0x20, 0x10, 48
"""Of a character of a compressed length: bits that it holds, two flags, and what 0 is written as."""


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """One object, in one part or several.

    Attributes
    ----------
    parts : sequence of ndarray of float64
        Each of shape (num_corners, 2): x and y in pixels.
    """

    parts: Sequence[npt.NDArray[np.float64]]

    @property
    def corners(self) -> Corners:
        """Of the box around it."""
        points = np.concatenate(self.parts)
        (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return x1, y1, x2, y2

    def regions(self, value: int) -> Iterator[Region]:
        """What is drawn of it."""
        for part in self.parts:
            yield Region(value, Shape.POLYGON, np.rint(part * GRID).astype(np.int32).ravel())


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """One object, pixel by pixel.

    Attributes
    ----------
    lengths : ndarray of int32
        Of runs outside and inside in turn, column by column; together the pixels of the image.
    height : int
        Of the image.
    """

    lengths: npt.NDArray[np.int32]
    height: int

    @property
    def corners(self) -> Corners:
        """Of the box around it; without an area if there is no pixel of it."""
        ends = np.cumsum(self.lengths, dtype=np.int64)
        first, end = (ends[:-1:2], ends[1::2]) if len(ends) > 1 else (ends[:0], ends[:0])
        first, end = first[first < end], end[first < end]
        if not len(first):
            return 0.0, 0.0, 0.0, 0.0
        left, right = first // self.height, (end - 1) // self.height
        # A run into the next column touches both edges.
        top = np.where(left < right, 0, first % self.height)
        bottom = np.where(left < right, self.height, (end - 1) % self.height + 1)
        return float(left.min()), float(top.min()), float(right.max() + 1), float(bottom.max())

    def regions(self, value: int) -> Iterator[Region]:
        """What is drawn of it."""
        yield Region(value, Shape.RUNS, self.lengths)


Outline: TypeAlias = Polygons | Runs


def polygon_in(numbers: Sequence[float], where: str) -> npt.NDArray[np.float64]:
    """Read x and y of corners in turn, in pixels; shape (num_corners, 2).

    Raises
    ------
    DatasetError
        If it is none; begins with `where`.
    """
    values = np.asarray(numbers, np.float64)
    if len(values) < _FEWEST or len(values) % 2:
        raise DatasetError(
            f"{where}: expected a polygon [x1, y1, x2, y2, x3, y3, ...], got {len(values)} numbers"
        )
    if not (np.abs(values) < FARTHEST).all():  # nor NaN
        raise DatasetError(f"{where}: expected corners of a polygon in pixels, got {values.tolist()!r:.200}")
    return values.reshape(-1, 2)


def segmentation_in(given: Any, size: Size | None, where: str) -> Outline:
    """Read COCO's ``segmentation``: polygons, or runs, compressed or not.

    Parameters
    ----------
    given : object
        As it came out of JSON.
    size : (int, int) or None
        (height, width) of the image, where it is known.
    where : str
        For errors.

    Raises
    ------
    DatasetError
        If it is none.
    """
    if isinstance(given, dict):
        return _runs_in(given, size, where)
    if not isinstance(given, list) or not given or not all(_are_numbers(part) for part in given):
        raise DatasetError(
            f"{where}: expected segmentation to be a list of polygons [[x1, y1, x2, y2, ...], ...], or"
            f' {{"counts": ..., "size": [height, width]}}, got {given!r:.200}'
        )
    return Polygons([polygon_in(part, where) for part in given])


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _runs_in(given: dict[str, Any], size: Size | None, where: str) -> Runs:
    counts, own = given.get("counts"), given.get("size")
    if (
        not isinstance(own, list)
        or len(own) != 2
        or not all(isinstance(side, int) and side > 0 for side in own)
    ):
        raise DatasetError(f"{where}: expected segmentation to have size=[height, width], got {own!r}")
    if size is not None and tuple(own) != size:
        raise DatasetError(f"{where}: segmentation has size={own}, and the image {list(size)}")
    if isinstance(counts, str):
        lengths = _uncompressed(counts, where)
    elif isinstance(counts, list) and all(isinstance(one, int) for one in counts):
        lengths = counts
    else:
        raise DatasetError(
            f"{where}: expected counts to be a list of whole numbers or a text, got {counts!r:.80}"
        )
    if min(lengths, default=0) < 0 or sum(lengths) != own[0] * own[1]:
        raise DatasetError(
            f"{where}: the counts of segmentation come to {sum(lengths)} pixels, and its size {own} has"
            f" {own[0] * own[1]}"
        )
    return Runs(np.array(lengths, np.int32), own[0])


def _uncompressed(text: str, where: str) -> list[int]:
    """Read COCO's compressed counts, as ``rleFrString`` in its maskApi.c does.

    Each is a row of characters of five bits, the lowest first; from the fourth on, it is what the count has
    more than that two before.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 1 << (_BITS + 1):
            raise DatasetError(f"{where}: {character!r} does not occur in compressed counts")
        value |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if not bits & _MORE:
            value -= (1 << shift) if bits & _SIGN else 0
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    if shift:
        raise DatasetError(f"{where}: the compressed counts are cut off")
    return lengths
