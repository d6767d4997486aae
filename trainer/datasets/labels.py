"""Columns of labels in, target arrays out: what Keras' ``class_mode`` and ``label_mode`` mean.

==============  ====================================  ==============================================
class_mode      cells                                 targets
==============  ====================================  ==============================================
categorical     class name, or list of them           (N, num_classes) float32 of zeros and ones
binary          one of two class names                (N,) float32, 0 or 1
sparse          class name                            (N,) int32
raw             number, one column or several         (N,) or (N, K), dtype as it is
multi_output    number or list of numbers             one array per column
mask            file name, one column or several      (N, height, width, 1): class numbers, moved as ``x`` is
image           file name, one column or several      (N, height, width, channels), moved as ``x`` is
input           none                                  none: the target is the image
None            none                                  none
==============  ====================================  ==============================================

Classes may be whole numbers from 0 on, or true and false, instead of names.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import DatasetError
from feedline.common.lookalikes import alike, differences
from feedline.common.notices import warn
from feedline.common.sample.companions import Role
from feedline.trainer.datasets.columns import Array, Column, numbers_of, refuse_first, stacked

CLASS_MODES = ("categorical", "binary", "sparse", "raw", "multi_output", "mask", "image", "input", None)
NAMED_MODES = ("categorical", "binary", "sparse")
"""Modes whose cells are class names."""

FILE_MODES = {"mask": Role.MASK, "image": Role.TARGET}
"""Modes whose cells name files."""

UNLABELLED_MODES = ("input", None)
"""Modes that read no label column."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What label columns became.

    Attributes
    ----------
    arrays : tuple of ndarray
        Each of shape (num_kept, ...).
    class_names : list of str or None
        In the order of their indices.
    keep : ndarray of bool
        Shape (num_rows,): False for rows whose label is not among the chosen classes.
    """

    arrays: tuple[Array, ...]
    class_names: list[str] | None
    keep: npt.NDArray[np.bool_]


def targets_from_columns(
    columns: Sequence[Column], class_mode: str | None, classes: Sequence[str] | None, num_rows: int
) -> Targets:
    """Make the targets of a table with `num_rows` rows from its label columns."""
    everything = np.ones(num_rows, np.bool_)
    if class_mode in UNLABELLED_MODES or class_mode in FILE_MODES:
        return Targets((), None, everything)
    if class_mode == "multi_output":
        return Targets(tuple(numbers_of(column) for column in columns), None, everything)
    if class_mode == "raw":
        return Targets((stacked([numbers_of(column) for column in columns]),), None, everything)
    return _named_targets(columns[0], str(class_mode), classes)


def class_targets(codes: npt.NDArray[np.intp], class_mode: str, class_names: Sequence[str]) -> Array:
    """Targets of samples that have one class each.

    Parameters
    ----------
    codes : ndarray of int
        Shape (N,), places in `class_names`.
    class_mode : {"categorical", "binary", "sparse"}
        As in the table above.
    class_names : sequence of str
        All classes.
    """
    if class_mode == "categorical":
        return _hot(np.arange(len(codes)), codes, (len(codes), len(class_names)))
    if class_mode == "binary":
        _check_two(class_names)
        return codes.astype(np.float32)
    return codes.astype(np.int32)


def numbered(column: Column, class_names: Sequence[str]) -> npt.NDArray[np.int32]:
    """Class names as their places in `class_names`, shape (num_rows,).

    Raises
    ------
    DatasetError
        If one is not in it; quotes it.
    """
    places = {name: place for place, name in enumerate(class_names)}
    cells = column.cells.tolist()
    shown = f"{list(class_names[:8])}{' and more' if len(class_names) > 8 else ''}"
    refuse_first(column, (cell not in places for cell in cells), f"one of the classes {shown}")
    return np.fromiter((places[cell] for cell in cells), np.int32, len(cells))


def warn_of_alike(names: Sequence[str], what: str) -> None:
    """Warn of two classes whose names look the same: one was meant."""
    pair = alike(names)
    if pair is not None:
        warn(
            f"{what} {pair[0]!r} and {pair[1]!r} are two, and their names differ only in {differences(*pair)}"
        )


def are_names(column: Column) -> bool:
    """Whether all cells are texts."""
    return column.cells.ndim == 1 and all(isinstance(cell, str) for cell in column.cells.tolist())


def _named_targets(column: Column, class_mode: str, classes: Sequence[Any] | None) -> Targets:
    """Targets of class names; rows of classes that were not chosen are left out, as Keras does."""
    owners, labels = _flat_labels(column, class_mode)
    found = _classes_in(column, labels) if classes is None else list(classes)
    places = {name: place for place, name in enumerate(found)}
    codes = np.fromiter((places.get(label, -1) for label in labels), np.intp, len(labels))
    keep = _kept(owners, codes, len(column.cells), classes)
    names = [str(name) for name in found]
    if classes is not None:
        _report_choice(column, labels, found, keep)
    if class_mode == "categorical":
        hot = _hot(owners[codes >= 0], codes[codes >= 0], (len(keep), len(names)))
        return Targets((hot[keep],), names, keep)
    return Targets((class_targets(codes[keep], class_mode, names),), names, keep)


def _flat_labels(column: Column, class_mode: str) -> tuple[npt.NDArray[np.intp], list[Any]]:
    """Every label of every row with the row it belongs to; a row of a list has several, or none."""
    cells = column.cells.tolist()
    may_be_list = class_mode == "categorical"
    kind = "a class name, or a list of them" if may_be_list else "a class name"
    expected = (
        f'{kind} (str, or whole numbers throughout), as class_mode="{class_mode}" takes. For numbers as they'
        ' are use "raw"'
    )
    if all(isinstance(cell, str) for cell in cells):
        _warn_of_several(column, cells)
        return np.arange(len(cells)), cells
    lists = [list(cell) if may_be_list and isinstance(cell, _LISTS) else [cell] for cell in cells]
    first = next(chain.from_iterable(lists), "")
    refuse_first(column, (not all(_is_like(first, name) for name in names) for names in lists), expected)
    owners = np.repeat(np.arange(len(lists)), [len(names) for names in lists])
    return owners, list(chain.from_iterable(lists))


_LISTS = (list, tuple, set, frozenset, np.ndarray)
"""What several classes of one sample may come in; files of parquet give arrays."""

_WHOLE = (int, np.integer)
_BOOLS = (bool, np.bool_)


def _is_like(first: Any, name: Any) -> bool:
    """Whether both are texts, both whole numbers, or both true or false."""
    for kind in (str, _BOOLS, _WHOLE):
        if isinstance(first, kind):
            return isinstance(name, kind) and (kind is _BOOLS or not isinstance(name, _BOOLS))
    return False


def _classes_in(column: Column, labels: Sequence[Any]) -> list[Any]:
    """The classes that there are, in the order of their indices; a number is its own index."""
    found = sorted(set(labels))
    if not found or isinstance(found[0], str):
        warn_of_alike(found, f"the classes in {column.name!r}")
        return found
    if isinstance(found[0], _BOOLS):
        return [False, True]
    if found != list(range(len(found))):
        shown = f"{found[:8]}"[:-1] + (", …]" if len(found) > 8 else "]")
        raise DatasetError(
            f"the classes in {column.name!r} are the numbers {shown}, which do not go from 0 on without gaps:"
            f" pass classes=range({max(0, found[-1]) + 1}) to have each number as its index, or classes="
            " with those there are, to have their places in it"
        )
    return found


def _warn_of_several(column: Column, cells: Sequence[str]) -> None:
    """Warn of cells that seem to name several classes: lists were meant."""
    different = set(cells)
    written = next((cell for cell in sorted(different) if _is_written_list(cell)), None)
    if written is None:
        _warn_of_joined(column, different)
    else:
        made = f"frame[{column.name!r}].map(ast.literal_eval)"
        _warn_of_one(column, written, f"frame[{column.name!r}] = {made}")


def _is_written_list(cell: str) -> bool:
    """Whether a text is a list, tuple or set of texts or numbers as Python writes it."""
    if cell.strip()[:1] not in _OPENING or _WITHOUT_COMMA.search(cell):
        return False
    try:
        return isinstance(ast.literal_eval(cell.strip()), list | tuple | set)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


_OPENING = ("[", "(", "{")

_WITHOUT_COMMA = re.compile(r"""['"]\s+['"]""")
"""In arrays as NumPy writes them: to Python, that is one text."""


def _warn_of_joined(column: Column, different: AbstractSet[str]) -> None:
    """Warn of cells like ``"a,b"`` if what they are made of occurs elsewhere, too."""
    for mark in ",;|":
        joined = [cell for cell in sorted(different) if mark in cell]
        seen = Counter(part.strip() for cell in different for part in cell.split(mark))
        suspect = next((c for c in joined if all(seen[part.strip()] > 1 for part in c.split(mark))), None)
        if suspect is not None:
            split = f"frame[{column.name!r}].str.split({mark!r})"
            _warn_of_one(column, suspect, f"frame[{column.name!r}] = {split}")
            return


def _warn_of_one(column: Column, suspect: str, remedy: str) -> None:
    warn(
        f"{suspect!r} in {column.name!r} is taken for the name of one class. If a sample has several,"
        f" make lists of them: {remedy}"
    )


def _kept(
    owners: npt.NDArray[np.intp],
    codes: npt.NDArray[np.intp],
    num_rows: int,
    classes: Sequence[str] | None,
) -> npt.NDArray[np.bool_]:
    """Mark rows with a chosen class; without a choice even an empty list stays, a row of zeros."""
    if classes is None:
        return np.ones(num_rows, np.bool_)
    return np.bincount(owners[codes >= 0], minlength=num_rows) > 0


def _report_choice(column: Column, labels: list[Any], names: list[Any], keep: npt.NDArray[np.bool_]) -> None:
    """Warn of what looks like a misspelt class: one without samples, while other rows are left out."""
    seen = Counter(labels)
    others = [label for label in seen if label not in names]
    unused = [name for name in names if name not in seen]
    if not keep.any():
        raise DatasetError(f"no row of {column.name!r} has one of classes={names}; it has {others[:5]}")
    if others and unused:
        warn(
            f"no sample has the classes {unused[:5]} of classes=, while {int((~keep).sum())} rows are "
            f"left out whose classes are not in it, such as {others[:5]}",
        )


def _hot(rows: Array, codes: Array, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Zeros with a one at each (row, code)."""
    hot = np.zeros(shape, np.float32)
    hot[rows, codes] = 1.0
    return hot


def _check_two(class_names: Sequence[str]) -> None:
    if len(class_names) != 2:
        shown = list(class_names[:5])
        raise DatasetError(
            f'"binary" needs exactly 2 classes, got {len(class_names)}: {shown}. '
            'Use "categorical" for more, or choose two with classes= or class_names='
        )
