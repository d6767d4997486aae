"""The parts that frames, folders and lists are read into, and the numbers in them.

A column remembers its name and its rows' numbers in the table that was handed over, so that an
error about a cell still names the right row after other rows were dropped.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.batch.layout import DTYPES
from feedline.common.errors import DatasetError
from feedline.trainer.datasets.bad_rows import BadCellsError, DroppedRow
from feedline.trainer.datasets.further import AnyFurther

Array = npt.NDArray[Any]

#: Dtypes that a batch cannot hold, and the smallest one that holds the same numbers.
_WIDER = {"int8": "int16", "uint32": "int64", "uint64": "int64"}


@dataclass(frozen=True, slots=True)
class Column:
    """The cells of one column.

    Attributes
    ----------
    name : object
        As the table names it, mostly a text.
    cells : ndarray
        Shape (num_rows, ...).
    rows : ndarray of int64
        Shape (num_rows,): where each cell stands in the table that was handed over.
    """

    name: Any
    cells: Array
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, name: Any, values: Any) -> Column:
        """Make a column of any array-like; lists keep their cells as the objects they are."""
        is_list = isinstance(values, list | tuple)
        cells = np.fromiter(values, object, len(values)) if is_list else np.asarray(values)
        if cells.ndim == 0:
            raise DatasetError(f"{name} must have one entry per sample, got {values!r}")
        return cls(name, cells, np.arange(len(cells)))


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a dataset, each with one entry per sample: see `ImageDataset`."""

    paths: list[str]
    targets: tuple[Array, ...] = ()
    class_names: list[str] | None = None
    weights: npt.NDArray[np.float32] | None = None
    columns: dict[Any, Array] = field(default_factory=dict)
    further: tuple[AnyFurther, ...] = ()
    boxes: Sequence[Any] | None = None
    directory: str | None = None
    input_columns: tuple[Any, ...] = ()
    output_columns: tuple[Any, ...] = ()
    dropped_rows: tuple[DroppedRow, ...] = ()


def column_named(name: Any, columns: Mapping[Any, Array]) -> Column:
    """Take one of a dataset's columns; DatasetError if there is none of that name."""
    if not isinstance(name, Hashable):
        raise DatasetError(f"expected the name of a column of the dataset, got {name!r}")
    if name not in columns:
        raise DatasetError(no_such_column(name, list(columns), "dataset"))
    return Column.of(name, columns[name])


def no_such_column(name: Any, columns: list[Any], holder: str = "frame") -> str:
    """Say that a column is missing, what there is, and what may have been meant."""
    if not columns:
        return f"there is no column {name!r}: this {holder} has none. from_dataframe keeps a frame's columns"
    close = difflib.get_close_matches(str(name), [str(column) for column in columns], n=1)
    meant = f". Did you mean {close[0]!r}?" if close else ""
    return f"there is no column {name!r}; the columns of the {holder} are {columns}{meant}"


def codes_of(column: Column, expected: str) -> tuple[list[Any], npt.NDArray[np.intp]]:
    """Number the different values of a column.

    Parameters
    ----------
    column : Column
        Values that can be told apart.
    expected : str
        What a missing cell should have been, for the error.

    Returns
    -------
    values : list
        In the order in which they first come.
    codes : ndarray of int
        Shape (num_rows,): the place of each cell's value in `values`.

    Raises
    ------
    DatasetError
        If a cell is None or NaN.
    """
    cells = column.cells.tolist()
    refuse_first(
        column, (cell is None or (isinstance(cell, float) and isnan(cell)) for cell in cells), expected
    )
    places = {value: place for place, value in enumerate(dict.fromkeys(cells))}
    return list(places), np.fromiter((places[cell] for cell in cells), np.intp, len(cells))


def check_lengths(num_samples: int, arrays: Mapping[str, Sized]) -> None:
    """Raise a DatasetError unless each array has one entry per sample."""
    for name, array in arrays.items():
        if len(array) != num_samples:
            raise DatasetError(f"{name} has {len(array):,} entries for {num_samples:,} paths: give one each")


def check_targets(targets: Iterable[Array], num_samples: int) -> None:
    """Raise a DatasetError unless a batch can hold each array, one entry per sample."""
    for target in targets:
        check_lengths(num_samples, {"a target": target})
        if target.dtype.name not in DTYPES:
            raise DatasetError(f"a target has dtype {target.dtype}: expected one of {DTYPES}")


def refuse_first(column: Column, is_bad: Iterable[bool], expected: str) -> None:
    """Raise a BadCellsError that quotes the first bad cell, and knows all of them, if there is one."""
    _refuse(column, column.cells, [index for index, one in enumerate(is_bad) if one], expected)


def _refuse(column: Column, values: Array, bad: Sequence[int], expected: str) -> None:
    if len(bad):
        reasons = (f"is {_quoted(values[index])}: expected {expected}" for index in bad)
        raise BadCellsError(dict(zip(column.rows[bad].tolist(), reasons, strict=True)), column.name)


def file_names(column: Column) -> list[str]:
    """Turn a column of texts or paths into file names, refusing what is neither and what is empty."""
    cells = column.cells.tolist()
    # Path("") is ".", which is no file's name.
    is_bad = (not (isinstance(cell, str | os.PathLike) and cell and cell != Path()) for cell in cells)
    refuse_first(column, is_bad, "a file name (str or Path)")
    return [cell if type(cell) is str else os.fsdecode(cell) for cell in cells]


def numbers_of(column: Column) -> Array:
    """Turn a column into an array that a batch can hold.

    Parameters
    ----------
    column : Column
        Numbers or booleans, or equally long lists of them.

    Returns
    -------
    ndarray
        Shape (num_rows, ...), dtype one of `feedline.common.batch.layout.DTYPES`: the column's own where that
        is one of them, otherwise the smallest that holds the same numbers.

    Raises
    ------
    DatasetError
        If a cell is not a number, is not finite, or does not fit; the text quotes it.
    """
    values = _from_objects(column) if column.cells.dtype == object else column.cells
    if values.dtype.kind not in "biuf":
        _refuse_non_numbers(column)
        raise DatasetError(f"{column.name!r} has dtype {values.dtype}: expected numbers")
    _refuse_rows(column, values, np.isfinite(values), "a finite number")
    return _storable(column, values)


def weights_of(column: Column) -> npt.NDArray[np.float32]:
    """Turn a column into sample weights, shape (num_rows,), none of them negative."""
    values = numbers_of(column)
    if values.ndim != 1:
        raise DatasetError(f"{column.name!r} must hold one weight per sample, got shape {values.shape}")
    _refuse_rows(column, values, values >= 0, "a weight of 0 or more")
    _refuse_rows(column, values, values <= np.finfo(np.float32).max, "a weight that fits float32")
    return values.astype(np.float32)


def stacked(arrays: list[Array]) -> Array:
    """Make several arrays the columns of one, (num_rows, num_arrays); one array stays as it is."""
    return arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=1)


def _from_objects(column: Column) -> Array:
    """Let NumPy find the type of cells that are Python objects."""
    try:
        return np.array(column.cells.tolist())
    except ValueError:
        _refuse_non_numbers(column)
        first = np.shape(column.cells[0])
        unlike = (np.shape(cell) != first for cell in column.cells)
        refuse_first(column, unlike, f"the shape of the first, {first}")
        raise


def _refuse_non_numbers(column: Column) -> None:
    """Quote the first cell that is neither a number nor a list of numbers."""
    remedy = 'a number. from_dataframe takes class names with class_mode="categorical", "binary" or "sparse"'
    refuse_first(column, (not _is_numeric(cell) for cell in column.cells), remedy)


def _is_numeric(cell: Any) -> bool:
    try:
        return np.asarray(cell).dtype.kind in "biuf"
    except ValueError:  # a ragged list
        return False


def _refuse_rows(column: Column, values: Array, is_good: Array, expected: str) -> None:
    """Raise a BadCellsError of the rows of `values` that are not good throughout."""
    whole = is_good.reshape(len(values), -1).all(axis=1)
    _refuse(column, values, np.flatnonzero(~whole).tolist(), expected)


def _storable(column: Column, values: Array) -> Array:
    """Change the dtype to one that a batch can hold, without changing a number."""
    name = _WIDER.get(values.dtype.name, values.dtype.name)
    if name not in DTYPES:
        raise DatasetError(f"{column.name!r} has dtype {values.dtype.name}: expected one of {DTYPES}")
    if values.dtype.name == "uint64":
        fits = values <= np.iinfo(np.int64).max
        _refuse_rows(column, values, fits, "at most 2**63 - 1, the largest that a batch can hold")
    return values.astype(name, copy=False)


def _quoted(cell: Any) -> str:
    """Show a cell and, where it is not a string, its type."""
    plain = cell.tolist() if isinstance(cell, np.generic | np.ndarray) else cell
    return repr(plain) if isinstance(plain, str) else f"{plain!r} ({type(plain).__name__})"


def row_numbers(rows: npt.ArrayLike, num_samples: int) -> npt.NDArray[np.intp]:
    """Turn row numbers, or a mask of shape (num_samples,), into row numbers that exist."""
    array = np.asarray(rows)
    if array.dtype == np.bool_ and array.shape == (num_samples,):
        return np.flatnonzero(array)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise DatasetError(
            f"rows must be row numbers or a mask of shape ({num_samples},), "
            f"got {array.dtype} of shape {array.shape}"
        )
    outside = array[(array < 0) | (array >= num_samples)]
    if outside.size:
        raise DatasetError(f"there is no row {outside[0]}: rows go from 0 to {num_samples - 1}")
    return array.astype(np.intp)
