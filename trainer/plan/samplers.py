"""Which samples make an epoch when that is not each of them once.

A sampler is declared before there is a dataset, and `Sampler.bind` makes a `Drawing` of it: how many
samples an epoch has, the same in all epochs because Keras asks for the length once, and which rows
they are, drawn anew for each (seed, epoch). Wherever counts can be kept exact they are: a sample is
drawn a second time only when all others of its kind were drawn once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import number, whole
from feedline.common.errors import ConfigurationError, DatasetError
from feedline.common.signatures import constructor_suggests
from feedline.trainer.datasets.columns import Array, Column, codes_of, column_named, weights_of
from feedline.trainer.datasets.splits import class_values
from feedline.trainer.plan.drawings import Drawing, Quotas, Rows, Wheel, apportioned

NUM_SHOWN = 10
"""Values that an error lists."""


class Labelled(Protocol):
    """What a sampler reads of an `ImageDataset`."""

    @property
    def columns(self) -> dict[Any, Array]:
        """Arrays of shape (num_samples,), by name."""

    @property
    def class_names(self) -> list[str] | None:
        """In the order of their indices, which may be the labels."""

    @property
    def targets(self) -> tuple[Array, ...]:
        """Arrays of shape (num_samples, ...)."""

    def __len__(self) -> int: ...


@runtime_checkable
class Sampler(Protocol):
    """What ``BatchSequence(sampler=...)`` takes; one of your own needs this method and nothing else."""

    def bind(self, samples: Labelled) -> Drawing:
        """Make the drawing for a dataset; ConfigurationError or DatasetError if it cannot be sampled so."""


@constructor_suggests()
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


@constructor_suggests()
@dataclass(frozen=True, slots=True)
class KeepProbabilitySampler:
    """Each sample with the probability of its value: an epoch without most of the easy samples.

    Of the n samples of a value with probability p, round(n * p) are drawn, none of them twice: as many as
    would be kept on average, but the same number each epoch.

    Parameters
    ----------
    keep : mapping
        From each value to the probability, in [0, 1], that a sample is in an epoch. Classes may go by names.
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
        valued = _valued(self, samples, self.keep, self.by, "probability").values()
        return Quotas(tuple(rows for rows, _ in valued), tuple(round(len(rows) * p) for rows, p in valued))


@constructor_suggests()
@dataclass(frozen=True, slots=True)
class SharesSampler:
    """Fixed shares of an epoch for the samples of each value: of each of several data sets, mixed.

    The shares are exact in every epoch, to within one sample. Of one value all samples are drawn equally
    often, to within one, as by `BalancedSampler`.

    Parameters
    ----------
    shares : mapping
        From each value to its share, 0 or more; of their sum. Classes may go by names. A class without a
        sample, as a split may have one, leaves its share to the others; another value without one is refused.
    by : str, optional
        Column that the values are from, such as the ``"source"`` of `ImageDataset.concatenate`. Default: the
        dataset's labels, one class index per sample.
    num_samples : int, optional
        Samples of an epoch, at least 1. Default: as many as the dataset has.

    Raises
    ------
    ConfigurationError
        Shares that are none, or `num_samples` that cannot work.

    Examples
    --------
    >>> SharesSampler({"real": 0.75, "drawn": 0.25}, by="source")
    SharesSampler(shares={'real': 0.75, 'drawn': 0.25}, by='source', num_samples=None)
    """

    shares: Mapping[Any, float]
    by: str | None = None
    num_samples: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not isinstance(self.shares, Mapping):
            raise ConfigurationError(
                f"shares of SharesSampler must map values to numbers, got {self.shares!r}"
            )
        for value, share in self.shares.items():
            label = f"the share of {value!r} in SharesSampler"
            if number(label, share) < 0:
                raise ConfigurationError(f"{label} must be 0 or more, got {share!r}")
        if not sum(self.shares.values()):
            raise ConfigurationError(f"the shares of SharesSampler must not all be 0, got {self.shares!r}")
        _check_length(self, self.num_samples)

    def bind(self, samples: Labelled) -> Drawing:
        """See `Sampler`."""
        valued = _valued(self, samples, self.shares, self.by, "share")
        groups, shares = zip(*valued.values(), strict=True)
        if self.by is not None or samples.class_names is None:
            self._check_is_there(valued)
        if not sum(shares):
            raise ConfigurationError(
                f"{self!r} has no share for any sample: {_where(self.by)} has {_listed(valued)} alone"
            )
        num_samples = len(samples) if self.num_samples is None else self.num_samples
        return Quotas(groups, apportioned(num_samples, shares))

    def _check_is_there(self, values: Collection[Any]) -> None:
        """Refuse a share of what no sample has: the others would have other shares than they are given."""
        for value, share in self.shares.items():
            if share and value not in values:
                raise ConfigurationError(
                    f"{self!r} has a share for {value!r}, which {_where(self.by)} has not: there are"
                    f" {_listed(values)}. Leave it out, or give it 0"
                )


@constructor_suggests()
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WeightedSampler:
    """Samples in proportion to a weight: each draw takes sample i with probability w[i] / sum(w).

    Draws are independent, so that a sample may come several times in an epoch, or not at all.

    Parameters
    ----------
    weights : str, array-like or mapping
        Column of the dataset with one weight per sample, 0 or more; the weights themselves, shape
        (num_samples,), in the order of the dataset; or from each class, its name or its index, to the weight
        of each of its samples.
    num_samples : int, optional
        Samples of an epoch, at least 1. Default: as many as the dataset has.

    Raises
    ------
    ConfigurationError, DatasetError
        If `num_samples` or a weight cannot work.

    Examples
    --------
    >>> WeightedSampler([0.5, 0.5, 3.0], num_samples=6)
    WeightedSampler(3 weights, num_samples=6)
    >>> WeightedSampler({"cat": 1.0, "dog": 2.5})
    WeightedSampler({'cat': 1.0, 'dog': 2.5})
    """

    weights: Any
    num_samples: int | None = None

    def __post_init__(self) -> None:
        """Refuse a length that is none, and weights that are."""
        _check_length(self, self.num_samples)
        if isinstance(self.weights, Mapping):
            checked = weights_of(Column.of("the weights of WeightedSampler", list(self.weights.values())))
            object.__setattr__(self, "weights", dict(zip(self.weights, checked.tolist(), strict=True)))
        elif self._is_array:
            column = Column.of("the weights of WeightedSampler", self.weights)
            object.__setattr__(self, "weights", weights_of(column))

    def __repr__(self) -> str:
        weights = f"{len(self.weights):,} weights" if self._is_array else repr(self.weights)
        return f"WeightedSampler({weights}{_length_in_words(self.num_samples)})"

    def bind(self, samples: Labelled) -> Drawing:
        """See `Sampler`."""
        weights = self._weights_of(samples)
        if not weights.any():
            where = "" if self._is_array else f" in {self.weights!r}"
            raise DatasetError(f"all weights{where} are 0: nothing can be drawn")
        num_samples = len(samples) if self.num_samples is None else self.num_samples
        return Wheel(np.cumsum(weights, dtype=np.float64), num_samples)

    @property
    def _is_array(self) -> bool:
        return isinstance(self.weights, Iterable) and not isinstance(self.weights, str | Mapping)

    def _weights_of(self, samples: Labelled) -> npt.NDArray[np.float32]:
        """One for each sample."""
        if isinstance(self.weights, Mapping):
            return self._weights_by_class(self.weights, samples)
        if not self._is_array:
            return weights_of(column_named(self.weights, samples.columns))
        if len(self.weights) != len(samples):
            raise DatasetError(
                f"{self!r} has {len(self.weights):,} weights for a dataset of {len(samples):,} samples: give"
                " one for each, in the order of dataset.filenames. A column of the dataset is split with it"
            )
        weights: npt.NDArray[np.float32] = self.weights
        return weights

    def _weights_by_class(self, by_class: Mapping[Any, float], samples: Labelled) -> npt.NDArray[np.float32]:
        weights = np.zeros(len(samples), np.float32)
        for rows, weight in _valued(self, samples, by_class, None, "weight").values():
            weights[rows] = weight
        return weights


def _groups(sampler: Sampler, samples: Labelled, by: str | None) -> dict[Any, Rows]:
    """Rows by the value that they have in column `by`, or as their class; values as they first come."""
    if by is None:
        column = Column.of("labels", class_values(samples.targets, f"{sampler!r}, without by=,"))
    else:
        column = column_named(by, samples.columns)
    values, codes = codes_of(column, "a value: which class the sample is of")
    ends = np.cumsum(np.bincount(codes))
    return dict(zip(values, np.split(np.argsort(codes, kind="stable"), ends[:-1]), strict=True))


def _valued(
    sampler: Sampler, samples: Labelled, numbers: Mapping[Any, float], by: str | None, what: str
) -> dict[Any, tuple[Rows, float]]:
    """The rows of each value of `_groups`, and the number that it is given; classes may go by their names."""
    groups = _groups(sampler, samples, by)
    names = samples.class_names if by is None else None
    valued = {}
    for value, rows in groups.items():
        key = names[int(value)] if names is not None and value not in numbers else value
        if key not in numbers:
            raise ConfigurationError(f"{sampler!r} has no {what} for {key!r}, which {_where(by)} has: add it")
        valued[value] = rows, numbers[key]
    if names is not None:
        _check_classes(sampler, numbers, names, what)
    return valued


def _check_classes(sampler: Sampler, numbers: Mapping[Any, float], names: list[str], what: str) -> None:
    """Refuse numbers for what is no class, and two for one; a class may have no sample, as after a split."""
    classes = {*names, *range(len(names))}
    for key, number_of_key in numbers.items():
        if number_of_key and key not in classes:
            raise ConfigurationError(
                f"{sampler!r} has a {what} for {key!r}, which is no class: those are {_listed(names)}"
            )
    for index, name in enumerate(names):
        if index in numbers and name in numbers:
            raise ConfigurationError(
                f"{sampler!r} has a {what} for {name!r} and one for {index}, which is the same class: leave"
                " one out"
            )


def _listed(values: Iterable[Any]) -> str:
    """The values that there are, in words; not all of many."""
    shown = [repr(value) for value in values]
    more = f" and {len(shown) - NUM_SHOWN:,} more" if len(shown) > NUM_SHOWN else ""
    return f"{', '.join(shown[:NUM_SHOWN])}{more}"


def _where(by: str | None) -> str:
    return "the dataset" if by is None else f"column {by!r}"


def _length_in_words(num_samples: int | None) -> str:
    return "" if num_samples is None else f", num_samples={num_samples}"


def _check_length(sampler: Sampler, num_samples: int | None) -> None:
    if num_samples is not None:
        whole(f"num_samples of {type(sampler).__name__}", num_samples, at_least=1)
