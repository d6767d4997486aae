"""Names whose order counts: classes, columns."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, KeysView, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError


def ordered(argument: str, names: Iterable[Any]) -> list[Any]:
    """Read names in their order, from a list of them or from the index of each.

    Parameters
    ----------
    argument : str
        What the user calls them, for the message.
    names : iterable, or mapping of name to index
        Indices go from 0 on, each once.

    Raises
    ------
    ConfigurationError
        It is a set, whose order changes from process to process; or the indices are not such.
    """
    if isinstance(names, Mapping):
        return _by_index(argument, names)
    if isinstance(names, AbstractSet) and not isinstance(names, KeysView):  # those of a dict have an order
        raise ConfigurationError(
            f"{argument} must be a list: a set has no order, and the next process would see another;"
            f" got {names!r}"
        )
    return list(names)


def ordered_classes(argument: str, classes: Iterable[Any]) -> list[Any]:
    """`ordered`, each once; a ConfigurationError quotes what comes twice."""
    names = ordered(argument, classes)
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise ConfigurationError(
            f"{argument} has {twice[0]!r} at two places, and a class has one index: got {names[:8]}"
        )
    return names


def single_classes(
    targets: Sequence[npt.NDArray[Any]], class_names: Sequence[str] | None
) -> npt.NDArray[np.intp] | None:
    """The class of each sample, shape (num_samples,), where each has exactly one; None where that is not so.

    Whole numbers of shape (N,) are classes, rows of zeros and a one are, and other numbers of shape (N,) or
    (N, 1) if they have `class_names`.
    """
    if len(targets) != 1 or targets[0].ndim > 2:
        return None
    labels = targets[0]
    if labels.ndim == 2 and labels.shape[1] > 1:
        is_hot = bool(np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all())
        return labels.argmax(axis=1) if is_hot else None
    are_classes = class_names is not None or (labels.ndim == 1 and labels.dtype.kind in "biu")
    return labels.reshape(-1).astype(np.intp) if are_classes else None


def _by_index(argument: str, indices: Mapping[Any, Any]) -> list[Any]:
    names = {_whole(index): name for name, index in indices.items()}
    if names.keys() != set(range(len(indices))):
        raise ConfigurationError(
            f"{argument} must give its {len(indices)} names the numbers 0 to {len(indices) - 1}, each to one:"
            f" got {dict(indices)}"
        )
    return [names[index] for index in range(len(names))]


def _whole(index: Any) -> int | None:
    try:
        return None if isinstance(index, bool) else operator.index(index)
    except TypeError:
        return None
