"""The bad samples of a sequence as tables: a DataFrame to look at, and a CSV file that grows with it."""

from __future__ import annotations

import csv
import io
import logging
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError
from feedline.common.wire.names import printable
from feedline.trainer.dispatch.bad_samples import BadSamples, Found

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


class FailureRow(NamedTuple):
    """One file that cannot be used.

    Attributes
    ----------
    path : str
        The file, as the dataset names it.
    reason : str
        What is wrong with it.
    producer : str
        Who found out.
    epoch, step : int
        The batch that it was wanted for first.
    row : int
        Its sample's row in the dataset.
    replaced_by : str or None
        The file of the sample in its place; None if that was left out, or is zeros.
    """

    path: str
    reason: str
    producer: str
    epoch: int
    step: int
    row: int
    replaced_by: str | None


def rows_of(bad: BadSamples) -> list[FailureRow]:
    """Each bad file that is known of a job, once."""
    return [_row(bad, one) for one in bad.found]


def _row(bad: BadSamples, one: Found) -> FailureRow:
    other = None if one.replaced_by is None else bad.files_of(one.replaced_by)[0]
    epoch, step = one.key.planned
    return FailureRow(one.path, one.reason, one.producer, epoch, step, one.row, other)


def each_once(rows: Iterable[FailureRow]) -> list[FailureRow]:
    """The first row of each file."""
    first: dict[str, FailureRow] = {}
    for row in rows:
        first.setdefault(row.path, row)
    return list(first.values())


def frame_of(rows: Sequence[FailureRow]) -> pd.DataFrame:
    """The rows as a frame, whose columns are those of `FailureRow`."""
    import pandas as pd  # noqa: PLC0415 - a training without bad samples need not wait for it

    frame = pd.DataFrame(rows, columns=list(FailureRow._fields))
    return frame.astype({"epoch": "int64", "step": "int64", "row": "int64"})


class FailuresCsv:
    """A CSV file of bad files, that holds whole lines at any moment. From any thread.

    One that an earlier run has left goes on: a file that it lists is not listed again.

    Parameters
    ----------
    path : path
        The file; made with its header if it is not there.

    Raises
    ------
    ConfigurationError
        If it cannot be written, or holds something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(os.fspath(path)).absolute()
        self._lock = threading.Lock()
        self._rows: dict[int, list[FailureRow]] = {}
        try:
            self._old = self._lines = self._begun(
                self._path.read_text("utf-8") if self._path.exists() else ""
            )
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"failures_csv={str(path)!r} cannot be written: {error}") from error
        self._listed = {row[0] for row in csv.reader(self._old[1:]) if row}

    def _begun(self, text: str) -> list[str]:
        """The lines that the file has from the beginning."""
        if text and not text.startswith(_HEADER):
            raise ConfigurationError(
                f"failures_csv={str(self._path)!r} is another file: its first line is not"
                f" {_HEADER.strip()!r}. Name one that is not there yet"
            )
        # The last line may be half of one, of a machine that went down meanwhile.
        lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")] or [_HEADER]
        if text != "".join(lines):
            self._replace(lines)
        return lines

    def write(self, source: int, rows: Sequence[FailureRow]) -> None:
        """Have the file hold these rows of a source, beside those of others.

        A disk that is full is told, and ends no training.
        """
        with self._lock:
            self._rows[source] = list(rows)
            found = each_once(chain.from_iterable(self._rows.values()))
            wanted = self._old + [_line(row) for row in found if printable(row.path) not in self._listed]
            try:
                self._change_to(wanted)
            except OSError as error:
                logger.warning(f"bad samples cannot be written to {str(self._path)!r}: {error}")

    def _change_to(self, lines: list[str]) -> None:
        num = len(self._lines)
        if lines[:num] != self._lines:
            self._replace(lines)
        elif len(lines) > num:
            self._append(lines[num:])
        self._lines = lines

    def _append(self, lines: Sequence[str]) -> None:
        with self._path.open("ab", buffering=0) as file:
            file.write("".join(lines).encode())

    def _replace(self, lines: Sequence[str]) -> None:
        """Write all of it anew, in one step for whoever reads it."""
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write("".join(lines).encode())
            Path(name).replace(self._path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


def reporting(file: FailuresCsv | None, bad: BadSamples) -> Callable[[], None]:
    """What a pool's thread calls when there is news of the bad samples of a job."""
    return (lambda: None) if file is None else (lambda: file.write(id(bad), rows_of(bad)))


class Kin:
    """The bad samples of a sequence, and of others that were made of it, whether they are still there or not.

    Parameters
    ----------
    bad : BadSamples
        Its own.
    """

    def __init__(self, bad: BadSamples) -> None:
        self._own = bad
        self._rows: list[FailureRow] = []
        self._is_bad = np.zeros_like(bad.lineups.is_bad)
        self._others: list[tuple[weakref.ref[object], BadSamples]] = []

    def add(self, owner: object, bad: BadSamples) -> None:
        """Another sequence was made; of those that are gone only what was bad is kept."""
        for ref, gone in self._others:
            if ref() is None:
                self._rows = each_once([*self._rows, *rows_of(gone)])
                self._is_bad |= gone.lineups.is_bad
        self._others = [other for other in self._others if other[0]() is not None]
        self._others.append((weakref.ref(owner), bad))

    @property
    def rows(self) -> list[FailureRow]:
        """Each bad file once, those of the sequence itself first."""
        others = chain.from_iterable(rows_of(bad) for _, bad in self._others)
        return each_once([*rows_of(self._own), *self._rows, *others])

    @property
    def bad_rows(self) -> npt.NDArray[np.intp]:
        """Rows of the dataset that are bad, ascending."""
        others = [bad.lineups.is_bad for _, bad in self._others]
        return np.flatnonzero(np.any([self._own.lineups.is_bad, self._is_bad, *others], axis=0))


def _line(row: FailureRow) -> str:
    text = io.StringIO()
    cells = ["" if cell is None else printable(str(cell)).replace("\n", " ") for cell in row]
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


_HEADER = ",".join(FailureRow._fields) + "\n"
