"""A pandas DataFrame in, the parts of a dataset out.

pandas is never imported here: whoever hands a frame over has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError, DatasetError
from feedline.common.sample.companions import Role
from feedline.trainer.datasets.bad_rows import BadCellsError, BadRows
from feedline.trainer.datasets.classes import ordered, ordered_classes
from feedline.trainer.datasets.columns import (
    Array,
    Column,
    Parts,
    file_names,
    no_such_column,
    refuse_first,
    weights_of,
)
from feedline.trainer.datasets.further import FurtherImages
from feedline.trainer.datasets.labels import (
    CLASS_MODES,
    FILE_MODES,
    NAMED_MODES,
    UNLABELLED_MODES,
    Targets,
    targets_from_columns,
)
from feedline.trainer.datasets.listing import files
from feedline.trainer.datasets.listing.missing import present

if TYPE_CHECKING:
    import pandas as pd


Names = Any
"""The name of a column, a text or, of a frame without a header, a number; or a list of them."""


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """Which columns mean what: the arguments of ``from_dataframe``, checked.

    Attributes
    ----------
    directory : str or None
        What file names are relative to.
    x_col, y_col, weight_col
        Columns of file names, labels and weights; one, or several, of each of the first two.
    class_mode : str or None
        One of `labels.CLASS_MODES`.
    classes : list of str or None
        Classes to keep, in the order of their indices; given as that, or as the index of each.
    """

    directory: str | None
    x_col: Names
    y_col: Names
    weight_col: Any
    class_mode: str | None
    classes: Any

    def __post_init__(self) -> None:
        """Refuse what cannot work, and arguments that do not go together."""
        if self.class_mode not in CLASS_MODES:
            raise ConfigurationError(f"class_mode must be one of {CLASS_MODES}, got {self.class_mode!r}")
        if not _listed(self.x_col) or self.x_col in ("", None):
            raise ConfigurationError(f"x_col must be the name of a column, or several, got {self.x_col!r}")
        for argument in ("x_col", "y_col"):
            if _is_list(getattr(self, argument)):
                object.__setattr__(self, argument, ordered(argument, getattr(self, argument)))
        self._check_label_columns()
        self._check_classes()

    def _check_label_columns(self) -> None:
        if not self.label_columns and self.class_mode not in UNLABELLED_MODES:
            raise ConfigurationError(
                f'class_mode="{self.class_mode}" takes at least one label column, got y_col={self.y_col!r}'
            )
        if self.class_mode in NAMED_MODES and len(self.label_columns) != 1:
            raise ConfigurationError(
                f'class_mode="{self.class_mode}" takes one label column, got y_col={self.y_col!r}. '
                'Use "raw" for one array of several columns, "multi_output" for several arrays'
            )
        if self.class_mode == "multi_output" and not _is_list(self.y_col):
            raise ConfigurationError(f'class_mode="multi_output" takes a list, got y_col={self.y_col!r}')

    def _check_classes(self) -> None:
        if self.classes is None:
            return
        if self.class_mode not in NAMED_MODES:
            raise ConfigurationError(
                f"classes has no meaning with class_mode={self.class_mode!r}: leave it out"
            )
        names = ordered_classes("classes", self.classes) if _is_list(self.classes) else []
        if not names or not all(isinstance(name, str | int | np.integer) for name in names):
            raise ConfigurationError(f"classes must be a list of class names, got {self.classes!r}")
        object.__setattr__(self, "classes", names)

    @property
    def label_columns(self) -> list[str]:
        """Names of the label columns, none if the mode reads none."""
        if self.class_mode in UNLABELLED_MODES:
            return []
        return _listed(self.y_col)

    @property
    def output_columns(self) -> list[Any]:
        """Columns of which each becomes an array of its own to predict."""
        return self.label_columns if self.class_mode in ("multi_output", *FILE_MODES) else []

    @property
    def further(self) -> list[tuple[Role, str]]:
        """Columns that name files beside the first, and what those are for."""
        role = FILE_MODES.get(str(self.class_mode))
        inputs = [(Role.INPUT, name) for name in _listed(self.x_col)[1:]]
        return inputs + ([] if role is None else [(role, name) for name in self.label_columns])

    @property
    def file_columns(self) -> list[str]:
        """Columns that name files, that of ``x`` first."""
        return [_listed(self.x_col)[0], *(name for _, name in self.further)]

    @property
    def used(self) -> list[str]:
        """Every column that is read for something."""
        labels = [] if self.class_mode in FILE_MODES else self.label_columns
        weight = [] if self.weight_col is None else [self.weight_col]
        return [*self.file_columns, *labels, *weight]


def read_frame(
    frame: pd.DataFrame, request: FrameRequest, *, validate_filenames: bool, bad_rows: BadRows | None = None
) -> Parts:
    """Turn a frame into the parts of a dataset; without the rows that cannot be used, where they may drop."""
    bad_rows = bad_rows or BadRows()
    _check_frame(frame)
    _check_columns(frame, request)
    kept = np.arange(len(frame))
    while True:
        try:
            parts = _read(frame.iloc[kept], request, validate_filenames=validate_filenames)
            break
        except BadCellsError as error:
            if not bad_rows.drops or len(error.reasons) == len(kept):
                raise
            # Each turn drops all rows that one of the checks refuses: there are no more turns than checks.
            for row, reason in error.reasons.items():
                bad_rows.add(f"row {kept[row]} (counted from 0) of {error.name!r}", reason)
            kept = np.delete(kept, list(error.reasons))
    bad_rows.report()
    return replace(parts, dropped_rows=tuple(bad_rows.dropped))


def _read(frame: pd.DataFrame, request: FrameRequest, *, validate_filenames: bool) -> Parts:
    names = {column: file_names(Column.of(column, frame[column].tolist())) for column in request.file_columns}
    found = np.ones(len(frame), np.bool_)
    for column, paths in names.items() if validate_filenames else ():
        found &= present(paths, request.directory, f"column {column!r}")
    rows = np.flatnonzero(found)
    targets = _targets(frame, request, rows)
    rows = rows[targets.keep]

    def paths_in(column: str) -> list[str]:
        return files.relative([names[column][row] for row in rows.tolist()], request.directory)

    return Parts(
        paths_in(request.file_columns[0]),
        targets.arrays,
        targets.class_names,
        _weights(frame, request, rows),
        _all_columns(frame, rows),
        tuple(FurtherImages(role, paths_in(column)) for role, column in request.further),
        directory=request.directory,
        input_columns=tuple(_listed(request.x_col)),
        output_columns=tuple(request.output_columns),
    )


def _is_list(columns: Names) -> bool:
    return isinstance(columns, Iterable) and not isinstance(columns, str)


def _listed(columns: Names) -> list[Any]:
    return list(columns) if _is_list(columns) else [columns]


def _targets(frame: pd.DataFrame, request: FrameRequest, rows: npt.NDArray[np.intp]) -> Targets:
    named = [] if request.class_mode in FILE_MODES else request.label_columns
    columns = [_column(frame, name, rows) for name in named]
    return targets_from_columns(columns, request.class_mode, request.classes, len(rows))


def _weights(
    frame: pd.DataFrame, request: FrameRequest, rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32] | None:
    if request.weight_col is None:
        return None
    return weights_of(_column(frame, request.weight_col, rows))


def _column(frame: pd.DataFrame, name: Any, rows: npt.NDArray[np.intp]) -> Column:
    """Take one column without missing cells."""
    column = replace(Column.of(name, frame[name].to_numpy()[rows]), rows=rows)
    refuse_first(column, frame[name].isna().to_numpy()[rows], "a value: drop the row or fill it in")
    return column


def _all_columns(frame: pd.DataFrame, rows: npt.NDArray[np.intp]) -> dict[Any, Array]:
    """Keep what a later split may group by; a column whose name occurs twice cannot be named."""
    names = frame.columns[~frame.columns.duplicated(keep=False)].tolist()
    return {name: _without_na(frame[name])[rows] for name in names}


def _without_na(series: pd.Series[Any]) -> Array:
    """Say None for every missing cell of an object column: pandas has four ways to."""
    values = series.to_numpy()
    if values.dtype == object and series.hasnans:
        values = values.copy()
        values[series.isna().to_numpy()] = None
    return values


def _check_frame(frame: Any) -> None:
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(frame, pandas.DataFrame):
        raise ConfigurationError(
            f"from_dataframe takes a pandas.DataFrame, got {type(frame).__name__}; for lists use from_lists"
        )
    if not len(frame):
        raise DatasetError("the frame has no rows")
    if frame.columns.nlevels > 1:
        raise DatasetError(
            f"the columns of the frame have {frame.columns.nlevels} levels, such as {frame.columns[0]!r}:"
            " give each one name, such as by frame.columns = ['_'.join(names) for names in frame.columns]"
        )


def _check_columns(frame: pd.DataFrame, request: FrameRequest) -> None:
    """Raise a DatasetError unless every column is there once and used once."""
    for name in request.used:
        if name not in frame.columns:
            raise DatasetError(no_such_column(name, list(frame.columns)))
        if not frame.columns.is_unique and list(frame.columns).count(name) > 1:
            raise DatasetError(f"the frame has several columns named {name!r}: rename them")
        if request.used.count(name) > 1:
            raise DatasetError(
                f"column {name!r} is used twice: x_col, y_col and weight_col are {request.used}"
            )
