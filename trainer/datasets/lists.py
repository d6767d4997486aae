"""Lists and arrays in, the parts of a dataset out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from feedline.common.errors import DatasetError
from feedline.common.sample.companions import Role
from feedline.trainer.datasets.columns import Column, Parts, file_names, numbers_of, weights_of
from feedline.trainer.datasets.files import relative
from feedline.trainer.datasets.further import FurtherImages


def read_lists(
    paths: Sequence[str],
    labels: Any,
    weights: Any,
    further: Iterable[tuple[Role, Sequence[str] | None]],
    directory: str | None,
) -> Parts:
    """Turn file names, and labels and weights unless they are None, into the parts of a dataset."""
    names = file_names(Column.of("paths", paths))
    targets = () if labels is None else (numbers_of(_like(names, "labels", labels)).copy(),)
    given = None if weights is None else weights_of(_like(names, "weights", weights))
    images = tuple(
        FurtherImages(role, relative(file_names(_like(names, f"{role} files", column)), directory))
        for role, column in further
        if column is not None
    )
    return Parts(relative(names, directory), targets, weights=given, further=images, directory=directory)


def _like(paths: Sequence[str], name: str, values: Any) -> Column:
    """Make a column with one cell per path."""
    column = Column.of(name, values)
    if len(column.cells) != len(paths):
        raise DatasetError(f"got {len(paths):,} paths and {len(column.cells):,} {name}: give one per path")
    return column
