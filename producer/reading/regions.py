"""Regions of an image -> its mask, of class numbers.

Not OpenCV's ``fillPoly``: it also fills all pixels that an outline touches, so that a square of 10 x 10
pixels gets 11 x 11 of them, and neighbours overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import RemoteProtocolError
from feedline.common.sample.regions import GRID, Regions, Shape, parted

Mask = npt.NDArray[Any]


def draw(regions: Regions, dtype: str) -> Mask:
    """Draw the mask of an image.

    Parameters
    ----------
    regions : ndarray of int32
        See `feedline.common.sample.regions`; their values fit `dtype`.
    dtype : str
        ``"uint8"`` or ``"uint16"``.

    Returns
    -------
    ndarray
        Shape (height, width); 0 where there is no region.

    Raises
    ------
    RemoteProtocolError
        If they are none.
    """
    size, each = parted(regions)
    mask = np.zeros(size, dtype)
    for value, shape, numbers in each:
        _DRAW[shape](mask, value, numbers)
    return mask


def _fill_polygon(mask: Mask, value: int, numbers: npt.NDArray[np.int32]) -> None:
    """Scan lines through the centres of pixels, even-odd: Foley et al., "Computer Graphics", 3.6."""
    rows, columns = _crossings(numbers.reshape(-1, 2) / GRID, mask.shape)
    if not len(rows):
        return
    top, left = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) + 1 - top, int(columns.max()) - left
    # Each row has an even number of crossings, so that what is inside ends in the row where it begins.
    turns = np.sort((rows - top) * width + columns - left)
    runs = np.diff(turns, prepend=0, append=height * width)
    mask[top : top + height, left : left + width][_spread(runs).reshape(height, width)] = value


def _crossings(
    corners: npt.NDArray[np.float64], size: tuple[int, ...]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where edges cross the middles of rows: the row, and the first pixel right of the crossing."""
    height, width = size
    ends = np.stack([corners, np.roll(corners, -1, axis=0)])
    # From above to below, whichever way round: what two polygons share is computed alike for both.
    order = np.lexsort((ends[:, :, 0], ends[:, :, 1]), axis=0)
    (x, y), (x_end, y_end) = np.take_along_axis(ends, order[:, :, np.newaxis], axis=0).transpose(0, 2, 1)
    first = np.clip(np.ceil(y - 0.5), 0, height).astype(np.intp)
    num = np.clip(np.ceil(y_end - 0.5), 0, height).astype(np.intp) - first
    edge = np.repeat(np.arange(len(num)), num)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(num) - num, num) + first[edge]
    down = (rows + 0.5 - y[edge]) / (y_end - y)[edge]
    crossed = x[edge] + down * (x_end - x)[edge]
    return rows, np.clip(np.ceil(crossed - 0.5), 0, width).astype(np.intp)


def _fill_runs(mask: Mask, value: int, numbers: npt.NDArray[np.int32]) -> None:
    if (numbers < 0).any() or numbers.sum(dtype=np.int64) != mask.size:
        raise RemoteProtocolError(f"runs of {numbers.sum()} pixels for a mask of {mask.size}")
    mask.T[_spread(numbers).reshape(mask.shape[::-1])] = value


def _spread(runs: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Mark what lies in every second run."""
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


_DRAW = {Shape.POLYGON: _fill_polygon, Shape.RUNS: _fill_runs}
