"""Which rows an epoch has that is not each of them once: samplers that have seen their dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from feedline.common.draws import Purpose, raw, uniforms

Rows = npt.NDArray[np.intp]


class Drawing(Protocol):
    """A sampler that has seen its dataset."""

    @property
    def num_samples(self) -> int:
        """Samples of an epoch, repetitions counted; the same in all epochs."""

    def rows(self, seed: int, epoch: int) -> Rows:
        """Draw the rows of an epoch, shape (num_samples,), ascending; a function of (seed, epoch) alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Quotas:
    """A fixed number of samples of each group, drawn as evenly as numbers allow.

    Attributes
    ----------
    groups : tuple of ndarray of int
        Rows of each group; each row of the dataset in one of them.
    counts : tuple of int
        Samples of each group in an epoch.
    """

    groups: tuple[Rows, ...]
    counts: tuple[int, ...]
    _group_of: Rows = field(init=False)
    _giving: Rows = field(init=False)

    def __post_init__(self) -> None:
        """Find out which group each row is in, and which rows are in those that give any."""
        group_of = np.empty(sum(map(len, self.groups)), np.intp)
        for number, rows in enumerate(self.groups):
            group_of[rows] = number
        object.__setattr__(self, "_group_of", group_of)
        object.__setattr__(self, "_giving", np.flatnonzero(np.array(self.counts)[group_of]))

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

    def pools(self, row: int) -> list[Rows]:
        """Rows that may come in the place of one that is drawn: of its group, then of all that give any."""
        return [self.groups[self._group_of[row]], self._giving]


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

    def pools(self, row: int) -> list[Rows]:  # noqa: ARG002 - the same for all rows
        """Rows that may come in the place of one that is drawn: all whose sector is not empty."""
        return [np.flatnonzero(np.diff(self.ends, prepend=0) > 0)]


def apportioned(total: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Divide `total` in proportion to `shares`, each to within one.

    By largest remainders: every share is rounded down, and what is missing goes to those that lost most, the
    first on a tie.
    """
    exact = np.asarray(shares, np.float64) / sum(shares) * total
    counts = np.floor(exact).astype(np.intp)
    missing = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return tuple(counts.tolist())


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
