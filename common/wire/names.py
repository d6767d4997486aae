"""Names of files on their way: bytes, whatever locale a process at either end has.

On the wire they are UTF-8, with single bytes that are not escaped as surrogates. Python reads a folder in
that way where the locale is UTF-8, and in another where it is not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

_ODD = "surrogateescape"

_IS_UTF8 = sys.getfilesystemencoding().replace("-", "").lower() == "utf8"


def as_bytes(name: str) -> bytes:
    """What a file that travelled as `name` is called by the system; ValueError if nothing can be."""
    return name.encode("utf-8", _ODD)


def to_wire(names: Iterable[str]) -> list[str]:
    """Names as they travel, from what Python calls the files here."""
    return list(names) if _IS_UTF8 else [os.fsencode(name).decode("utf-8", _ODD) for name in names]


def printable(text: str) -> str:
    r"""The text with what is not UTF-8 written as ``\udce9``: anything can print, log and encode it."""
    return text.encode("utf-8", "backslashreplace").decode()
