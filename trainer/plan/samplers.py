"""Which samples make an epoch when that is not each of them once.

A sampler is declared before there is a dataset, and `Sampler.bind` makes a `Drawing` of it: how many
samples an epoch has, the same in all epochs because Keras asks for the length once, and which rows
they are, drawn anew for each (seed, epoch). Wherever counts can be kept exact they are: a sample is
drawn a second time only when all others of its kind were drawn once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import number, whole
from feedline.common.draws import Purpose, raw, uniforms
from feedline.common.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.columns import Array, Column, codes_of, column_named, weights_of
from feedline.trainer.datasets.splits import class_values

Rows = npt.NDArray[np.intp]


class Labelled(Protocol):
    """What a sampler reads of an `ImageDataset`."""

    @property
    def columns(self) -> dict[str, Array]:
        """Arrays of shape (num_samples,), by name."""

    @property
    def targets(self) -> tuple[Array, ...]:
        """Arrays of shape (num_samples, ...)."""

    def __len__(self) -> int: ...


class Drawing(Protocol):
    """A sampler that has seen its dataset."""

    @property
    def num_samples(self) -> int:
        """Samples of an epoch, repetitions counted; the same in all epochs."""

    def rows(self, seed: int, epoch: int) -> Rows:
        """Draw the rows of an epoch, shape (num_samples,), ascending; a function of (seed, epoch) alone."""


@runtime_checkable
class Sampler(Protocol):
    """What ``BatchSequence(sampler=...)`` takes; one of your own needs this method and nothing else."""

    def bind(self, samples: Labelled) -> Drawing:
        """Make the drawing for a dataset; ConfigurationError or DatasetError if it cannot be sampled so."""


@dataclass(frozen=True, slots=True)
class BalancedSampler:
    """As many samples of each class: classes differ by one sample at most.

    Within a class all samples are drawn equally often, to within one, and which of them are drawn once
    more changes from epoch to epoch. So every sample of a rare class is repeated, and of a common class
    a different part is seen each epoch.

    Parameters
    ----------
    by : str, optional
        Column of the dataset whose values are the classes. Default: the dataset's labels, which must say
        one class per sample.
    num_samples : int, optional
        Samples of an epoch, at least 1. Default: as many as the dataset has.

    Raises
    ------
    ConfigurationError
        If `num_samples` cannot work.
    """

    by: str | None = None
    num_samples: int | None = None

    def __post_init__(self) -> None:
        """Refuse a length that is none."""
        _check_length(self, self.num_samples)

    def bind(self, samples: Labelled) -> Drawing:
        """See `Sampler`."""
        groups = _groups(self, samples, self.by)
        num_samples = len(samples) if self.num_samples is None else self.num_samples
        share, rest = divmod(num_samples, len(groups))
        return Quotas(tuple(groups.values()), tuple(share + (place < rest) for place in range(len(groups))))


@dataclass(frozen=True, slots=True)
class KeepProbabilitySampler:
    """Each sample with the probability of its value: an epoch without most of the easy samples.

    Of the n samples of a value with probability p, round(n * p) are drawn, none of them twice: as many as
    would be kept on average, but the same number each epoch.

    Parameters
    ----------
    keep : mapping
        From each value to the probability, in [0, 1], that a sample is in an epoch.
    by : str, optional
        Column that the values are from. Default: the dataset's labels, one class index per sample.

    Raises
    ------
    ConfigurationError
        If a probability is none.

    Examples
    --------
    >>> KeepProbabilitySampler({0: 0.35, 1: 0.5}, by="any")
    KeepProbabilitySampler(keep={0: 0.35, 1: 0.5}, by='any')
    """

    keep: Mapping[Any, float]
    by: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not isinstance(self.keep, Mapping):
            raise ConfigurationError(
                f"keep of KeepProbabilitySampler must map values to probabilities, got {self.keep!r}"
            )
        for value, probability in self.keep.items():
            label = f"the probability of {value!r} in KeepProbabilitySampler"
            if not 0 <= number(label, probability) <= 1:
                raise ConfigurationError(f"{label} must lie in [0, 1], got {probability!r}")

    def bind(self, samples: Labelled) -> Drawing:
        """See `Sampler`."""
        groups = _groups(self, samples, self.by)
        for value in groups:
            if value not in self.keep:
                raise ConfigurationError(
                    f"{self!r} has no probability for {value!r}, which {_where(self.by)} has: add it to keep"
                )
        counts = tuple(round(len(rows) * self.keep[value]) for value, rows in groups.items())
        return Quotas(tuple(groups.values()), counts)


@dataclass(frozen=True, slots=True)
class WeightedSampler:
    """Samples in proportion to a weight: each draw takes sample i with probability w[i] / sum(w).

    Draws are independent, so that a sample may come several times in an epoch, or not at all.

    Parameters
    ----------
    column : str
        Column of the dataset with one weight per sample, 0 or more.
    num_samples : int, optional
        Samples of an epoch, at least 1. Default: as many as the dataset has.

    Raises
    ------
    ConfigurationError
        If `num_samples` cannot work.
    """

    column: str
    num_samples: int | None = None

    def __post_init__(self) -> None:
        """Refuse a length that is none."""
        _check_length(self, self.num_samples)

    def bind(self, samples: Labelled) -> Drawing:
        """See `Sampler`."""
        weights = weights_of(column_named(self.column, samples.columns))
        if not weights.any():
            raise DatasetError(f"all weights in {self.column!r} are 0: nothing can be drawn")
        num_samples = len(samples) if self.num_samples is None else self.num_samples
        return Wheel(np.cumsum(weights, dtype=np.float64), num_samples)


@dataclass(frozen=True, slots=True, eq=False)
class Quotas:
    """A fixed number of samples of each group, drawn as evenly as numbers allow.

    Attributes
    ----------
    groups : tuple of ndarray of int
        Rows of each group; no row in two of them.
    counts : tuple of int
        Samples of each group in an epoch.
    """

    groups: tuple[Rows, ...]
    counts: tuple[int, ...]

    @property
    def num_samples(self) -> int:
        """See `Drawing`."""
        return sum(self.counts)

    def rows(self, seed: int, epoch: int) -> Rows:
        """See `Drawing`."""
        words = raw(Purpose.SAMPLE, seed, epoch, sum(map(len, self.groups)))
        drawn = [
            part
            for rows, count in zip(self.groups, self.counts, strict=True)
            for part in _evenly(rows[np.argsort(words[rows], kind="stable")], count)
        ]
        return np.sort(np.concatenate(drawn))


@dataclass(frozen=True, slots=True, eq=False)
class Wheel:
    """Independent draws with given weights, each sample a sector of a wheel.

    Attributes
    ----------
    ends : ndarray of float64
        Shape (rows,): where each sector ends, which is the sum of the weights so far.
    num_samples : int
        Draws of an epoch.
    """

    ends: npt.NDArray[np.float64]
    num_samples: int

    def rows(self, seed: int, epoch: int) -> Rows:
        """See `Drawing`."""
        places = uniforms(Purpose.SAMPLE, seed, epoch, self.num_samples) * self.ends[-1]
        # A product may be rounded up to the very end; the sector there is the last that is not empty.
        last = np.searchsorted(self.ends, self.ends[-1], side="left")
        return np.sort(np.minimum(np.searchsorted(self.ends, places, side="right"), last))


def occurrences_of(rows: Rows) -> Rows:
    """Count how often each row came before in `rows`, shape as `rows`: 0 for the first time."""
    by_row = np.argsort(rows, kind="stable")
    ordered = rows[by_row]
    occurrences = np.empty_like(rows)
    occurrences[by_row] = np.arange(len(rows)) - np.searchsorted(ordered, ordered, side="left")
    return occurrences


def _evenly(rows: Rows, count: int) -> tuple[Rows, Rows]:
    """`count` of `rows`: all of them as often as they fit, and the first once more."""
    num_rounds, rest = divmod(count, len(rows))
    return np.tile(rows, num_rounds), rows[:rest]


def _groups(sampler: Sampler, samples: Labelled, by: str | None) -> dict[Any, Rows]:
    """Rows by the value that they have in column `by`, or as their class; values as they first come."""
    if by is None:
        column = Column.of("labels", class_values(samples.targets, f"{sampler!r}, without by=,"))
    else:
        column = column_named(by, samples.columns)
    values, codes = codes_of(column, "a value: which class the sample is of")
    ends = np.cumsum(np.bincount(codes))
    return dict(zip(values, np.split(np.argsort(codes, kind="stable"), ends[:-1]), strict=True))


def _where(by: str | None) -> str:
    return "the dataset" if by is None else f"column {by!r}"


def _check_length(sampler: Sampler, num_samples: int | None) -> None:
    if num_samples is not None:
        whole(f"num_samples of {type(sampler).__name__}", num_samples, at_least=1)
