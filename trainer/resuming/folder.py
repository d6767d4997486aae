"""Where a training is kept: one file, always whole, whatever happens while it is written."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from feedline.common.errors import ConfigurationError
from feedline.trainer.resuming.variables import Arrays

FILE = "training.npz"
LOCK = "lock"
UNFINISHED = ".training-{}.tmp"
"""A file that is being written, by process id."""

PLAIN = "plain"
"""What the plain values are called among the arrays."""

_ARRAY, _DTYPE = "of ndarray", "dtype"
"""Short arrays among plain values are these two: their numbers, and what these are."""

VERSION = 1

_LOCKS: dict[Path, int] = {}
"""Descriptors of the locks that this process holds: a ``fit`` that failed leaves its own to the next."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A training as it was.

    Attributes
    ----------
    plain : dict
        Plain values: where it is, and what callbacks know.
    arrays : dict of str to ndarray
        Numbers by name.
    """

    plain: dict[str, Any]
    arrays: Arrays


class TrainingFolder:
    """A folder with one training.

    Parameters
    ----------
    path : path
        Made by `prepare` if it is not there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def file(self) -> Path:
        """The file with all of it."""
        return self.path / FILE

    def prepare(self) -> None:
        """Make sure that it can be written to, and that nobody else does.

        Raises
        ------
        ConfigurationError
            It cannot; or another process trains there.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
            self._sweep_up()
            self._write_whole(self.path / UNFINISHED.format("probe"), b"")
            self._sweep_up()
        except OSError as error:
            raise ConfigurationError(f"the training cannot be kept in {self.path}: {error}") from error

    def release(self) -> None:
        """Let another process train there."""
        fd = _LOCKS.pop(self.path.resolve(), None)
        if fd is not None:
            os.close(fd)

    def write(self, kept: Kept) -> None:
        """Put it in the place of what was there, in one step.

        Killed at any moment, even with the machine, it leaves the old file or the new one.

        Raises
        ------
        OSError
            The disk is full, or gone; the old file is still there.
        TypeError
            See `as_json`.
        """
        # A ZIP file has a checksum of each member, and none of which there are.
        head = {"version": VERSION, "names": sorted(kept.arrays)}
        plain = as_json({**head, **kept.plain}).encode()
        unfinished = self.path / UNFINISHED.format(os.getpid())
        try:
            with unfinished.open("wb") as file:
                _write_arrays(file, {PLAIN: np.frombuffer(plain, np.uint8), **kept.arrays})
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.file)
            _sync_folder(self.path)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise

    def read(self) -> Kept | None:
        """What was written last; None if nothing was.

        Raises
        ------
        ConfigurationError
            It is damaged, or of another version.
        """
        try:
            with self.file.open("rb") as file, np.load(file, allow_pickle=False) as found:
                kept = _kept_in({name: found[name] for name in found.files})
            version = kept.plain.pop("version")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, AttributeError, *_DAMAGED) as error:
            raise ConfigurationError(
                f"{self.file} is damaged ({error}): put a whole copy in its place, or delete it to begin anew"
            ) from error
        if version != VERSION:
            raise ConfigurationError(
                f"{self.file} has version {version!r}, and this Feedline reads {VERSION}"
            )
        return kept

    def _lock(self) -> None:
        """Be the only process that writes there."""
        place = self.path.resolve()
        if place in _LOCKS:
            return
        fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems have no locks; nothing else hangs on one.
            if error.errno in {errno.EACCES, errno.EAGAIN}:
                os.close(fd)
                raise ConfigurationError(
                    f"another process is training in {self.path}: give each training a folder of its own"
                ) from error
        _LOCKS[place] = fd

    def _sweep_up(self) -> None:
        """Remove what was not finished by processes that were killed."""
        for left in self.path.glob(UNFINISHED.format("*")):
            left.unlink(missing_ok=True)

    def _write_whole(self, path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data)
            os.fsync(file.fileno())


_DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, MemoryError, SyntaxError)
"""What reading a file of any content may raise, beside the usual."""


def _kept_in(arrays: Arrays) -> Kept:
    """Part plain values from arrays; ValueError unless all of them are there."""
    plain = json.loads(arrays.pop(PLAIN).tobytes(), object_hook=_array_again)
    names = plain.pop("names")
    if sorted(arrays) != names:
        raise ValueError(f"{len(names)} arrays were written, {len(arrays)} are there")
    return Kept(plain, arrays)


def as_json(plain: dict[str, Any]) -> str:
    """Plain values as they are kept; TypeError if some are not plain."""
    return json.dumps(plain, default=_plain)


def _plain(value: Any) -> Any:
    """Callbacks may remember NumPy's numbers, and metrics that give several, which JSON does not know."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {_ARRAY: value.tolist(), _DTYPE: value.dtype.str}
    raise TypeError(f"{value!r:.80} cannot be kept: state_dict() of a callback returns plain values")


def _array_again(found: dict[str, Any]) -> Any:
    """Undo what `_plain` did."""
    return np.array(found[_ARRAY], found[_DTYPE]) if set(found) == {_ARRAY, _DTYPE} else found


def _write_arrays(file: IO[bytes], arrays: Arrays) -> None:
    """As `numpy.savez`, which takes some names for its own arguments."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _sync_folder(path: Path) -> None:
    """Have the file's new name survive the machine."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
