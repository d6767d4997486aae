"""The boxes of a dataset: one array per sample, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from feedline.common.errors import DatasetError

Array = npt.NDArray[Any]

ROUNDING = 0.01
"""Exporters round: fractions of an image may be so much below 0, or above 1."""

FRACTIONS_REMEDY = (
    "boxes are in pixels, and all of these lie between 0 and 1, as if they were fractions of the image:"
    " multiply x by its width and y by its height"
)
"""What to say of boxes that `are_fractions`."""


def checked_boxes(
    boxes: Sequence[Any], num_samples: int, class_names: Sequence[str] | None
) -> tuple[Array, ...]:
    """Bring boxes into one form.

    Parameters
    ----------
    boxes : sequence of array-like
        One for each sample, of shape (num_boxes, 5); ``[]`` where there is none.
    num_samples : int
        How many there must be.
    class_names : sequence of str or None
        Classes are indices of these, if there are any.

    Returns
    -------
    tuple of ndarray
        float32 of shape (num_boxes, 5): x1, y1, x2, y2 in pixels, and the class.

    Raises
    ------
    DatasetError
        If one cannot be used; names the sample and quotes the box.
    """
    if len(boxes) != num_samples:
        raise DatasetError(f"boxes has {len(boxes):,} entries for {num_samples:,} paths: give one each")
    arrays = tuple(_rows(sample, given) for sample, given in enumerate(boxes))
    _check(arrays, class_names)
    return arrays


def own_boxes(boxes: Sequence[Any] | None) -> list[Any] | None:
    """Copy boxes where a caller may change them later: `checked_boxes` makes new arrays of lists alone."""
    if boxes is None:
        return None
    return [given if isinstance(given, list | tuple) else np.array(given) for given in boxes]


def are_fractions(coordinates: Array) -> bool:
    """Whether the coordinates of all boxes of a dataset, of any shape, seem to be fractions of an image.

    A box of one whole pixel in the corner does not.
    """
    in_range = (coordinates >= -ROUNDING) & (coordinates <= 1 + ROUNDING)
    return bool(in_range.all() and ((coordinates > 0) & (coordinates < 1)).any())


def refuse_fractions(boxes: Sequence[Array] | None) -> None:
    """Raise a DatasetError if boxes that were checked `are_fractions`."""
    if boxes is not None and are_fractions(np.concatenate(boxes)[:, :4]):
        raise DatasetError(FRACTIONS_REMEDY)


def _rows(sample: int, given: Any) -> Array:
    try:
        rows = np.asarray(given, np.float32)
    except (TypeError, ValueError):
        raise DatasetError(
            f"boxes of sample {sample} must be rows of five numbers, x1, y1, x2, y2 and the class; got"
            f" {given!r}"
        ) from None
    if rows.size == 0:
        return np.zeros((0, 5), np.float32)
    if rows.ndim != 2 or rows.shape[1] != 5:
        raise DatasetError(
            f"boxes of sample {sample} must have shape (num_boxes, 5), for x1, y1, x2, y2 and the class;"
            f" got {rows.shape}"
        )
    return rows


def _check(arrays: tuple[Array, ...], class_names: Sequence[str] | None) -> None:
    rows = np.concatenate(arrays)
    category = rows[:, 4]
    known = np.inf if class_names is None else len(class_names)
    checks: list[tuple[Array, str]] = [
        (np.isfinite(rows).all(axis=1), "five finite numbers"),
        (np.less(rows[:, :2], rows[:, 2:4]).all(axis=1), "x1 < x2 and y1 < y2"),
        (category >= 0, "a class from 0 on"),
        (category == np.trunc(category), "a class that is a whole number"),
        (category < known, f"a class below {known}, the number of class_names"),
    ]
    for is_good, expected in checks:
        if not is_good.all():
            _refuse(arrays, int(np.argmin(is_good)), expected)


def _refuse(arrays: tuple[Array, ...], index: int, expected: str) -> NoReturn:
    """Quote one of all boxes."""
    sample = int(np.searchsorted(np.cumsum([len(array) for array in arrays]), index, side="right"))
    box = np.concatenate(arrays)[index].tolist()
    raise DatasetError(f"a box of sample {sample} is {box}: expected {expected}")
