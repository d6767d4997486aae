"""The bad samples of a sequence as tables: a DataFrame to look at, and a CSV file that grows with it."""

from __future__ import annotations

import csv
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    """A CSV file of bad files, that holds whole lines at any moment.

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
        try:
            text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
            if text and not text.startswith(_HEADER):
                raise ConfigurationError(
                    f"failures_csv={str(path)!r} is another file: its first line is not {_HEADER.strip()!r}."
                    " Name one that is not there yet"
                )
            # Of a machine that went down in the middle of a line.
            self._lines = [_HEADER] if not text else text.splitlines(keepends=True)
            if not self._lines[-1].endswith("\n"):
                self._lines.pop()
            self._replace(self._lines)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"failures_csv={str(path)!r} cannot be written: {error}") from error
        self._old, self._num_old = _paths_in(self._lines), len(self._lines)

    def write(self, rows: Iterable[FailureRow]) -> None:
        """Have the file hold these rows. A disk that is full is told, and ends no training."""
        new = [_line(row) for row in each_once(rows) if printable(row.path) not in self._old]
        before, wanted = self._lines, self._lines[: self._num_old] + new
        if wanted == before:
            return
        try:
            if wanted[: len(before)] == before:
                self._append(wanted[len(before) :])
            else:
                self._replace(wanted)
            self._lines = wanted
        except OSError as error:
            logger.warning(f"bad samples cannot be written to {str(self._path)!r}: {error}")

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
    return (lambda: None) if file is None else (lambda: file.write(rows_of(bad)))


def _line(row: FailureRow) -> str:
    text = io.StringIO()
    cells = ["" if cell is None else printable(str(cell)).replace("\n", " ") for cell in row]
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _paths_in(lines: Sequence[str]) -> set[str]:
    return {row[0] for row in csv.reader(lines[1:]) if row}


_HEADER = ",".join(FailureRow._fields) + "\n"
