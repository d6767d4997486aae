"""Lines of YOLO's text files: ``class x y width height``, or ``class x1 y1 x2 y2 x3 y3 ...``, a polygon.

All but the class are fractions of the image's width and height. Lines of keypoints, ``class x y width height
x1 y1 ...``, with or without visibilities, look like those of polygons: no line says which it is, but a whole
data set does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from feedline.common.errors import DatasetError
from feedline.common.sample.image import Size
from feedline.trainer.datasets.annotations.outlines import Corners, Polygons, polygon_in
from feedline.trainer.datasets.annotations.texts import class_in, lines_of, numbers_in
from feedline.trainer.datasets.bad_rows import BadRows
from feedline.trainer.datasets.boxes import ROUNDING

_NUM_OF_BOX = 5
_FEWEST_OF_POLYGON = 7

EXPECTED = "class x y width height, or class x1 y1 x2 y2 x3 y3 ... around the object"


@dataclass(frozen=True, slots=True, eq=False)
class YoloLine:
    """One line.

    Attributes
    ----------
    where : str
        File and line.
    category : int
        Its class.
    fractions : ndarray of float64
        All other numbers, cut off to 0..1: four of a box, or x and y of each corner in turn.
    """

    where: str
    category: int
    fractions: npt.NDArray[np.float64]

    @property
    def is_polygon(self) -> bool:
        """Whether it is more than a box."""
        return len(self.fractions) + 1 != _NUM_OF_BOX

    def outline(self, size: Size) -> Polygons:
        """The polygon in pixels of an image of `size` (height, width)."""
        height, width = size
        corners = self.fractions.reshape(-1, 2) * [width, height]
        return Polygons([polygon_in(corners.ravel().tolist(), self.where)])

    def corners(self, size: Size) -> Corners:
        """The box, or that around the polygon, in pixels of an image of `size` (height, width)."""
        if self.is_polygon:
            return self.outline(size).corners
        height, width = size
        x, y, w, h = self.fractions.tolist()
        return (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height

    def dimensions_of_keypoints(self) -> set[int]:
        """Numbers of each keypoint, 2 or 3, if it can be a line of keypoints: all seen lie in its box."""
        x, y, width, height = self.fractions[:4].tolist()
        fitting = set()
        for dimensions in (2, 3):
            if (len(self.fractions) - 4) % dimensions == 0:
                points = self.fractions[4:].reshape(-1, dimensions)[:, :2]
                seen = points[(points > 0).any(axis=1)]
                aside = np.abs(seen - [x, y]) > np.array([width, height]) / 2 + ROUNDING
                fitting |= set() if aside.any() else {dimensions}
        return fitting


class KeypointsWatch:
    """Notices a data set of keypoints: all of its long lines have as many numbers, and can be such lines."""

    FEWEST_LINES = 3
    """A polygon or two may look like keypoints by chance."""

    def __init__(self) -> None:
        self._num_lines = 0
        self._first: YoloLine | None = None
        self._dimensions = {2, 3}

    def see(self, line: YoloLine) -> None:
        """Take note of a line."""
        if not line.is_polygon:
            return
        first = self._first = self._first or line
        self._num_lines += 1
        alike = len(line.fractions) == len(first.fractions)
        self._dimensions &= line.dimensions_of_keypoints() if alike and self._dimensions else set()

    def refuse(self) -> None:
        """Raise a DatasetError if there are keypoints."""
        if self._first is not None and self._dimensions and self._num_lines >= self.FEWEST_LINES:
            raise DatasetError(
                f"{self._first.where}: this and all other lines of {len(self._first.fractions) + 1} numbers"
                " are those of keypoints, class x y width height x1 y1 ..., which cannot be delivered: keep"
                " the first five numbers of each for boxes alone"
            )


def yolo_lines(file: Path, bad_rows: BadRows) -> Iterator[YoloLine]:
    """Read a label file.

    Raises
    ------
    DatasetError
        If a line cannot be used, and `bad_rows` are not dropped; names file and line.
    """
    for where, line in lines_of(file, "the label file"):
        with bad_rows.tolerated(where):
            read = _read(where, line)
            yield read


def _read(where: str, line: str) -> YoloLine:
    category, *fractions = numbers_in(line.split(), where, EXPECTED)
    num = len(fractions) + 1
    if num != _NUM_OF_BOX and (num < _FEWEST_OF_POLYGON or num % 2 == 0):
        raise DatasetError(
            f"{where}: expected {EXPECTED}, got {num} numbers in {line!r:.200}. Confidences and keypoints"
            " cannot be used"
        )
    _check_range(fractions, where, line)
    return YoloLine(where, class_in(category, where), np.clip(fractions, 0.0, 1.0))


def _check_range(fractions: Sequence[float], where: str, line: str) -> None:
    if not all(-ROUNDING <= value <= 1 + ROUNDING for value in fractions):
        hint = ""
        if len(fractions) + 1 != _NUM_OF_BOX:
            hint = ". A 2 at every third place is the visibility of a keypoint; those cannot be used"
        raise DatasetError(f"{where}: expected fractions of the image, from 0 to 1, got {line!r:.200}{hint}")
