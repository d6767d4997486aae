"""Labels by ID, as old generators look them up, in the order of a list of IDs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from feedline.common.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.columns import Array, Column, numbers_of
from feedline.trainer.datasets.labels import class_targets, numbered

NUM_QUOTED = 3
"""IDs that an error names."""


def labels_in_order(ids: Sequence[Any], labels: Any, n_classes: int | None = None) -> Array | None:
    """Look up the label of each ID.

    Parameters
    ----------
    ids : sequence of str or int
        As in `list_IDs`; an ID may occur several times.
    labels : DataFrame, Series, mapping, array-like or None
        A frame or series is looked up by its index, a mapping by its keys; both may have more than
        `ids`. Anything else has one label for each ID, in that order.
    n_classes : int, optional
        Labels are class numbers, to become rows of zeros and a one, as Keras' ``to_categorical`` makes.

    Returns
    -------
    ndarray or None
        Shape (num_ids,), or (num_ids, num_columns) of a frame even if it has one column, dtype as given;
        (num_ids, n_classes) float32 with `n_classes`. Names become their places in `class_names_of`. None
        without labels.

    Raises
    ------
    DatasetError
        An ID has no label or two of them, a label is not a number, or the lengths differ.
    ConfigurationError
        `n_classes` without class numbers.
    """
    if labels is None:
        if n_classes is not None:
            raise ConfigurationError(f"n_classes={n_classes} needs labels, got none")
        return None
    column = Column.of("labels", _looked_up(ids, labels))
    names = class_names_of(labels)
    if names is None:
        found = numbers_of(column)
    else:
        _check_number_of(names, n_classes)
        found = numbered(replace(column, cells=column.cells.reshape(len(ids))), names)
    return found if n_classes is None else _one_hot(found, n_classes)


def class_names_of(labels: Any) -> list[str] | None:
    """The different names, sorted, if labels are names; those of all IDs, so that every part counts alike."""
    values = labels.values() if isinstance(labels, Mapping) else getattr(labels, "to_numpy", lambda: labels)()
    listed = Column.of("labels", list(values)).cells if labels is not None else np.empty(0, object)
    # A frame of one column has rows of one cell.
    cells = [cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell for cell in listed]
    is_named = bool(cells) and all(isinstance(cell, str) for cell in cells)
    return sorted(set(cells)) if is_named else None


def _check_number_of(names: Sequence[str], n_classes: int | None) -> None:
    if n_classes not in {None, len(names)}:
        raise ConfigurationError(
            f"n_classes={n_classes}, and labels have {len(names)} different names, {_quoted(names)}: they are"
            " numbered in sorted order, which is sure only if all of them occur. Pass numbers instead"
        )


def _looked_up(ids: Sequence[Any], labels: Any) -> Any:
    if hasattr(labels, "iloc"):
        return _from_pandas(ids, labels)
    if isinstance(labels, Mapping):
        _refuse_missing([name for name in ids if name not in labels], list(labels), "keys")
        return [labels[name] for name in ids]
    if len(labels) != len(ids):
        raise DatasetError(
            f"got {len(ids):,} IDs and {len(labels):,} labels. An array has one label for each of list_IDs,"
            " in that order; a dict or a DataFrame indexed by ID may have more"
        )
    return labels


def _from_pandas(ids: Sequence[Any], labels: Any) -> Array:
    rows = labels[labels.index.isin(ids)]
    _refuse_missing([name for name in ids if name not in rows.index], labels.index.tolist(), "index")
    repeated = rows.index[rows.index.duplicated()].tolist()
    if repeated:
        raise DatasetError(
            f"labels has several rows for {_quoted(repeated)}: keep one of each, such as with"
            " labels[~labels.index.duplicated()]"
        )
    return np.asarray(rows.iloc[rows.index.get_indexer(ids)])


def _refuse_missing(missing: Sequence[Any], known: Sequence[Any], where: str) -> None:
    if missing:
        raise DatasetError(
            f"labels has nothing for {_quoted(missing)}; there is {_quoted(known)} in its {where}. Labels are"
            " looked up by ID: use set_index(...) if a column has the IDs, or pass an array in the order of"
            " list_IDs"
        )


def _quoted(ids: Sequence[Any]) -> str:
    shown = ", ".join(repr(name) for name in ids[:NUM_QUOTED])
    more = len(ids) - NUM_QUOTED
    return f"{shown} and {more:,} more" if more > 0 else shown or "nothing"


def _one_hot(labels: Array, n_classes: int) -> Array:
    """Rows of `n_classes` zeros with a one at each class number."""
    if labels.ndim != 1 or labels.dtype.kind not in "biu":
        raise ConfigurationError(
            f"n_classes={n_classes} makes rows of class numbers, one whole number each; labels are of shape"
            f" {labels.shape} and dtype {labels.dtype}: leave n_classes out to have them as they are"
        )
    outside = labels[(labels < 0) | (labels >= n_classes)]
    if len(outside):
        raise ConfigurationError(
            f"n_classes={n_classes} takes the class numbers 0 to {n_classes - 1}, got {outside[0]}"
        )
    return class_targets(labels.astype(np.intp), "categorical", [str(number) for number in range(n_classes)])
