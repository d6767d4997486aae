"""Text files of annotations: how they are read, line by line, and the numbers in them."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from feedline.common.errors import DatasetError

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""What a file begins with whose encoding is marked; what is not marked is UTF-8."""


def bytes_of(path: str | os.PathLike[str], what: str) -> bytes:
    """Read a whole file; DatasetError, with the file, if that fails."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {what} {os.fspath(path)!r}: {error}") from error


def marked_encoding(data: bytes) -> str | None:
    """The encoding that a byte order mark says, or None."""
    return next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)


def text_of(path: str | os.PathLike[str], what: str) -> str:
    """Read a file of text, in UTF-8 or with a byte order mark; DatasetError, with the file, if that fails."""
    data = bytes_of(path, what)
    try:
        return data.decode(marked_encoding(data) or "utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"cannot read {what} {os.fspath(path)!r}: {error}. Save it as UTF-8, such as by iconv -t UTF-8"
        ) from error


def lines_of(path: str | os.PathLike[str], what: str) -> Iterator[tuple[str, str]]:
    """Where each line stands, and the line without blanks around it; empty ones are skipped."""
    # Not splitlines(), which also splits at characters that may stand in a file name.
    for number, line in enumerate(text_of(path, what).replace("\r\n", "\n").split("\n"), 1):
        if line.strip():
            yield f"{os.fspath(path)}, line {number}", line.strip()


def numbers_in(fields: Sequence[str], where: str, expected: str) -> list[float]:
    """Read fields of a line as numbers; DatasetError, with `where` and what is `expected`, if one is not."""
    try:
        return [float(field) for field in fields]
    except ValueError:
        raise DatasetError(f"{where}: expected {expected}, got {' '.join(fields)!r}") from None


def class_in(value: float, where: str) -> int:
    """Read a number as a class; DatasetError if it is not whole."""
    if not value.is_integer():
        raise DatasetError(f"{where}: expected a class that is a whole number, got {value!r}")
    return int(value)
