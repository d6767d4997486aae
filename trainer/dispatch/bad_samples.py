"""The bad samples of a job: which are known, where they were found, and when they are too many.

Used by the pool's thread; `found` and `order` are for any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from feedline.common.errors import BadSamplesError
from feedline.common.wire.protocol import BadFile, Failure, FailureKind
from feedline.trainer.plan.drawings import Rows
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.plan.lineups import Lineup, Lineups, Marks, OnError

NUM_NAMED = 10
"""The error that ends a training names so many bad files."""

ROUNDING = 1e-9
"""0.07 of 100 are 7."""

EPOCHS_KEPT = 2
"""What was delivered is known of the present epoch and of the one before."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that cannot be used, and the sample that it made bad.

    Attributes
    ----------
    path : str
        The file, as the dataset names it.
    kind : FailureKind
        READ or DECODE.
    reason : str
        Why, in a clause.
    producer : str
        Name of who found out.
    key : StepKey
        The step that it was wanted for.
    place : int
        In that step, as it was planned.
    row : int
        The sample's row in the dataset.
    replaced_by : int or None
        The row that took the place; None if it was left out, or stayed blank.
    """

    path: str
    kind: FailureKind
    reason: str
    producer: str
    key: StepKey
    place: int
    row: int
    replaced_by: int | None = None


def _no_files(_: int) -> Sequence[str]:
    return ()


@dataclass(slots=True, eq=False)
class BadSamples:
    """What is known of the bad samples of one job.

    Attributes
    ----------
    lineups : Lineups
        Told which samples are bad; says what comes in their place.
    max_share : float
        Share of the dataset that may be bad.
    files_of : callable
        row -> the files of a sample, as the dataset names them, in the order of `Sample.paths`.
    folder : str
        What these names are relative to in this process, absolute; empty if nothing is known of that.
    found : tuple of Found
        Each file once, in the order in which they were found; another tuple whenever there is news.
    doom : str
        Why nothing is delivered any more, if too many are bad.
    unsettled : set of StepKey
        Steps of which some producer could not read a file, and which nobody has built since.
    """

    lineups: Lineups
    max_share: float = 0.0
    files_of: Callable[[int], Sequence[str]] = _no_files
    folder: str = ""
    found: tuple[Found, ...] = ()
    doom: str = ""
    unsettled: set[StepKey] = field(default_factory=set)
    _as_planned: dict[int, Marks] = field(default_factory=dict)
    _otherwise: dict[StepKey, Rows] = field(default_factory=dict)

    @property
    def is_tolerant(self) -> bool:
        """Whether a training goes on without bad samples."""
        return self.lineups.on_error is not OnError.RAISE

    def findings(self, failure: Failure, lineup: Lineup | None, key: StepKey, producer: str) -> list[Found]:
        """What a producer says of the files of a ticket.

        Nothing, if the job does without no sample, or the ticket had no such file: then the batch has failed.
        """
        if lineup is None or not self.is_tolerant:
            return []
        if len(failure.bad_files) > len(lineup.rows) * len(self.files_of(int(lineup.rows[0]))):
            return []
        findings = [self._finding(bad, lineup, key, producer) for bad in failure.bad_files]
        return [] if None in findings else [one for one in findings if one is not None]

    def _finding(self, bad: BadFile, lineup: Lineup, key: StepKey, producer: str) -> Found | None:
        if bad.sample >= len(lineup.rows) or bad.kind is FailureKind.BUILD:
            return None
        row, place = int(lineup.rows[bad.sample]), int(lineup.places[bad.sample // lineup.num_sources])
        files = self.files_of(row)
        if bad.file >= len(files):
            return None
        return Found(files[bad.file], bad.kind, bad.reason, producer, key, place, row)

    def take(self, findings: Sequence[Found]) -> list[Found]:
        """Samples are bad from now on; returns the files that are news."""
        self.lineups.mark([one.row for one in findings])
        known = {one.path for one in self.found}
        new = list({one.path: one for one in reversed(findings) if one.path not in known}.values())[::-1]
        self.found += tuple(replace(one, replaced_by=self._replacement(one)) for one in new)
        self.doom = self.doom or self._doom()
        return new

    def lined_up(self, key: StepKey, lineup: Lineup) -> bool:
        """A step is ordered with this lineup; returns whether that is news of what takes whose place."""
        before = self.found
        if not before:
            return False
        if any(one.key == key for one in before):
            self.found = tuple(
                replace(one, replaced_by=lineup.row_at(one.place)) if one.key == key else one
                for one in before
            )
        return self.found != before

    def delivered(self, key: StepKey, lineup: Lineup) -> None:
        """A batch of these samples was handed over."""
        if not self.is_tolerant:
            return
        plan, (epoch, step) = self.lineups.plan, key.planned
        if epoch not in self._as_planned:
            self._forget_before(epoch)
            self._as_planned[epoch] = np.zeros(plan.num_steps, np.bool_)
        self._as_planned[epoch][step] = np.array_equal(lineup.items, plan.rows(epoch, step))
        if not self._as_planned[epoch][step]:
            self._otherwise[key.planned] = lineup.items

    def order(self, epoch: int) -> Rows:
        """Rows of an epoch in the order of delivery: what was delivered, and what is to be."""
        plan = self.lineups.plan
        if not self.lineups.has_bad:
            return plan.order(epoch)
        return np.concatenate([self._rows(StepKey(epoch, step)) for step in range(plan.num_steps)])

    def _rows(self, key: StepKey) -> Rows:
        if key in self._otherwise:
            return self._otherwise[key]
        as_planned = self._as_planned.get(key.epoch)
        if as_planned is not None and as_planned[key.step]:
            return self.lineups.plan.rows(*key)
        return self.lineups.of(key).items

    def _forget_before(self, epoch: int) -> None:
        """Forget what was delivered long ago."""
        for old in [old for old in self._as_planned if old + EPOCHS_KEPT <= epoch]:
            del self._as_planned[old]
        for key in [key for key in self._otherwise if key.epoch + EPOCHS_KEPT <= epoch]:
            del self._otherwise[key]

    def _replacement(self, one: Found) -> int | None:
        try:
            return self.lineups.of(one.key).row_at(one.place)
        except BadSamplesError:
            return None

    def _doom(self) -> str:
        """Why a training ends, if it does."""
        is_bad = self.lineups.is_bad
        num_bad, num_rows = int(is_bad.sum()), len(is_bad)
        most = int(self.max_share * num_rows + ROUNDING)
        if num_bad > most:
            why = f"and max_bad_share={self.max_share:g} allows {most:,}"
        elif num_bad == num_rows and not self.lineups.leaves_blank:
            why = "and none is left to deliver"
        else:
            return ""
        more = f"\n  and {len(self.found) - NUM_NAMED:,} more" if len(self.found) > NUM_NAMED else ""
        named = "".join(f"\n  {one.path}: {one.reason}" for one in self.found[:NUM_NAMED])
        return (
            f"{num_bad:,} of {num_rows:,} samples are bad, {why}. `failures` of the sequence lists them;"
            f" mend the files, leave them out of the dataset, or allow more. The first are:{named}{more}"
        )
