"""Real image files that say which row of a dataset they are.

All pixels of an image have one colour, whose three channels are the base-16 digits of the row, each
in the middle of its sixteenth of 0..255: JPEG, resizing and rounding leave them readable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline import ImageDataset

HEIGHT, WIDTH = 24, 32
SIZE = (HEIGHT, WIDTH)
MAX_ROWS = 16**3


def colour_of(row: int) -> npt.NDArray[np.uint8]:
    """The red, green and blue of a row's image."""
    return np.array([16 * (row >> shift & 15) + 8 for shift in (8, 4, 0)], np.uint8)


def write_images(
    folder: Path, num_rows: int, extension: str = "png", size: tuple[int, int] = SIZE
) -> list[str]:
    """Write the images of rows 0, 1, 2 ...; returns their names in `folder`."""
    assert num_rows <= MAX_ROWS
    names = [f"{row:04}.{extension}" for row in range(num_rows)]
    for row, name in enumerate(names):
        picture = np.full((*size, 3), colour_of(row)[::-1], np.uint8)
        assert cv2.imwrite(str(folder / name), picture)
    return names


def numbered(folder: Path, num_rows: int, extension: str = "png") -> ImageDataset:
    """Images whose label is their row."""
    names = write_images(folder, num_rows, extension)
    return ImageDataset.from_lists(names, np.arange(num_rows), directory=folder)


def write_photos(folder: Path, num_rows: int, size: tuple[int, int] = (48, 64)) -> list[str]:
    """Write JPEG files full of detail, no two alike: for bytes to be compared, not for rows to be read."""
    rng = np.random.default_rng(0)
    names = [f"{row:04}.jpg" for row in range(num_rows)]
    for name in names:
        coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
        picture = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / name), picture)
    return names


def rows_in(x: npt.NDArray[Any]) -> list[int]:
    """Read the rows of a batch of images, and fail if a pixel of one says something else.

    Parameters
    ----------
    x : ndarray of shape (batch, height, width, 3), values 0..255
        Neither rotated colours nor altered brightness.
    """
    digits = x.astype(np.int64) // 16
    first = digits[:, :1, :1]
    assert (digits == first).all(), "an image has pixels of different rows"
    return (first.reshape(-1, 3) @ [256, 16, 1]).tolist()
