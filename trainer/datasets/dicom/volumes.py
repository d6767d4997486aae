"""Which slices belong together: those of one patient, study and series that lie in one direction.

Positions are numbers along the normal of a slice, in the coordinates of its frame of reference. So slices
of another orientation, such as those of a localizer, and of another frame are a volume of their own, though
they have the same SeriesInstanceUID; and so are those of another patient, since tools that anonymise
files may give all of them one UID, or none.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from feedline.common.notices import warn

if TYPE_CHECKING:
    import pandas as pd

Rows = npt.NDArray[np.intp]

Cosines = tuple[float, ...]
"""ImageOrientationPatient; empty where there is none."""

SERIES = ("patient", "study", "series")
"""What a series is found by in an index."""

VOLUME = (*SERIES, "frame", "orientation")
"""What a volume is found by."""

TOLERANCE = 1e-2
"""Directions whose cosines differ by less are one: half a degree."""


def volumes(index: pd.DataFrame) -> Rows:
    """A number for the volume of each row, from 0, in the order in which they first come."""
    rows = list(zip(*(index[name].tolist() for name in VOLUME), strict=True))
    numbers = count()
    codes: dict[tuple[str, ...], int] = {}
    directions: dict[tuple[str, ...], list[tuple[Cosines, int]]] = {}
    for row in dict.fromkeys(rows):
        alike = directions.setdefault(row[:-1], [])
        cosines = _cosines(row[-1])
        known = (code for other, code in alike if _is_one_direction(cosines, other))
        codes[row] = next(known, -1)
        if codes[row] < 0:
            codes[row] = next(numbers)
            alike.append((cosines, codes[row]))
    return np.fromiter((codes[row] for row in rows), np.intp, len(rows))


def _cosines(orientation: str) -> Cosines:
    return tuple(map(float, orientation.split("\\"))) if orientation else ()


def _is_one_direction(one: Cosines, other: Cosines) -> bool:
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(abs(a - b) < TOLERANCE for a, b in pairs)


def warn_of_parts(index: pd.DataFrame, volume: Rows, rows: Rows) -> None:
    """Say once which slices are nobody's neighbours in their series, of the series that `rows` are of."""
    series = np.asarray(index.groupby(list(SERIES), sort=False).ngroup(), np.intp)
    largest = _largest_part(series, volume)
    is_apart = np.isin(series, series[rows]) & (volume != largest[series])
    if is_apart.any():
        first = index.iloc[int(np.argmax(is_apart))]
        warn(
            f"{int(is_apart.sum()):,} slices lie in another direction or frame of reference than most of"
            f" their series, as localizers do, and are not taken for their neighbours; the first is"
            f" {first['filename']!r}"
        )


def _largest_part(series: Rows, volume: Rows) -> Rows:
    """The volume of each series that has most slices, shape (num_series,)."""
    sizes = np.bincount(volume)
    order = np.lexsort((-volume, sizes[volume]))  # the largest last, and of equal ones the first
    largest = np.empty(series.max() + 1, np.intp)
    largest[series[order]] = volume[order]
    return largest
