"""Where boxes are when the pixels under them have moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from feedline.common.sample.boxes import Boxes
from feedline.producer.arrays import Matrix

Window: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2: what is seen."""

Points: TypeAlias = npt.NDArray[np.float64]
"""Shape (points, 2): x, y."""

HORIZON = 1e-6
"""So near to it, points of a perspective are a million pixels away."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Where each pixel of the result is looked up: a movement that no matrix says.

    Attributes
    ----------
    x, y : ndarray of float32
        Shape (height, width) of the result: the place in what comes in, with pixel centres at whole numbers.
    """

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]

    @classmethod
    def of(cls, lookup: Matrix, size: tuple[int, int]) -> Field:
        """The look-up of a matrix, for a result of (height, width)."""
        down, right = np.indices(size, np.float64)
        x, y, w = np.tensordot(lookup, np.stack([right, down, np.ones(size)]), 1)
        # Nothing is seen of what lies at the horizon.
        w = np.where(w == 0.0, np.inf, w)
        return cls((x / w).astype(np.float32), (y / w).astype(np.float32))

    def around(self, outline: Points) -> Points:
        """The corners of the box around all pixels that show something of what is in a convex outline."""
        shown = np.ones(self.x.shape, np.bool_)
        for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            shown &= self._is_beside(start, end, _turn_of(outline))
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        if not len(rows):
            return np.empty((0, 2))
        (left, right), (top, bottom) = columns[[0, -1]] + (0, 1), rows[[0, -1]] + (0, 1)
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)

    def _is_beside(self, start: Points, end: Points, turn: float) -> npt.NDArray[np.bool_]:
        """Which pixels show what lies on the inner side of a straight line."""
        right, down = (end - start) * turn
        inside: npt.NDArray[np.bool_] = right * (self.y + 0.5 - start[1]) >= down * (self.x + 0.5 - start[0])
        return inside


Motion: TypeAlias = Matrix | Field
"""Where points (x, y, 1) go, shape (3, 3); or what no matrix says."""

Move: TypeAlias = tuple[Motion, Window]
"""How points move, and what is seen afterwards."""


def moved_into(boxes: Boxes, matrix: Matrix, window: Window) -> Boxes:
    """Move boxes once: see `moved_through`."""
    return moved_through(boxes, [(matrix, window)])


def moved_through(boxes: Boxes, moves: Sequence[Move]) -> Boxes:
    """Move boxes, and keep what is seen of them.

    A box that is turned becomes the smallest upright box around what is left of its rectangle after the
    last move: never too small for what it holds, and no larger than that rectangle makes necessary.

    Parameters
    ----------
    boxes : ndarray of float32
        Shape (num_boxes, 5), see `feedline.common.sample.boxes`.
    moves : sequence of (ndarray of float64 or Field, (float, float, float, float))
        One after another: where points go, and x1, y1, x2, y2 of what is seen of them there. A `Field` makes
        the box around the pixels that show anything of it, to a whole pixel.

    Returns
    -------
    ndarray of float32
        Shape (boxes of which anything is seen, 5), in the same order.
    """
    upright = [(motion, window) for motion, window in moves if _keeps_upright(motion)]
    if len(upright) < len(moves):
        return _turned(boxes, moves)
    corners = boxes[:, :4].astype(np.float64).reshape(-1, 2, 2)
    for matrix, window in upright:
        moved = np.sort(corners * matrix.diagonal()[:2] + matrix[:2, 2], axis=1)
        corners = np.clip(moved, window[:2], window[2:])
    return _seen(corners, boxes[:, 4:])


def _keeps_upright(motion: Motion) -> TypeGuard[Matrix]:
    """Whether an upright box stays one."""
    return not isinstance(motion, Field) and not motion[[0, 1, 2, 2], [1, 0, 0, 1]].any()


def dropped_below(boxes: Boxes, min_side: float) -> Boxes:
    """Leave out boxes of which one side is shorter than `min_side` pixels."""
    sides = boxes[:, 2:4] - boxes[:, :2]
    return boxes[(sides >= min_side).all(axis=1)]


def _seen(corners: npt.NDArray[np.float64], classes: Boxes) -> Boxes:
    moved = np.concatenate([corners.reshape(-1, 4), classes], axis=1, dtype=np.float32)
    return moved[(moved[:, 2] > moved[:, 0]) & (moved[:, 3] > moved[:, 1])]


def _turned(boxes: Boxes, moves: Sequence[Move]) -> Boxes:
    outlines = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].astype(np.float64).reshape(-1, 4, 2)
    corners = np.array([_bounds(_outline_after(outline, moves)) for outline in outlines]).reshape(-1, 2, 2)
    # Where an edge was met, rounding may have left a hair's breadth.
    window = moves[-1][1]
    return _seen(np.clip(corners, window[:2], window[2:]), boxes[:, 4:])


def _outline_after(outline: Points, moves: Sequence[Move]) -> Points:
    for motion, window in moves:
        if not len(outline):
            break
        moved = motion.around(outline) if isinstance(motion, Field) else _moved(outline, motion)
        outline = _cut(moved, window)
    return outline


def _moved(outline: Points, matrix: Matrix) -> Points:
    """A convex outline after a matrix; of a perspective, what lies before the horizon."""
    if not matrix[2, :2].any():
        return np.asarray(outline @ matrix[:2, :2].T + matrix[:2, 2])
    points = np.column_stack([outline, np.ones(len(outline))]) @ matrix.T
    points = _cut_at(points, points[:, 2] - HORIZON)
    return np.asarray(points[:, :2] / points[:, 2:])


def _turn_of(outline: Points) -> float:
    """1 if a convex outline goes clockwise as it is seen, y pointing down, else -1."""
    x, y = outline.T
    return 1.0 if np.dot(x, np.roll(y, -1)) >= np.dot(y, np.roll(x, -1)) else -1.0


def _cut(polygon: Points, window: Window) -> Points:
    """Cut a convex polygon at the four edges of a window (Sutherland and Hodgman, CACM 17, 1974)."""
    x1, y1, x2, y2 = window
    for axis, limit, sign in ((0, x1, 1.0), (0, x2, -1.0), (1, y1, 1.0), (1, y2, -1.0)):
        polygon = _cut_at(polygon, sign * (polygon[:, axis] - limit))
    return polygon


def _cut_at(polygon: Points, inside: npt.NDArray[np.float64]) -> Points:
    """Keep the side of a straight line on which `inside`, the signed distance of each corner, is positive."""
    if (inside >= 0).all():
        return polygon
    return np.array(list(_kept_corners(polygon, inside))).reshape(-1, polygon.shape[1])


def _kept_corners(polygon: Points, inside: npt.NDArray[np.float64]) -> Iterable[Points]:
    for index in range(len(polygon)):
        here, there = inside[index - 1], inside[index]
        if (here < 0) != (there < 0):
            yield polygon[index - 1] + (polygon[index] - polygon[index - 1]) * (here / (here - there))
        if there >= 0:
            yield polygon[index]


def _bounds(polygon: Points) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 around a polygon; of nothing, a box without a width."""
    if not len(polygon):
        return 0.0, 0.0, 0.0, 0.0
    (x1, y1), (x2, y2) = polygon.min(axis=0), polygon.max(axis=0)
    return x1, y1, x2, y2
