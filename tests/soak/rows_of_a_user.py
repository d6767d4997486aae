"""A Sequence as users have them, whose images say their rows."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

SIZE = (24, 32)


class Rows:
    """Batches in order; imported by producers."""

    def __init__(self, num_rows: int, batch_size: int) -> None:
        self._num_rows, self._batch_size = num_rows, batch_size

    def __len__(self) -> int:
        return math.ceil(self._num_rows / self._batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        rows = np.arange(index * self._batch_size, min((index + 1) * self._batch_size, self._num_rows))
        digits = np.stack([rows >> 8 & 15, rows >> 4 & 15, rows & 15], axis=1)
        colours = (16 * digits + 8).astype(np.uint8)
        return np.broadcast_to(colours[:, None, None], (len(rows), *SIZE, 3)).copy(), rows
