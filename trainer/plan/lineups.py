"""Which samples stand in a step: those of the plan, or what comes in the place of bad ones.

What takes a place depends on (seed, epoch, row, attempt) and on which samples are bad, never on when that was
found out or by whom. A sample that takes a place and is bad itself goes to the next attempt, so whoever finds
out one bad sample after the other ends at the same lineup as who knew all of them before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from feedline.common.draws import Purpose, uniforms
from feedline.common.errors import BadSamplesError
from feedline.trainer.plan.drawings import Rows
from feedline.trainer.plan.epochs import EpochPlan, StepKey

Marks = npt.NDArray[np.bool_]

NUM_DRAWN = 16
"""So many attempts are drawn at random; those after them go through all that is left, in order."""


class OnError(StrEnum):
    """What is done where a sample cannot be used."""

    RAISE = "raise"
    REPLACE = "replace"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, eq=False)
class Lineup:
    """The samples of a step.

    Attributes
    ----------
    rows, occurrences : ndarray of int
        Shape (items * num_sources,): those of each item stand together, its own first.
    num_sources : int
        Samples that become one item.
    places : ndarray of int
        Shape (items,), ascending: where each stands in the step as it was planned.
    is_blank : ndarray of bool
        Shape (items,): items of which nothing but the labels is delivered.
    has_blank : bool
        Whether there are any.
    """

    rows: Rows
    occurrences: Rows
    num_sources: int
    places: Rows
    is_blank: Marks
    has_blank: bool = False

    @property
    def items(self) -> Rows:
        """The row of each item, shape (items,)."""
        return self.rows[:: self.num_sources]

    def __len__(self) -> int:
        """Count the items."""
        return len(self.places)

    def row_at(self, place: int) -> int | None:
        """The row whose pixels stand at a place of the plan; None if none do."""
        index = int(np.searchsorted(self.places, place))
        is_there = index < len(self.places) and self.places[index] == place and not self.is_blank[index]
        return int(self.items[index]) if is_there else None


@dataclass(slots=True, eq=False)
class Lineups:
    """The lineups of all steps of a job.

    Attributes
    ----------
    plan : EpochPlan
        Which samples were to form which step.
    num_sources : int
        Samples that become one item.
    on_error : OnError
        What is done with an item one of whose samples is bad.
    classes : ndarray of int or None
        Shape (rows,): what takes a place is of the same class, as long as one is good that may be drawn.
    is_bad : ndarray of bool
        Shape (rows,): the samples that are known to be bad; see `mark`.
    has_bad : bool
        Whether there are any.
    """

    plan: EpochPlan
    num_sources: int = 1
    on_error: OnError = OnError.RAISE
    classes: Rows | None = None
    is_bad: Marks = field(init=False)
    has_bad: bool = field(default=False, init=False)
    _intact: dict[int, tuple[Rows, Marks]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Nothing is known to be bad at first."""
        self.is_bad = np.zeros(self.plan.num_samples, np.bool_)

    def mark(self, rows: Sequence[int]) -> None:
        """Samples are known to be bad from now on."""
        self.is_bad[rows] = True
        self.has_bad = self.has_bad or len(rows) > 0

    @property
    def leaves_blank(self) -> bool:
        """Whether nothing comes in the place of a bad sample: others would be taken for it."""
        return self.on_error is OnError.REPLACE and not self.plan.shuffle

    @property
    def remedy(self) -> str:
        """What is done with bad samples, in a clause."""
        if self.leaves_blank:
            return "whose places are filled with zeros"
        return "which are left out" if self.on_error is OnError.SKIP else "which are replaced"

    def of(self, key: StepKey) -> Lineup:
        """The lineup of a step.

        Raises
        ------
        BadSamplesError
            Nothing is left that could take a place.
        """
        planned = self.plan.rows(*key.planned), self.plan.occurrences(*key.planned)
        rows, occurrences = self._with_partners(key.epoch, *planned)
        places, nothing_blank = self._intact_of(len(rows) // self.num_sources)
        whole = Lineup(rows, occurrences, self.num_sources, places, nothing_blank)
        if not self.has_bad:
            return whole
        is_bad = np.any(self.is_bad[rows].reshape(-1, self.num_sources), axis=1)
        if not is_bad.any():
            return whole
        match self.on_error:
            case _ if self.leaves_blank:
                return Lineup(rows, occurrences, self.num_sources, places, is_bad, has_blank=True)
            case OnError.SKIP if not is_bad.all():
                return self._taken(whole, np.flatnonzero(~is_bad))
            case OnError.SKIP:
                # A batch is never empty.
                first = self._taken(whole, whole.places[:1])
                return self._replaced(key.epoch, first, is_bad[:1])
            case _:
                return self._replaced(key.epoch, whole, is_bad)

    def _intact_of(self, num_items: int) -> tuple[Rows, Marks]:
        """Places and marks of a step without a bad sample: made once, thousands are asked for in a second."""
        if num_items not in self._intact:
            self._intact[num_items] = np.arange(num_items), np.zeros(num_items, np.bool_)
        return self._intact[num_items]

    def _lineup(self, rows: Rows, occurrences: Rows, places: Rows) -> Lineup:
        return Lineup(rows, occurrences, self.num_sources, places, np.zeros(len(places), np.bool_))

    def _taken(self, lineup: Lineup, indices: Rows) -> Lineup:
        """Some items of a lineup."""
        rows, occurrences = (
            values.reshape(-1, self.num_sources)[indices].ravel()
            for values in (lineup.rows, lineup.occurrences)
        )
        return self._lineup(rows, occurrences, lineup.places[indices])

    def _replaced(self, epoch: int, lineup: Lineup, is_bad: Marks) -> Lineup:
        """Others in the place of bad items."""
        rows, occurrences = lineup.rows.copy(), lineup.occurrences.copy()
        for index in np.flatnonzero(is_bad).tolist():
            own = slice(index * self.num_sources, (index + 1) * self.num_sources)
            row, occurrence = int(rows[own][0]), int(occurrences[own][0])
            rows[own], occurrences[own] = self._replacement(epoch, row, occurrence)
        return self._lineup(rows, occurrences, lineup.places)

    def _replacement(self, epoch: int, row: int, occurrence: int) -> tuple[Rows, Rows]:
        """The first of the candidates that is good, and so are those that it is mixed with."""
        # Its draws are not those that it has in its own place: the two differ.
        mark = np.array([(row + 1 << 32) + occurrence])
        for candidate in self._candidates(epoch, row, occurrence):
            if not self.is_bad[candidate]:
                rows, occurrences = self._with_partners(epoch, np.array([candidate]), mark)
                if not self.is_bad[rows].any():
                    return rows, occurrences
        drawn = "" if self.plan.drawing is None else " that the sampler draws"
        raise BadSamplesError(
            f"no sample is left that could take the place of row {row}: all others{drawn} are bad"
        )

    def _candidates(self, epoch: int, row: int, occurrence: int) -> Iterator[int]:
        """Rows in the order of the attempts: those of the same class in each pool, then all of each."""
        draws = uniforms(
            Purpose.REPLACEMENT, self.plan.seed, epoch, NUM_DRAWN, row=row, occurrence=occurrence
        )
        pools = self.plan.pools(epoch, row)
        if self.classes is not None:
            for pool in pools:
                yield from _drawn(pool[self.classes[pool] == self.classes[row]], draws)
        for pool in pools:
            yield from _drawn(pool, draws)

    def _with_partners(self, epoch: int, rows: Rows, occurrences: Rows) -> tuple[Rows, Rows]:
        """Put behind each sample those it is mixed with, drawn from the whole data set, not the shard."""
        num = self.num_sources - 1
        if not num:
            return rows, occurrences
        drawn = [
            uniforms(Purpose.PARTNER, self.plan.seed, epoch, num, row=row, occurrence=occurrence)
            for row, occurrence in zip(rows.tolist(), occurrences.tolist(), strict=True)
        ]
        partners = (np.array(drawn) * self.plan.num_samples).astype(rows.dtype)
        together = np.column_stack([rows, partners]).ravel()
        return together, np.column_stack([occurrences, np.zeros_like(partners)]).ravel()


def _drawn(rows: Rows, draws: npt.NDArray[np.float64]) -> Iterator[int]:
    """Some of `rows` at random, then all of them from the last of these on; nothing if there are none."""
    if not len(rows):
        return
    places = (draws * len(rows)).astype(np.intp)
    yield from rows[places].tolist()
    for place in range(len(rows)):
        yield int(rows[(places[-1] + place) % len(rows)])
