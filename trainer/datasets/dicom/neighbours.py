"""An index of DICOM files and a dataset: whose each sample is, and which slices are its neighbours.

pandas is never imported here: whoever hands an index over has imported it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError, DatasetError
from feedline.common.signatures import suggests
from feedline.trainer.datasets.columns import Array
from feedline.trainer.datasets.dicom.volumes import VOLUME, volumes, warn_of_parts
from feedline.trainer.datasets.stacks import Stacks
from feedline.trainer.datasets.table import D

if TYPE_CHECKING:
    import pandas as pd


Rows = npt.NDArray[np.intp]

COLUMNS = ("sop", "patient", "study", "series", "instance", "position")
"""What a dataset takes over, to be split and sorted by."""


@suggests()
def with_dicom_index(dataset: D, index: pd.DataFrame, *, neighbours: int = 0) -> D:
    """Say of each DICOM file whose it is, and put it between its neighbours.

    Parameters
    ----------
    index : pandas.DataFrame
        What `feedline.build_index` makes of the dataset's directory. It adds the columns "patient",
        "study", "series", "sop", "instance" and "position", in place of others of these names: split
        with ``group_col="patient"``.
    neighbours : int
        Make each sample a stack of 2 * `neighbours` + 1 slices of its volume, from the lowest position
        along the normal of the slices to the highest, itself in the middle; at the ends of a volume its
        last slice is repeated. Neighbours are taken from all files of the index: see `volumes`. One warning
        says which series are not one volume.

    Raises
    ------
    ConfigurationError, DatasetError
        Not a number of neighbours; a file is not in the index, could not be read or has no position, or
        nothing says whose it is.
    """
    rows = index_rows(index, dataset.paths)
    columns = dataset.columns | index_columns(index, rows)
    stacks = neighbour_stacks(index, rows, neighbours) if neighbours else None
    return replace(dataset, columns=columns, stacks=stacks)


def index_rows(index: pd.DataFrame, paths: Sequence[str]) -> Rows:
    """Row of each file in the index, shape (num_paths,).

    Raises
    ------
    DatasetError
        A file is not in the index, or its header could not be read; names it.
    """
    missing_columns = {"filename", "reason", *COLUMNS, *VOLUME} - set(getattr(index, "columns", ()))
    if missing_columns:
        raise DatasetError(
            f"expected the DataFrame that build_index returns, got a {type(index).__name__} without the"
            f" columns {sorted(missing_columns)}"
        )
    places = {name: place for place, name in enumerate(index["filename"].tolist())}
    missing = [path for path in paths if path not in places]
    if missing:
        raise DatasetError(
            f"{len(missing):,} of {len(paths):,} files are not in the index, the first is {missing[0]!r}; the"
            f" index begins with {next(iter(places), '')!r}: make it by build_index of the same directory"
        )
    rows = np.fromiter((places[path] for path in paths), np.intp, len(paths))
    reasons = index["reason"].to_numpy()[rows]
    unread = np.flatnonzero(reasons != "")
    if len(unread):
        first = unread[0]
        raise DatasetError(
            f"the headers of {len(unread):,} files could not be read, the first is {paths[first]!r}:"
            f" {reasons[first]}. Leave out the files whose `reason` in the index is not empty"
        )
    return rows


def index_columns(index: pd.DataFrame, rows: Rows) -> dict[str, Array]:
    """`COLUMNS` for some rows; numbers are float64, NaN where there is none."""
    return {name: _cells(index[name])[rows] for name in COLUMNS}


def neighbour_stacks(index: pd.DataFrame, rows: Rows, neighbours: int) -> Stacks:
    """Each slice with as many neighbours on both sides.

    Slices of a volume are in the order of their position, then InstanceNumber, then name. Beyond the ends of
    a volume its last slice is repeated.

    Parameters
    ----------
    index : DataFrame
        Of `feedline.trainer.datasets.dicom.index.build_index`.
    rows : ndarray of int
        The slices.
    neighbours : int
        On each side, at least 1.

    Raises
    ------
    ConfigurationError, DatasetError
        Not a number of neighbours; a slice of a volume has no position, or nothing says whose it is.
    """
    if not isinstance(neighbours, int) or isinstance(neighbours, bool) or neighbours < 1:
        raise ConfigurationError(f"neighbours must be a whole number, 0 or more, got {neighbours!r}")
    volume = volumes(index)
    _refuse_without_owner(index, rows)
    _refuse_without_position(index, volume, rows)
    warn_of_parts(index, volume, rows)
    order, starts, ends = _ordered(index, volume)
    places = np.empty(len(index), np.intp)
    places[order] = np.arange(len(order))
    offsets = np.arange(-neighbours, neighbours + 1)
    wanted = places[rows][:, np.newaxis] + offsets
    own = places[rows]
    numbers = order[np.clip(wanted, starts[own][:, np.newaxis], ends[own][:, np.newaxis])]
    return Stacks(index["filename"].tolist(), numbers.astype(np.int32))


def _ordered(index: pd.DataFrame, volume: Rows) -> tuple[Rows, Rows, Rows]:
    """Rows volume by volume; and for each place in that order, the first and the last of its volume."""
    names = np.arange(len(index))
    order = np.lexsort((names, _cells(index["instance"]), _cells(index["position"]), volume))
    first = np.flatnonzero(np.diff(volume[order], prepend=-1))
    lengths = np.diff(first, append=len(order))
    return order, np.repeat(first, lengths), np.repeat(first + lengths - 1, lengths)


def _refuse_without_owner(index: pd.DataFrame, rows: Rows) -> None:
    owners = index[["patient", "study", "series"]].to_numpy(object)[rows]
    is_lost = (owners == "").all(axis=1)
    if is_lost.any():
        name = index["filename"].iloc[int(rows[np.argmax(is_lost)])]
        raise DatasetError(
            f"{name!r} has no PatientID, StudyInstanceUID and SeriesInstanceUID, so its neighbours are not"
            " known: leave out such files, or neighbours="
        )


def _refuse_without_position(index: pd.DataFrame, volume: Rows, rows: Rows) -> None:
    is_lost = np.isin(volume, volume[rows]) & np.isnan(_cells(index["position"]))
    if is_lost.any():
        name = index["filename"].iloc[int(np.argmax(is_lost))]
        raise DatasetError(
            f"{name!r} has no ImagePositionPatient or no ImageOrientationPatient, so the neighbours in its"
            " series are not known: leave out the series, or neighbours="
        )


def _cells(column: pd.Series[Any]) -> Array:
    if column.name in {"instance", "position"}:
        return column.to_numpy(np.float64, na_value=np.nan)
    return column.to_numpy(object)
