"""Names that look the same to people, and are not: of files, folders and classes.

Trainers and producers ask alike: a name that was typed, or came in a table, and what there is on the disk.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import islice
from pathlib import Path

MOST_ENTRIES = 50_000
"""So many entries of a folder are looked at: a guess is worth a moment, and no more."""

_DIFFERENCES: dict[str, Callable[[str], str]] = {
    r"'\' where '/' is meant": lambda path: path.replace("\\", "/"),
    "blanks around a name": lambda path: "/".join(part.strip() for part in path.split("/")),
    "the Unicode form of accents (unicodedata.normalize makes NFC of NFD)": (
        lambda path: unicodedata.normalize("NFC", path)
    ),
    "upper and lower case": str.casefold,
}
"""What two names, or paths, may differ in that look the same, and what they are without it."""


def plain(path: str) -> str:
    """A name, or a path, without anything that two may differ in: those that look the same are equal."""
    return reduce(lambda text, without: without(text), _DIFFERENCES.values(), path)


def differences(path: str, other: str) -> str:
    """What two that look the same differ in, in words."""
    named = []
    for what, without in _DIFFERENCES.items():
        bare = without(path), without(other)
        if path != other and (bare[0] == bare[1] or (bare[0] != path) != (bare[1] != other)):
            named.append(what)
        path, other = bare
    return " and ".join(named)


def alike(names: Iterable[str]) -> tuple[str, str] | None:
    """The first two of different names that look the same; None if there are none."""
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(plain(name), name)
        if first != name:
            return first, name
    return None


def file_like(path: str, folder: str) -> str | None:
    """A file below `folder`, or anywhere if `path` is absolute, whose path looks the same; None if none is.

    The path is followed folder by folder, at each by the entry that looks like it.
    """
    try:
        return _follow(path, folder)
    except (OSError, ValueError):
        return None


def _follow(path: str, folder: str) -> str | None:
    top = "/" if path.startswith("/") else ""
    found, base = [], Path(top or folder)
    for part in path.replace("\\", "/").strip("/").split("/"):
        like = part if (base / part).exists() else _entry_like(base, part)
        if like is None:
            return None
        found.append(like)
        base /= like
    return top + "/".join(found) if base.is_file() else None


def _entry_like(folder: Path, name: str) -> str | None:
    wanted = plain(name)
    with os.scandir(folder) as entries:
        return next((e.name for e in islice(entries, MOST_ENTRIES) if plain(e.name) == wanted), None)
