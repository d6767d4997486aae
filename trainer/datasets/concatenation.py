"""`ImageDataset.concatenate`: several data sets as one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from feedline.common.errors import DatasetError
from feedline.common.signatures import suggests
from feedline.trainer.datasets.columns import Array
from feedline.trainer.datasets.further import AnyFurther, DrawnMasks, FurtherImages
from feedline.trainer.datasets.listing.files import relative
from feedline.trainer.datasets.stacks import Stacks
from feedline.trainer.datasets.table import D, SampleTable


@suggests()
def concatenate(
    cls: type[D], datasets: Mapping[str, D] | Sequence[D], *, source_col: str | None = "source"
) -> D:
    """Make one dataset of several, whose samples follow one another.

    Parameters
    ----------
    datasets : mapping of str to ImageDataset, or sequence of them
        Their names, and what they are; without names they are called by their numbers, from 0. They must have
        the same kinds of everything: labels of equal shape, classes in the same order, weights, boxes, masks.
    source_col : str, optional
        A column of this name says which set each sample is from: for `SharesSampler`, or to split by. None:
        there is no such column.

    Returns
    -------
    ImageDataset
        Its `directory` is the nearest folder that holds those of all. `columns` has those that all have.

    Raises
    ------
    DatasetError
        What one has and another has not, or has otherwise; names both.

    Examples
    --------
    >>> real = ImageDataset.from_lists(["1.png", "2.png"], [0, 1])
    >>> drawn = ImageDataset.from_lists(["3.png"], [1])
    >>> ImageDataset.concatenate({"real": real, "drawn": drawn}).columns["source"].tolist()
    ['real', 'real', 'drawn']
    """
    named = _named(cls, datasets)
    first_name, first = next(iter(named.items()))
    for name, other in named.items():
        if differs := _difference(first, other):
            raise DatasetError(f"{first_name!r} and {name!r} cannot be one dataset: {differs}")
    moved = _under_one_root(list(named.values()))
    columns = {
        column: np.concatenate([table.columns[column] for table in moved])
        for column in first.columns
        if all(column in table.columns for table in moved)
    }
    if source_col is not None:
        columns[_free(source_col, columns)] = np.repeat(
            np.array(list(named), object), [len(table) for table in moved]
        )
    return replace(
        moved[0],
        paths=[path for table in moved for path in table.paths],
        targets=tuple(map(np.concatenate, zip(*(table.targets for table in moved), strict=True))),
        weights=None if first.weights is None else np.concatenate([_present(t.weights) for t in moved]),
        columns=columns,
        further=tuple(map(_joined, zip(*(table.further for table in moved), strict=True))),
        boxes=None if first.boxes is None else [boxes for t in moved for boxes in t.boxes or ()],
        stacks=None if first.stacks is None else _stacked([_present(t.stacks) for t in moved]),
        dropped_rows=tuple(row for table in moved for row in table.dropped_rows),
    )


def _named(kind: type[D], datasets: Any) -> dict[Any, D]:
    """The sets by their names."""
    named = dict(datasets) if isinstance(datasets, Mapping) else dict(enumerate(datasets))
    if not named:
        raise DatasetError("concatenate needs at least one dataset, got none")
    for name, dataset in named.items():
        if not isinstance(dataset, kind):
            raise DatasetError(f"concatenate joins datasets, but {name!r} is {dataset!r}")
    return named


@dataclass(frozen=True, slots=True)
class _Kind:
    """What must be alike in all, in words."""

    what: str
    value: Any

    @classmethod
    def all_of(cls, table: SampleTable) -> list[_Kind]:
        targets = [(target.shape[1:], target.dtype.name) for target in table.targets]
        further = [(type(images).__name__, str(images.role), images.values) for images in table.further]
        return [
            cls("labels of shape and dtype", targets),
            cls("classes", table.class_names),
            cls("sample weights", table.weights is not None),
            cls("boxes", table.boxes is not None),
            cls("further images", further),
            cls("slices of a stack", table.num_slices),
            cls("target_is_input", table.target_is_input),
            cls("reading of DICOM files", table.dicom),
        ]


def _difference(one: SampleTable, other: SampleTable) -> str:
    """Say in what two tables differ that must not; empty if they go together."""
    for mine, its in zip(_Kind.all_of(one), _Kind.all_of(other), strict=True):
        if mine.value != its.value:
            remedy = "; give both the same classes=" if mine.what == "classes" else ""
            return f"{mine.what}: {mine.value} and {its.value}{remedy}"
    return ""


def _under_one_root(tables: list[D]) -> list[D]:
    """The same tables, their paths relative to the nearest folder that holds those of all."""
    if len({table.root for table in tables}) == 1:
        return tables
    root = os.path.commonpath([table.root for table in tables])
    return [_moved(table, root, os.path.relpath(table.root, root)) for table in tables]


def _moved(table: D, root: str, prefix: str) -> D:
    """A table whose paths go down from `root`, to whose own `prefix` leads; absolute ones outside stay."""

    def moved(names: Sequence[str]) -> list[str]:
        if prefix != os.curdir:
            names = [name if name.startswith("/") else os.path.normpath(f"{prefix}/{name}") for name in names]
        return relative(names, root)

    further = tuple(
        replace(images, paths=moved(images.paths)) if isinstance(images, FurtherImages) else images
        for images in table.further
    )
    stacks = table.stacks and replace(table.stacks, files=moved(table.stacks.files))
    return replace(table, paths=moved(table.paths), directory=root, root=root, further=further, stacks=stacks)


def _joined(parts: Sequence[AnyFurther]) -> AnyFurther:
    """Further images of one kind, of all sets."""
    first = parts[0]
    if isinstance(first, DrawnMasks):
        drawn = [part for part in parts if isinstance(part, DrawnMasks)]
        regions = [region for part in drawn for region in part.regions]
        return DrawnMasks(regions, max(part.highest for part in drawn))
    files = [part for part in parts if isinstance(part, FurtherImages)]
    return replace(first, paths=[path for part in files for path in part.paths])


def _stacked(parts: Sequence[Stacks]) -> Stacks:
    """The stacks of all sets."""
    starts = np.cumsum([0, *(len(part.files) for part in parts[:-1])])
    numbers = [part.numbers + start for part, start in zip(parts, starts.tolist(), strict=True)]
    return Stacks([file for part in parts for file in part.files], np.concatenate(numbers))


def _free(name: str, columns: dict[Any, Array]) -> str:
    if name in columns:
        raise DatasetError(f"there is a column {name!r} already: choose another source_col=, or None")
    return name


def _present(value: Any) -> Any:
    """What `_difference` has made sure of."""
    if value is None:
        raise TypeError("one table has what another has not")
    return value
