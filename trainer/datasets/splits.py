"""`ImageDataset.split`: which samples are held out for validation.

Pure functions of numbers and a seed. The draws come from `feedline.common.draws.raw`, whose stream NumPy
promises for ever, and are only ever sorted (stably): a split made today is made again in ten years.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import yes_or_no
from feedline.common.draws import Purpose, raw
from feedline.common.errors import ConfigurationError, DatasetError
from feedline.common.notices import warn
from feedline.common.signatures import suggests
from feedline.trainer.datasets.columns import Array, Column, codes_of, column_named
from feedline.trainer.datasets.table import D, SampleTable

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]


@suggests()
def split(
    dataset: D,
    validation_split: float,
    seed: int = 0,
    *,
    group_col: Any = None,
    stratify: bool = False,
) -> tuple[D, D]:
    """Hold samples out for validation.

    Every sample is in exactly one of the two, in dataset order; equal arguments split equally for ever.

    Parameters
    ----------
    validation_split : float
        Share of the samples to hold out, strictly between 0 and 1, rounded down as Keras does.
    seed : int
        Which samples are drawn.
    group_col : str or int, optional
        Column whose equal values (slices of one patient) stay together, and shift the share a little.
    stratify : bool
        Hold out the same share of each class. Not with `group_col`: a group may have several.

    Returns
    -------
    train, validation : ImageDataset
        With a warning if a file of several samples is on both sides.

    Raises
    ------
    DatasetError, ConfigurationError
        If a side would be empty or there is no such column; if the arguments do not go together.

    Examples
    --------
    >>> data = ImageDataset.from_lists([f"{i}.png" for i in range(10)])
    >>> [len(side) for side in data.split(0.2, seed=7)]
    [8, 2]
    """
    if yes_or_no("stratify", stratify) and group_col is not None:
        raise ConfigurationError("group_col and stratify=True cannot be combined: choose one")
    request = SplitRequest(validation_split, seed, len(dataset))
    if group_col is not None:
        held_out = by_group(request, column_named(group_col, dataset.columns))
    elif stratify:
        held_out = by_class(request, class_codes(dataset.targets))
    else:
        held_out = by_sample(request)
    warn_of_shared(dataset, [held_out], instead_of=", instead of stratify=True," if stratify else "")
    return dataset.subset(~held_out), dataset.subset(held_out)


def warn_of_shared(dataset: SampleTable, cuts: Sequence[Mask], instead_of: str = "") -> None:
    """Warn of files that are on both sides, for validation would measure what was learnt by heart.

    Parameters
    ----------
    dataset : SampleTable
        All samples.
    cuts : sequence of ndarray of bool
        Which of them each split holds out, shape (num_samples,).
    instead_of : str
        What was asked for and does not go together with the remedy, between commas.
    """
    if len(set(dataset.paths)) == len(dataset.paths):
        return
    shared = {path for held_out in cuts for path in _on_both_sides(dataset.paths, held_out)}
    if not shared:
        return
    column = dataset.input_columns[0] if dataset.input_columns else "filename"
    remedy = f"group_col={column!r}{instead_of} keeps all samples of a file together"
    if column not in dataset.columns:
        remedy += ", in a dataset from_dataframe, which has columns"
    warn(
        f"{len(shared):,} of {len(set(dataset.paths)):,} files are on both sides of the split, such as"
        f" {min(shared)!r}, because several samples name them: {remedy}"
    )


def _on_both_sides(paths: Sequence[str], held_out: Mask) -> set[str]:
    sides: tuple[set[str], set[str]] = (set(), set())
    for path, side in zip(paths, held_out.tolist(), strict=True):
        sides[side].add(path)
    return sides[0] & sides[1]


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """How many of how many samples to hold out, and by which draws.

    Attributes
    ----------
    validation_split : float
        Share of the samples, strictly between 0 and 1.
    seed : int
        Equal seeds give equal splits.
    num_samples : int
        Samples in the dataset.
    """

    validation_split: float
    seed: int
    num_samples: int

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        if not isinstance(self.validation_split, Real) or not 0 < self.validation_split < 1:
            raise ConfigurationError(
                f"validation_split must lie strictly between 0 and 1, got {self.validation_split!r}"
            )
        if not isinstance(self.seed, int | np.integer):
            raise ConfigurationError(f"seed must be an int, got {self.seed!r}")

    @property
    def num_wanted(self) -> int:
        """Validation samples asked for, rounded down as Keras does."""
        return int(self.validation_split * self.num_samples)

    def order(self, num: int) -> Codes:
        """`num` things, shape (num,), in the order in which they are drawn."""
        return np.argsort(raw(Purpose.SPLIT, int(self.seed), 0, num), kind="stable")


def by_sample(request: SplitRequest) -> Mask:
    """Mark the samples drawn first, shape (num_samples,)."""
    held_out = np.zeros(request.num_samples, np.bool_)
    held_out[request.order(request.num_samples)[: request.num_wanted]] = True
    return both_sides(request, held_out)


def by_class(request: SplitRequest, codes: Codes) -> Mask:
    """Mark the samples drawn first within each class, shape (num_samples,).

    Each class gives its share to within one sample: the quotas are rounded down and what is
    missing goes to the classes that lost most, the first class on a tie.
    """
    order = request.order(request.num_samples)
    sizes = np.bincount(codes)
    by_code = order[np.argsort(codes[order], kind="stable")]
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    rank = np.arange(len(codes)) - starts
    held_out = np.zeros(request.num_samples, np.bool_)
    held_out[by_code] = rank < np.repeat(_quotas(request, sizes), sizes)
    return both_sides(request, held_out)


def by_group(request: SplitRequest, column: Column) -> Mask:
    """Mark whole groups, shape (num_samples,).

    Groups are drawn, and one is taken whenever that brings the number of validation samples
    closer to the number asked for, so that a giant group is passed over instead of overshooting.
    """
    _, codes = codes_of(column, "a group: a sample without one could be on both sides")
    sizes = np.bincount(codes)
    taken = np.zeros(len(sizes), np.bool_)
    missing = request.num_wanted
    for group in request.order(len(sizes)).tolist():
        if abs(missing - sizes[group]) < abs(missing):
            taken[group] = True
            missing -= sizes[group]
    return both_sides(request, taken[codes], f"; {column.name!r} has {_in_words(sizes)}")


def _quotas(request: SplitRequest, sizes: Codes) -> Codes:
    """Count validation samples per class: shares rounded down, the rest to the largest remainders."""
    shares = sizes * request.validation_split
    quotas = shares.astype(np.intp)
    num_left = max(0, request.num_wanted - int(quotas.sum()))
    quotas[np.argsort(quotas - shares, kind="stable")[:num_left]] += 1
    return quotas


def class_codes(targets: tuple[Array, ...]) -> Codes:
    """Give each class of a target array a number from 0, shape (N,); see `class_values`."""
    codes: Codes = np.unique(class_values(targets, "stratify=True"), return_inverse=True)[1]
    return codes


def class_values(targets: tuple[Array, ...], asker: str) -> Array:
    """Say which class each sample has.

    Parameters
    ----------
    targets : tuple of ndarray
        One of them: whole numbers of shape (N,) or (N, 1), or one-hot rows of shape (N, K).
    asker : str
        Who needs to know, for the error.

    Returns
    -------
    ndarray
        Shape (N,): the numbers as they are, or the place of the one in its row.

    Raises
    ------
    DatasetError
        If it is neither; several labels in a row are no class.
    """
    if len(targets) != 1:
        raise DatasetError(f"{asker} needs one label array, this dataset has {len(targets)}")
    target = targets[0]
    flat = target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target
    if flat.ndim == 2 and _is_one_hot(flat):
        flat = np.argmax(flat, axis=1)
    if flat.ndim != 1 or not np.array_equal(flat, np.trunc(flat)):
        raise DatasetError(
            f"{asker} needs one class per sample, as whole numbers of shape (N,) or one-hot "
            f"rows; the labels have shape {target.shape} and start with {target[0].tolist()!r}"
        )
    return flat


def _is_one_hot(target: Array) -> bool:
    return bool(np.isin(target, (0, 1)).all() and (target.sum(axis=1) == 1).all())


def both_sides(request: SplitRequest, held_out: Mask, why: str = "") -> Mask:
    """Refuse a split that leaves one side empty."""
    num_held_out = int(held_out.sum())
    if 0 < num_held_out < request.num_samples:
        return held_out
    empty = "training" if num_held_out else "validation"
    raise DatasetError(
        f"validation_split={request.validation_split} of {request.num_samples} samples asks for "
        f"{request.num_wanted} and leaves the {empty} side empty{why}. Choose another share"
    )


def _in_words(sizes: Codes) -> str:
    """Say how many groups there are and how large."""
    return f"{len(sizes)} groups of {sizes.min()} to {sizes.max()} samples"
