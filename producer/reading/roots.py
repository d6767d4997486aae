"""Where a producer may read, and nowhere else.

Names of files are bytes. They travel as UTF-8, with what is not UTF-8 escaped, and become bytes here: what
the locale of a producer thinks of them does not matter.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from feedline.common.errors import ConfigurationError, ReadError
from feedline.common.lookalikes import differences, file_like
from feedline.common.regular import LOOK, open_found
from feedline.common.wire.names import as_bytes
from feedline.producer.reading.beneath import open_beneath

MOST_FILE_BYTES = 1 << 30
"""No larger file is read, unless the producer's operator says otherwise."""

_EVERYTHING = b"/"
"""As a root: what embedded producers get, which may read whatever the trainer may."""

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


class DataRoots:
    """The folders under which a producer looks files up, in order.

    Parameters
    ----------
    folders : iterable of str
        Existing or not: a volume may be mounted later.
    max_file_bytes : int
        Larger files are not read.

    Raises
    ------
    ConfigurationError
        No folder is given, or one is a file.
    """

    def __init__(self, folders: Iterable[str], max_file_bytes: int = MOST_FILE_BYTES) -> None:
        self._folders = [os.path.realpath(os.fsencode(folder)) for folder in folders]
        self._ways = [_way_to(folder, self._folders) for folder in self._folders]
        self.max_file_bytes = max_file_bytes
        if not self._folders:
            raise ConfigurationError("a producer reads only under its --data-root: give at least one")
        for folder in map(os.fsdecode, self._folders):
            if Path(folder).is_file():
                raise ConfigurationError(f"--data-root must be a folder, {folder!r} is a file")

    @property
    def missing(self) -> list[str]:
        """The folders that do not exist, or not yet."""
        return [folder for folder in map(os.fsdecode, self._folders) if not Path(folder).is_dir()]

    def open(self, path: str) -> int:
        """Open a file that a ticket names for reading, and return its descriptor.

        Raises
        ------
        ReadError
            It is under no root, leads out of the one it is under, cannot be opened, or is no file.
        """
        try:
            return open_found(self._look(path))
        except (OSError, ValueError) as error:
            raise self._refusal(path, error) from _cause(error)

    def open_at_once(self, path: str) -> int | None:
        """As `open`, but None if anything is wrong: without a search for what may have been meant."""
        try:
            return open_found(self._look(path))
        except (OSError, ValueError):
            return None

    def find(self, path: str) -> str:
        """The absolute, real path of what a ticket names: to know it by, not to open it.

        Raises
        ------
        ReadError
            It is under no root, or leads out of the one it is under.
        """
        try:
            found = self._look(path)
        except (OSError, ValueError) as error:
            raise self._refusal(path, error) from _cause(error)
        try:
            return os.fsdecode(os.readlink(b"/proc/self/fd/%d" % found))  # noqa: PTH115 - names are bytes
        finally:
            os.close(found)

    def status(self, path: str) -> os.stat_result | None:
        """What the first file of that name looks like, wherever it leads; None if there is none.

        Takes a fifth of the time of `find`. To compare with what was found before, not to read by.
        """
        for folder in self._folders:
            try:
                return os.stat(os.path.join(folder, as_bytes(path)))  # noqa: PTH116, PTH118 - Path is slow
            except (OSError, ValueError):
                continue
        return None

    def _look(self, path: str) -> int:
        """A descriptor of what the first root has of that name; that it leads out is worse than not there."""
        name, worst = as_bytes(path), errno.ENOENT
        for way in self._ways:
            try:
                return _look_in(way, name)
            except OSError as error:
                if error.errno == errno.EXDEV:
                    worst = errno.EXDEV
                elif error.errno not in _NOT_THERE:
                    raise
        raise OSError(worst, os.strerror(worst))

    def _refusal(self, path: str, error: OSError | ValueError) -> ReadError:
        if isinstance(error, ValueError):
            return ReadError(path, f"is not a file name ({error})")
        tried = ", ".join(map(os.fsdecode, self._folders))
        if error.errno == errno.EXDEV:
            return ReadError(path, f"leads out of the data roots ({tried})")
        if error.errno == errno.ENOENT:
            return ReadError(path, f"not found under the data roots ({tried}){self._hint(path)}")
        return ReadError(path, f"cannot be read: {error.strerror or error}")

    def _hint(self, path: str) -> str:
        """A file whose name looks the same, for an error; one that could be read."""
        for folder in map(os.fsdecode, self._folders):
            like = file_like(path, folder)
            found = None if like is None else self.open_at_once(like)
            if like is not None and found is not None:
                os.close(found)
                return f"; {like!r} is there, and differs in {differences(path, like)}"
        return ""


def _way_to(root: bytes, roots: Iterable[bytes]) -> tuple[bytes, ...]:
    """The outermost root that `root` lies below, and what leads from there to `root`, from root to root."""
    above = {outer for outer in roots if outer != _EVERYTHING and root.startswith(outer + b"/")}
    outside_in = [*sorted(above, key=len), root]
    inner = [below.removeprefix(outer + b"/") for outer, below in pairwise(outside_in)]
    return outside_in[0], *inner


def _look_in(way: tuple[bytes, ...], name: bytes) -> int:
    """A descriptor of what is called `name` below a root, which is opened anew: it may have been mounted."""
    if way[0] == _EVERYTHING:
        return os.open(way[0] + name, LOOK)
    if not _is_below(name):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    folder = _open_root(way)
    try:
        return open_beneath(folder, name)
    finally:
        os.close(folder)


def _open_root(way: tuple[bytes, ...]) -> int:
    """A descriptor of a root: whoever may write below another one may have put a link in its place."""
    folder = os.open(way[0], LOOK | os.O_DIRECTORY)
    for name in way[1:]:
        try:
            inner = open_beneath(folder, name)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _is_below(name: bytes) -> bool:
    """Whether a name goes down from where it starts, and never up."""
    is_plain = b".." not in name or b".." not in name.split(b"/")
    return is_plain and not name.startswith(b"/") and name.strip(b"./") != b""


def _cause(error: OSError | ValueError) -> OSError | ValueError | None:
    """What is worth telling of why a file cannot be opened: that it is not there says all."""
    return None if isinstance(error, OSError) and error.errno in _NOT_THERE else error
