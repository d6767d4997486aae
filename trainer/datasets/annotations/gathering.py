"""What all formats have in common: boxes are gathered image by image, and checked where they stand."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from feedline.common.arguments import yes_or_no
from feedline.common.errors import DatasetError
from feedline.common.notices import warn
from feedline.common.sample.image import Size
from feedline.common.sample.regions import Region, joined
from feedline.trainer.datasets.annotations.outlines import Corners, Outline
from feedline.trainer.datasets.bad_rows import BadRows
from feedline.trainer.datasets.boxes import FRACTIONS_REMEDY, are_fractions
from feedline.trainer.datasets.classes import ordered
from feedline.trainer.datasets.columns import Parts
from feedline.trainer.datasets.further import DrawnMasks
from feedline.trainer.datasets.listing.files import relative
from feedline.trainer.datasets.listing.missing import present

FIRST_CLASS = 1
"""The value of the first class in a mask; 0 is what belongs to none."""


class Flaw(StrEnum):
    """Why a box is left out: published sets have some of each kind."""

    FLAT = "without an area"
    OUTSIDE = "wholly outside of their image"
    REPEATED = "that repeat one of the same image and class"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What annotations are to become.

    Attributes
    ----------
    boxes : bool
        Boxes of the dataset.
    masks : bool
        A mask of each image.
    """

    boxes: bool = True
    masks: bool = False

    def __post_init__(self) -> None:
        """Bring switches into one form."""
        for name in ("boxes", "masks"):
            object.__setattr__(self, name, yes_or_no(name, getattr(self, name)))


class Gathering:
    """Images and their boxes, in the order in which they are read.

    Parameters
    ----------
    source : path
        The file or folder that is read, for errors.
    class_names : sequence of str or None
        Classes must be indices of these, if there are any.
    first_pixel : int
        What the source calls the first pixel: 0, or 1. Where a box begins is counted from there; where it
        ends is then the edge of its last pixel.
    bad_rows : BadRows, optional
        What is done with boxes that cannot be used; by default they are errors.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        class_names: Sequence[str] | None,
        *,
        first_pixel: int = 0,
        bad_rows: BadRows | None = None,
    ) -> None:
        self.bad_rows = bad_rows or BadRows()
        self.class_names = None if class_names is None else _checked(class_names)
        self._source = os.fspath(source)
        self._first_pixel = first_pixel
        self._places: dict[str, str] = {}
        self._outlines: list[list[Region]] = []
        self._sizes: list[Size | None] = []
        self._boxes: list[dict[tuple[float, ...], None]] = []
        self._flaws: dict[Flaw, list[str]] = defaultdict(list)

    def begin_image(self, path: str, where: str, size: Size | None = None) -> None:
        """Boxes that come from now on are those of this image.

        Parameters
        ----------
        path : str
            As the dataset will name it.
        where : str
            Where it is named.
        size : (int, int), optional
            (height, width) in pixels, where the source says so.

        Raises
        ------
        DatasetError
            If there was one of this path: each would have a part of the boxes.
        """
        if path in self._places:
            raise DatasetError(
                f"{where}: the image {path!r} is named a second time, after {self._places[path]}: name it"
                " once, with all its boxes"
            )
        self._places[path] = where
        self._sizes.append(size)
        self._outlines.append([])
        self._boxes.append({})

    def add(self, corners: Corners, category: int, where: str) -> None:
        """Take one box, unless it has a `Flaw`.

        Raises
        ------
        DatasetError
            If it cannot be used; begins with `where`.
        """
        x1, y1, x2, y2 = corners
        if not all(map(math.isfinite, corners)) or x2 < x1 or y2 < y1:
            raise DatasetError(f"{where}: expected a box with x1 <= x2 and y1 <= y2, got {corners}")
        self._check_class(category, where)
        box = (x1 - self._first_pixel, y1 - self._first_pixel, x2, y2, category)
        flaw = self._flaw_of(box)
        if flaw is None:
            self._boxes[-1][box] = None
        else:
            self._flaws[flaw].append(where)

    def draw(self, outline: Outline, category: int, where: str) -> None:
        """Take a region of the image's mask, on top of those before; DatasetError as of `add`."""
        self._check_class(category, where)
        self._outlines[-1] += outline.regions(category + FIRST_CLASS)

    def refuse_fractions(self) -> None:
        """Raise a DatasetError if all boxes, of pixels, seem to be fractions."""
        rows = np.array([box for boxes in self._boxes for box in boxes]).reshape(-1, 5)
        if are_fractions(rows[:, :4] + [self._first_pixel, self._first_pixel, 0, 0]):
            raise DatasetError(f"{self._source}: {FRACTIONS_REMEDY}")

    def parts(self, directory: str | None, wanted: Wanted, *, validate_filenames: bool) -> Parts:
        """All that was gathered and is wanted; warns of what is left out.

        Raises
        ------
        DatasetError
            If there is no image.
        """
        if not self._places:
            raise DatasetError(f"{self._source} names no image")
        self._report()
        self.bad_rows.report()
        paths = relative(list(self._places), directory)
        rows: Sequence[int] = range(len(paths))
        if validate_filenames:
            rows = np.flatnonzero(present(paths, directory, self._source, "images")).tolist()
        boxes: list[Any] = [list(self._boxes[row]) for row in rows]
        return Parts(
            [paths[row] for row in rows],
            class_names=self.class_names,
            further=(self._masks(rows),) if wanted.masks else (),
            boxes=boxes if wanted.boxes else None,
            directory=directory,
            dropped_rows=tuple(self.bad_rows.dropped),
        )

    def _masks(self, rows: Sequence[int]) -> DrawnMasks:
        places = list(self._places.values())
        regions = []
        for row in rows:
            size = self._sizes[row]
            if size is None:
                raise DatasetError(f"{places[row]}: a mask needs the height and width of its image")
            regions.append(joined(size, self._outlines[row]))
        highest = max((region.value for row in rows for region in self._outlines[row]), default=0)
        return DrawnMasks(regions, highest)

    def _flaw_of(self, box: tuple[float, ...]) -> Flaw | None:
        x1, y1, x2, y2, _ = box
        height, width = self._sizes[-1] or (math.inf, math.inf)
        if x1 == x2 or y1 == y2:
            return Flaw.FLAT
        if self._sizes[-1] is not None and (x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height):
            return Flaw.OUTSIDE
        return Flaw.REPEATED if box in self._boxes[-1] else None

    def _report(self) -> None:
        if self._flaws:
            parts = (f"{len(where):,} {flaw}, the first at {where[0]}" for flaw, where in self._flaws.items())
            warn(f"left out boxes: {'; '.join(parts)}")

    def _check_class(self, category: int, where: str) -> None:
        if category < 0:
            raise DatasetError(f"{where}: expected a class from 0 on, got {category}")
        if self.class_names is not None and category >= len(self.class_names):
            raise DatasetError(
                f"{where}: expected a class below {len(self.class_names)}, the number of class_names,"
                f" got {category}"
            )


def _checked(class_names: Sequence[str]) -> list[str]:
    """Refuse what is no list of different names."""
    if isinstance(class_names, str | os.PathLike):
        name = os.fspath(class_names)
        raise DatasetError(
            f"class_names must be a list of names, got {name!r}: of a file with one name a line,"
            f" Path({name!r}).read_text().splitlines() makes one"
        )
    given: Iterable[Any] = class_names
    if isinstance(given, dict) and all(isinstance(name, int) for name in given):
        # Ultralytics' data.yaml has names by number instead of numbers by name.
        given = {name: number for number, name in given.items()}
    names = ordered("class_names", given)
    if not all(isinstance(name, str) and name for name in names) or not 0 < len(names) == len(set(names)):
        raise DatasetError(f"class_names must be a list of different names, got {class_names!r:.300}")
    return names
