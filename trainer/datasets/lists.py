"""Lists and arrays in, the parts of a dataset out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from feedline.common.errors import DatasetError
from feedline.common.sample.companions import Role
from feedline.trainer.datasets.columns import (
    Array,
    Column,
    Parts,
    file_names,
    numbers_of,
    refuse_first,
    weights_of,
)
from feedline.trainer.datasets.further import FurtherImages
from feedline.trainer.datasets.labels import are_names, numbered, warn_of_alike
from feedline.trainer.datasets.listing.files import relative


def read_lists(
    paths: Sequence[Any],
    labels: Any,
    weights: Any,
    further: Iterable[tuple[Role, Sequence[Any] | None]],
    directory: str | None,
    class_names: Sequence[str] | None = None,
) -> Parts:
    """Turn file names, and labels and weights unless they are None, into the parts of a dataset."""
    names = file_names(Column.of("paths", paths))
    targets, classes = _targets(None if labels is None else _like(names, "labels", labels), class_names)
    given = None if weights is None else weights_of(_like(names, "weights", weights))
    images = tuple(
        FurtherImages(role, relative(file_names(_like(names, f"{role} files", column)), directory))
        for role, column in further
        if column is not None
    )
    return Parts(
        relative(names, directory), targets, classes, weights=given, further=images, directory=directory
    )


def _targets(
    labels: Column | None, class_names: Sequence[str] | None
) -> tuple[tuple[Array, ...], list[str] | None]:
    """Numbers as they are, names as numbers of classes; and the names of all classes."""
    classes = _checked_names(class_names)
    if labels is None:
        return (), classes
    if are_names(labels):
        if classes is None:
            classes = sorted(set(labels.cells.tolist()))
            warn_of_alike(classes, "the classes in labels")
        return (numbered(labels, classes),), classes
    numbers = numbers_of(labels).copy()
    if classes is not None and numbers.ndim == 1:
        outside = ((numbers < 0) | (numbers >= len(classes))).tolist()
        refuse_first(labels, outside, f"a class from 0 to {len(classes) - 1}, of which class_names are")
    return (numbers,), classes


def _checked_names(class_names: Sequence[str] | None) -> list[str] | None:
    if class_names is None:
        return None
    names = list(class_names)
    is_list = isinstance(class_names, list | tuple) and all(isinstance(name, str) for name in names)
    if not is_list or not names or len(set(names)) < len(names):
        raise DatasetError(
            f"class_names must be a list of different names, the first of index 0; got {class_names!r}"
        )
    return names


def _like(paths: Sequence[str], name: str, values: Any) -> Column:
    """Make a column with one cell per path."""
    column = Column.of(name, values)
    if len(column.cells) != len(paths):
        raise DatasetError(f"got {len(paths):,} paths and {len(column.cells):,} {name}: give one per path")
    return column
