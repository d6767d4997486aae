"""All images below a folder, and what looks like one and is left out: that is never done without a word."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from feedline.common.errors import DatasetError
from feedline.common.notices import warn

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
"""File names that count as images in a folder, in upper or lower case: those that Keras takes."""

DECODED_SUFFIXES = (
    *IMAGE_SUFFIXES,
    ".apng", ".avif", ".jfif", ".jp2", ".jpe", ".pbm", ".pgm", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""File names of all formats that producers decode and whose header is read in the trainer, too."""

OTHER_SUFFIXES = (
    ".apng", ".avif", ".dcm", ".dicom", ".exr", ".hdr", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jxl",
    ".pbm", ".pfm", ".pgm", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""File names of images, too, which Keras does not take."""

_BESIDE_ARCHIVES = "__MACOSX"
"""A folder that macOS puts into archives beside the files."""

REMEDY = ". Files of other formats can be named with from_dataframe or from_lists"

NUM_SHOWN = 3
"""Files that a warning names for each reason."""


class Why(StrEnum):
    """Why something that looks like an image, or like a folder of them, is left out."""

    FORMAT = "of formats that are not taken from folders"
    HIDDEN = "hidden"
    NO_FILE = "links that lead nowhere, or no files"
    LOOP = "links to a folder that they lie in"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was left out, by reason.

    Attributes
    ----------
    names : dict of Why to list of str
        Relative to the directory, in the order in which they were met.
    """

    names: dict[Why, list[str]] = field(default_factory=dict)

    def add(self, why: Why, name: str) -> None:
        """Remember one."""
        self.names.setdefault(why, []).append(name)

    def report(self, directory: str, remedy: str = REMEDY) -> None:
        """Say all of it in one warning, with a remedy for other formats; or nothing."""
        if not self.names:
            return
        parts = "; ".join(f"{len(names):,} {why} ({_some(names)})" for why, names in self.names.items())
        warn(f"left out of {directory!r}: {parts}{remedy if Why.FORMAT in self.names else ''}")


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk through a directory.

    Attributes
    ----------
    directory : str
        Names are relative to it.
    follow_links : bool
        Whether links to folders are followed.
    suffixes : tuple of str
        File names that count as images, in upper or lower case.
    left_out : LeftOut
        Filled as folders are visited.
    """

    directory: str
    follow_links: bool
    suffixes: tuple[str, ...] = IMAGE_SUFFIXES
    left_out: LeftOut = field(default_factory=LeftOut)

    def images_under(self, folder: str) -> list[str]:
        """List the images in `folder` and below: by folder, then by name, as Keras has them."""
        top = f"{folder}/" if folder else ""
        place = Path(self._path(top)).resolve()
        found = self._visit(top, tuple(_identity(str(folder)) for folder in (place, *place.parents)))
        visited = sorted(found, key=lambda one: one[0].rstrip("/"))
        return [f"{below}{name}" for below, names in visited for name in sorted(names)]

    def _visit(self, below: str, inside: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, list[str]]]:
        """Yield each folder, as the prefix of what is in it, with its images.

        Parameters
        ----------
        below : str
            The folder to begin with.
        inside : tuple of (int, int)
            It, and all folders around it.
        """
        images, folders = [], []
        for entry in self._entries(below):
            if entry.is_dir():
                folders.append(entry)
            elif self._is_image(entry, f"{below}{entry.name}"):
                images.append(entry.name)
        yield below, images
        for entry in folders:
            yield from self._enter(entry, below, inside)

    def _enter(
        self, entry: os.DirEntry[str], below: str, inside: tuple[tuple[int, int], ...]
    ) -> Iterator[tuple[str, list[str]]]:
        name = f"{below}{entry.name}/"
        if entry.is_symlink() and not self.follow_links:
            return
        if is_hidden(entry.name):
            self.left_out.add(Why.HIDDEN, name)
            return
        identity = _identity(entry.path)
        if identity in inside:
            self.left_out.add(Why.LOOP, name)
            return
        yield from self._visit(name, (*inside, identity))

    def _is_image(self, entry: os.DirEntry[str], name: str) -> bool:
        suffix = entry.name.lower()
        if not suffix.endswith(self.suffixes + OTHER_SUFFIXES):
            return False
        why = None
        if is_hidden(entry.name):
            why = Why.HIDDEN
        elif not suffix.endswith(self.suffixes):
            why = Why.FORMAT
        elif not entry.is_file():
            why = Why.NO_FILE
        if why is not None:
            self.left_out.add(why, name)
        return why is None

    def _entries(self, below: str) -> list[os.DirEntry[str]]:
        path = self._path(below)
        try:
            with os.scandir(path) as found:
                return sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise DatasetError(f"cannot list {path!r}: {error.strerror}") from error

    def _path(self, below: str) -> str:
        return str(Path(self.directory, below))


def is_hidden(name: str) -> bool:
    """Whether a file or folder is not meant to be seen: made by an editor, a notebook or a file manager."""
    return name.startswith(".") or name == _BESIDE_ARCHIVES


def _identity(path: str) -> tuple[int, int]:
    """What a folder is, whatever it is called."""
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(map(repr, listed[:NUM_SHOWN])) + (", …" if len(listed) > NUM_SHOWN else "")
