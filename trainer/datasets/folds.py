"""`ImageDataset.k_fold`, and the splits that are a matter of search: scikit-learn's and its companion's.

Unlike those of `feedline.trainer.datasets.splits` they are drawn by a library, and equal from one version of
it to the next only if it says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from feedline.common.arguments import whole, yes_or_no
from feedline.common.errors import ConfigurationError, DatasetError
from feedline.common.extras import what_is_missing
from feedline.common.signatures import suggests
from feedline.trainer.datasets.columns import Array, codes_of, column_named
from feedline.trainer.datasets.splits import class_values, warn_of_shared
from feedline.trainer.datasets.table import D, SampleTable


@suggests(n_splits="it is called num_folds", k="it is called num_folds", random_state="it is called seed")
def k_fold(
    dataset: D, num_folds: int = 5, seed: int = 0, *, group_col: Any = None, stratify: bool = False
) -> list[tuple[D, D]]:
    """Cut the samples into folds, each of which is held out once.

    Parameters
    ----------
    num_folds : int
        At least 2, and no more than there are samples, or groups.
    seed : int
        Which samples are drawn.
    group_col : str or int, optional
        Column whose equal values (slices of one patient) stay together.
    stratify : bool
        The same share of each class in all folds; of several labels a sample, of each label. Together with
        `group_col` as far as the groups allow, and then for one class a sample only.

    Returns
    -------
    list of (train, validation)
        One pair of datasets for each fold, their samples in dataset order. Every sample is in exactly one of
        the validation sides; a file of several samples may be in several, with a warning.

    Raises
    ------
    DatasetError, ConfigurationError
        What cannot be cut so; arguments that do not go together; packages that the extra ``splits`` brings.

    Notes
    -----
    The cuts are those of scikit-learn's ``KFold``, ``GroupKFold``, ``StratifiedKFold`` and
    ``StratifiedGroupKFold``. For several labels a sample they are the iterative ones of Sechidis, Tsoumakas
    and Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011, by the package
    iterative-stratification.

    Examples
    --------
    >>> data = ImageDataset.from_lists([f"{i}.png" for i in range(10)])
    >>> [len(validation) for _, validation in data.k_fold(5)]
    [2, 2, 2, 2, 2]
    """
    whole("num_folds", num_folds, at_least=2)
    whole("seed", seed, at_least=0, at_most=2**32 - 1)
    labels = _labels(dataset) if yes_or_no("stratify", stratify) else None
    groups = None if group_col is None else _groups(dataset, group_col)
    try:
        splitter = _splitter(labels, groups is not None, int(num_folds), int(seed))
    except ModuleNotFoundError as error:
        raise ConfigurationError(what_is_missing(error.name) or str(error)) from error
    placeholder = np.zeros(len(dataset)) if labels is None else labels
    try:
        cuts = list(splitter.split(np.zeros(len(dataset)), placeholder, groups))
    except ValueError as error:
        raise DatasetError(f"{dataset!r} cannot be cut into {num_folds} folds: {error}") from error
    warn_of_shared(dataset, [np.isin(np.arange(len(dataset)), held_out) for _, held_out in cuts])
    return [(dataset.subset(np.sort(train)), dataset.subset(np.sort(held_out))) for train, held_out in cuts]


def _splitter(labels: Array | None, has_groups: bool, num_folds: int, seed: int) -> Any:
    """Whoever cuts so."""
    from sklearn import model_selection  # noqa: PLC0415 - of the extra that only folds need

    if labels is not None and labels.ndim == 2:
        return _splitter_of_several(has_groups, num_folds, seed)
    if labels is None:
        kind = model_selection.GroupKFold if has_groups else model_selection.KFold
    else:
        kind = model_selection.StratifiedGroupKFold if has_groups else model_selection.StratifiedKFold
    return kind(num_folds, shuffle=True, random_state=seed)


def _splitter_of_several(has_groups: bool, num_folds: int, seed: int) -> Any:
    """Whoever cuts so where each sample has several labels."""
    if has_groups:
        raise ConfigurationError(
            "stratify=True with group_col needs one class a sample, and these have several labels: leave one"
            " out"
        )
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold  # noqa: PLC0415 - as above

    return MultilabelStratifiedKFold(num_folds, shuffle=True, random_state=seed)


def _labels(dataset: SampleTable) -> Array:
    """One class for each sample, (N,), or several labels, (N, K) of zeros and ones."""
    targets = dataset.targets
    if len(targets) == 1 and targets[0].ndim == 2 and targets[0].shape[1] > 1:
        several = targets[0]
        if np.isin(several, (0, 1)).all() and (several.sum(axis=1) != 1).any():
            return several.astype(np.int8)
    return class_values(targets, "stratify=True")


def _groups(dataset: SampleTable, group_col: Any) -> Array:
    column = column_named(group_col, dataset.columns)
    return codes_of(column, "a group: a sample without one could be on both sides")[1]
