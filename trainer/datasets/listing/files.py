"""Which files exist: file names are compared with folder listings, and no file is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FEW = 8
"""Up to so many wanted files, asking for each is cheaper than listing the folder they are in."""


def existing(paths: Sequence[str], directory: str | None) -> npt.NDArray[np.bool_]:
    """Mark the paths that are files, shape (num_paths,).

    A folder from which many files are wanted is listed once: with 750,000 files that saves as many
    system calls.
    """
    folders: dict[str, list[int]] = {}
    for place, path in enumerate(paths):
        folders.setdefault(path[: path.rfind("/") + 1], []).append(place)
    found = np.zeros(len(paths), np.bool_)
    for folder, places in folders.items():
        names = [paths[place][len(folder) :] for place in places]
        found[places] = _present(Path(directory or "", folder), names)
    return found


def absolute(directory: str | None) -> str:
    """Where a directory is, or the current one for None, whatever ``os.chdir`` does later."""
    path = Path(directory or "").absolute()
    return str(path.resolve() if ".." in path.parts else path)


def relative(paths: Sequence[str], directory: str | None) -> list[str]:
    """Name files that lie in `directory` relative to it; others stay as they are."""
    if directory is None:
        return list(paths)
    # As it is named, and where it really is: file names may have been found by either.
    named = (str(Path(directory).absolute()), absolute(directory), str(Path(directory).resolve()))
    prefixes = [f"{name.rstrip('/')}/" for name in named]
    return [_without(prefixes, path) if path.startswith("/") else path for path in paths]


def _without(prefixes: Sequence[str], path: str) -> str:
    return next((path.removeprefix(prefix) for prefix in prefixes if path.startswith(prefix)), path)


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """List a folder; one that cannot be listed has no entries."""
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError:
        return


def _present(folder: Path, names: list[str]) -> list[bool]:
    """Say which names are files in `folder`."""
    if len(names) <= _FEW:
        return [os.path.isfile(f"{folder}/{name}") for name in names]  # noqa: PTH113 - Path takes ten times as long
    present = {entry.name for entry in entries(folder) if entry.is_file()}
    return [name in present for name in names]
