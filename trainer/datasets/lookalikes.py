"""Names that look the same to people, and are not: of files, folders and classes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import reduce

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
