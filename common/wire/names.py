"""Names of files on their way: bytes, whatever locale a process at either end has.

On the wire they are UTF-8, with single bytes that are not escaped as surrogates. Python reads a folder in
that way where the locale is UTF-8, and in another where it is not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

_ODD = "surrogateescape"

_STEERING = {
    code: ascii(chr(code))[1:-1]
    for codes in (range(0x20), range(0x7F, 0xA0), range(0x2028, 0x202F), range(0x2066, 0x206A))
    for code in codes
    if chr(code) not in "\n\t"
}
"""Control characters, and those that begin a line or turn a text's direction around, as escapes."""

_IS_UTF8 = sys.getfilesystemencoding().replace("-", "").lower() == "utf8"


def as_bytes(name: str) -> bytes:
    """What a file that travelled as `name` is called by the system; ValueError if nothing can be."""
    return name.encode("utf-8", _ODD)


def to_wire(names: Iterable[str]) -> list[str]:
    """Names as they travel, from what Python calls the files here."""
    return list(names) if _IS_UTF8 else [os.fsencode(name).decode("utf-8", _ODD) for name in names]


def printable(text: str) -> str:
    r"""The text with what is not UTF-8 written as ``\udce9``, and what steers a terminal as ``\x1b``.

    Anything can print, log and encode it, and nothing in it erases or turns around what stands beside it.
    Ends of lines and tabs stay.
    """
    return text.encode("utf-8", "backslashreplace").decode().translate(_STEERING)


def one_line(text: str, max_chars: int) -> str:
    r"""The text as a part of one line: `printable`, ends of lines as ``\n``, and no longer than that."""
    line = printable(text[: max_chars + 1]).replace("\n", "\\n").replace("\t", " ")
    return line if len(line) <= max_chars else f"{line[: max_chars - 1]}…"
