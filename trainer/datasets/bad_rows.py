"""Rows of tables, and boxes, that cannot be used: an error, or dropped and listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from feedline.common.arguments import one_of
from feedline.common.errors import DatasetError
from feedline.common.notices import warn

NUM_SHOWN = 3
"""A warning quotes so many rows."""


class OnBadRow(StrEnum):
    """What is done with a row that cannot be used."""

    RAISE = "raise"
    DROP = "drop"


class DroppedRow(NamedTuple):
    """A row that was dropped.

    Attributes
    ----------
    where : str
        File and line, or row and column.
    reason : str
        What is wrong with it.
    """

    where: str
    reason: str


class BadCellsError(DatasetError):
    """Cells of a column cannot be used; its text is that of the first.

    Parameters
    ----------
    reasons : mapping of int to str
        By row of the table that was handed over: what is wrong with each.
    name : object
        Of the column.
    """

    def __init__(self, reasons: Mapping[int, str], name: object) -> None:
        self.reasons = dict(reasons)
        self.name = name
        first, reason = next(iter(self.reasons.items()))
        super().__init__(f"row {first} (counted from 0) of {name!r} {reason}")


@dataclass(frozen=True, slots=True)
class BadRows:
    """What is done with rows that cannot be used, and which those were.

    Attributes
    ----------
    policy : OnBadRow
        Raise, or drop.
    dropped : list of DroppedRow
        In the order in which they were met.
    """

    policy: OnBadRow = OnBadRow.RAISE
    dropped: list[DroppedRow] = field(default_factory=list)

    @classmethod
    def of(cls, on_bad_row: str) -> BadRows:
        """Read the argument of a constructor; ConfigurationError if it is none."""
        return cls(one_of(OnBadRow, "on_bad_row", on_bad_row))

    @property
    def drops(self) -> bool:
        """Whether a table is read without them."""
        return self.policy is OnBadRow.DROP

    @contextmanager
    def tolerated(self, where: str) -> Iterator[None]:
        """Read a row that stands at `where`: if rows may drop, a DatasetError of it is listed, not raised."""
        try:
            yield
        except DatasetError as error:
            if not self.drops:
                raise
            self.add(where, str(error).removeprefix(where).lstrip(":, "))

    def add(self, where: str, reason: str) -> None:
        """List a row."""
        self.dropped.append(DroppedRow(where, reason))

    def report(self) -> None:
        """Say all of it in one warning, or nothing."""
        if self.dropped:
            shown = "; ".join(f"{row.where}: {row.reason}" for row in self.dropped[:NUM_SHOWN])
            more = "" if len(self.dropped) <= NUM_SHOWN else "; and more"
            num = len(self.dropped)
            warn(f"dropped {num:,} rows that cannot be used (`dropped` lists them): {shown}{more}")
