"""What all formats have in common: boxes are gathered image by image, and checked where they stand."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from feedline.common.errors import DatasetError
from feedline.common.notices import warn
from feedline.trainer.datasets.columns import Parts
from feedline.trainer.datasets.files import relative

Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""


class Gathering:
    """Images and their boxes, in the order in which they are read.

    Parameters
    ----------
    class_names : sequence of str or None
        Classes must be indices of these, if there are any.
    """

    def __init__(self, class_names: Sequence[str] | None) -> None:
        if isinstance(class_names, str):
            raise DatasetError(
                f"class_names must be a list of names, got {class_names!r}: of a file with one name a line,"
                f" Path({class_names!r}).read_text().split('\\n') makes one"
            )
        self.class_names = None if class_names is None else list(class_names)
        self._paths: list[str] = []
        self._boxes: list[list[tuple[float, ...]]] = []
        self._flat: list[str] = []

    def begin_image(self, path: str) -> None:
        """Boxes that come from now on are those of this image."""
        self._paths.append(path)
        self._boxes.append([])

    def add(self, corners: Corners, category: int, where: str) -> None:
        """Take one box, unless it has no area.

        Raises
        ------
        DatasetError
            If it cannot be used; begins with `where`.
        """
        x1, y1, x2, y2 = corners
        if not all(map(math.isfinite, corners)) or x2 < x1 or y2 < y1:
            raise DatasetError(f"{where}: expected a box with x1 <= x2 and y1 <= y2, got {corners}")
        self._check_class(category, where)
        if x1 == x2 or y1 == y2:
            self._flat.append(where)
        else:
            self._boxes[-1].append((*corners, category))

    def parts(self, directory: str | None) -> Parts:
        """All that was gathered; warns of boxes that were left out."""
        if self._flat:
            warn(
                f"{len(self._flat)} boxes without an area are left out, the first at {self._flat[0]}",
            )
        paths = relative(self._paths, directory)
        return Parts(paths, class_names=self.class_names, boxes=self._boxes, directory=directory)

    def _check_class(self, category: int, where: str) -> None:
        if category < 0:
            raise DatasetError(f"{where}: expected a class from 0 on, got {category}")
        if self.class_names is not None and category >= len(self.class_names):
            raise DatasetError(
                f"{where}: expected a class below {len(self.class_names)}, the number of class_names,"
                f" got {category}"
            )


def text_of(path: str | os.PathLike[str], what: str) -> str:
    """Read a file of text; DatasetError, with the file, if that fails."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {what} {os.fspath(path)!r}: {error}") from error


def numbers_in(fields: Sequence[str], where: str, expected: str) -> list[float]:
    """Read fields of a line as numbers; DatasetError, with `where` and what is `expected`, if one is not."""
    try:
        return [float(field) for field in fields]
    except ValueError:
        raise DatasetError(f"{where}: expected {expected}, got {' '.join(fields)!r}") from None


def class_in(value: float, where: str) -> int:
    """Read a number as a class; DatasetError if it is not whole."""
    if not value.is_integer():
        raise DatasetError(f"{where}: expected a class that is a whole number, got {value!r}")
    return int(value)
