"""Where boxes are when the pixels under them have moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.sample.boxes import Boxes
from feedline.producer.arrays import Matrix

Window: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2: what is seen."""

Points: TypeAlias = npt.NDArray[np.float64]
"""Shape (points, 2): x, y."""


Move: TypeAlias = tuple[Matrix, Window]
"""Where points (x, y, 1) go, shape (3, 3), and what is seen afterwards."""


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
    moves : sequence of (ndarray of float64, (float, float, float, float))
        One after another: where points go, and x1, y1, x2, y2 of what is seen of them there.

    Returns
    -------
    ndarray of float32
        Shape (boxes of which anything is seen, 5), in the same order.
    """
    if any(matrix[0, 1] or matrix[1, 0] for matrix, _ in moves):
        return _turned(boxes, moves)
    corners = boxes[:, :4].astype(np.float64).reshape(-1, 2, 2)
    for matrix, window in moves:
        moved = np.sort(corners * matrix.diagonal()[:2] + matrix[:2, 2], axis=1)
        corners = np.clip(moved, window[:2], window[2:])
    return _seen(corners, boxes[:, 4:])


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
    for matrix, window in moves:
        outline = _cut(outline @ matrix[:2, :2].T + matrix[:2, 2], window)
    return outline


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
    return np.array(list(_kept_corners(polygon, inside))).reshape(-1, 2)


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
