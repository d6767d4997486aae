"""Shared-memory slots: a producer builds a batch where the trainer reads it, and no pixel is copied.

An arena is a memory-mapped file of a producer for one job of one pool: a header page with a random
nonce, then slots. Its maker offers it by name; the trainer maps it, if it can, and compares the nonce
in memory with the one that came over the socket: only then is it the same memory, and only then are
batches left in it instead of sent as frames. Then the file is unlinked, so that nothing is left
behind by whoever is killed; what was killed before that is known by its free lock and swept. An arena gets
its name when it is locked, so that none is swept while it is made.

Not `multiprocessing.shared_memory`, which on Python 3.11 unlinks what a process only attached to when that
process ends.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import logging
import mmap
import os
import re
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.batch.layout import ALIGNMENT_BYTES
from feedline.common.errors import LocalProtocolError, RemoteProtocolError

logger = logging.getLogger(__name__)

PAGE_BYTES = mmap.PAGESIZE
HEADER_BYTES = PAGE_BYTES
NONCE_BYTES = 16
PREFIX = "feedline-"
CACHE_PREFIX = f"{PREFIX}cache-"
"""... of caches of decoded samples, see `producer.cache.store`; one in memory has its user's number next."""

ARENA_NAME = re.compile(PREFIX + r"[0-9a-f]{1,64}-[0-9a-f]{1,64}-\d{1,20}")


def whole_pages(num_bytes: int) -> int:
    """What `num_bytes` take: memory comes in pages, and is given back in pages."""
    return -(-num_bytes // PAGE_BYTES) * PAGE_BYTES


def folders() -> list[Path]:
    """Where arenas may lie, best first: ``$FEEDLINE_SHM``, else ``/run/feedline``, else ``/dev/shm``."""
    chosen = os.environ.get("FEEDLINE_SHM")
    candidates = [Path(chosen)] if chosen else [Path("/run/feedline"), Path("/dev/shm")]  # noqa: S108 - meant
    return [folder for folder in candidates if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)]


def arena_name(pool_id: bytes, producer_id: bytes, job_id: int) -> str:
    """The file's name; `sweeping.sweep` and `ArenaView` accept no others."""
    return f"{PREFIX}{pool_id.hex()}-{producer_id.hex()}-{job_id}"


class Arena:
    """The maker's side. Made by the producer's talking thread, slots used by the one that builds.

    Parameters
    ----------
    name : str
        From `arena_name`.
    slot_bytes : int
        Bytes of a slot, a multiple of `ALIGNMENT_BYTES`.
    num_slots : int
        Slots at most. Memory is reserved for a slot when it is first used, and again after it was forgotten.

    Raises
    ------
    OSError
        There is no folder for it, or no room: batches go as frames.
    """

    def __init__(self, name: str, slot_bytes: int, num_slots: int) -> None:
        if slot_bytes % ALIGNMENT_BYTES:
            raise LocalProtocolError(f"slots of {slot_bytes} bytes would not be aligned to {ALIGNMENT_BYTES}")
        where = folders()
        if not where:
            raise OSError(errno.ENOENT, "no folder for shared memory")
        self.name = name
        self.nonce = secrets.token_bytes(NONCE_BYTES)
        self.slot_bytes, self.num_slots = slot_bytes, num_slots
        self._path: Path | None = where[0] / name
        self._reserved: set[int] = set()
        self._full = False
        self._fd = _made_locked(self._path)
        try:
            size = _offset(slot_bytes, num_slots)
            os.ftruncate(self._fd, size)
            # Writing to a page that a full tmpfs cannot give is a SIGBUS; this is an error instead.
            os.posix_fallocate(self._fd, 0, HEADER_BYTES)
            self._map = mmap.mmap(self._fd, size)
            self._map[:NONCE_BYTES] = self.nonce
        except (OSError, OverflowError, ValueError) as error:
            self.unlink()
            os.close(self._fd)
            raise OSError(errno.ENOMEM, f"{num_slots:,} slots of {slot_bytes:,} bytes: {error}") from error

    def slot(self, index: int) -> npt.NDArray[np.uint8] | None:
        """A slot's bytes, shape (slot_bytes,), or None when there is no memory for it."""
        start = _offset(self.slot_bytes, index)
        if index not in self._reserved:
            if self._full or index >= self.num_slots or not self._reserve(start):
                return None
            self._reserved.add(index)
        return np.frombuffer(self._map, np.uint8, self.slot_bytes, start)

    def forget(self, indices: Iterable[int]) -> None:
        """The other side has given the memory of these slots back. Nobody writes to them meanwhile."""
        self._reserved.difference_update(indices)
        self._full = False

    def unlink(self) -> None:
        """Take the name away: the trainer has mapped it, or never will."""
        if self._path is not None:
            with suppress(FileNotFoundError):
                self._path.unlink()
            self._path = None

    def __del__(self) -> None:
        """The file and its lock go with the last reference; mapped slots stay good."""
        if hasattr(self, "_map"):
            self.unlink()
            os.close(self._fd)

    def _reserve(self, start: int) -> bool:
        try:
            os.posix_fallocate(self._fd, start, self.slot_bytes)
        except OSError as error:
            logger.warning(
                f"no shared memory for {self.slot_bytes:,} bytes more ({error.strerror}):"
                " some batches go as frames"
            )
            self._full = True
            return False
        return True


class ArenaView:
    """The trainer's side of an arena that was offered.

    Parameters
    ----------
    name : str
        As offered.
    nonce : bytes
        As it came over the socket.
    slot_bytes, num_slots : int
        As offered.

    Raises
    ------
    OSError
        No such file can be mapped here: the producer is on another machine, or in another container.
    RemoteProtocolError
        The file is not what was offered.
    """

    def __init__(self, name: str, nonce: bytes, slot_bytes: int, num_slots: int) -> None:
        if not ARENA_NAME.fullmatch(name) or slot_bytes % ALIGNMENT_BYTES:
            raise RemoteProtocolError(f"no arena of ours: {name!r:.100}")
        self.slot_bytes, self._num_slots = slot_bytes, num_slots
        size = self._size = _offset(slot_bytes, num_slots)
        fd = _open(name)
        try:
            _check_file(name, os.fstat(fd), size)
            self._map = mmap.mmap(fd, size)
        finally:
            os.close(fd)
        if self._map[:NONCE_BYTES] != nonce:
            raise RemoteProtocolError(f"arena {name} is not the one that was offered")
        # Nobody reads the nonce again: what is left are slots, which the budget counts.
        self._give_back(0, HEADER_BYTES)

    @property
    def is_whole(self) -> bool:
        """Whether the file is still as long as it was: reading what was cut off would be the end.

        That helps against accidents, and not against a producer that cuts it in the very next moment: see
        docs/security.md for what is promised of those that share memory.
        """
        return self._map.size() >= self._size

    def owner(self, index: int, num_bytes: int) -> Any:
        """A ctypes array over the first bytes of a slot; keeps the memory mapped while it lives."""
        if not 0 <= index < self._num_slots or num_bytes > self.slot_bytes:
            raise RemoteProtocolError(f"slot {index} of {num_bytes} bytes is outside the arena")
        return (ctypes.c_uint8 * num_bytes).from_buffer(self._map, _offset(self.slot_bytes, index))

    def give_back(self, indices: Iterable[int]) -> None:
        """Let the memory of slots go that nobody reads or writes; they are zero when they are used again.

        Their maker is to be told (`Arena.forget`) before it is asked to use them.
        """
        for index in indices:
            if 0 <= index < self._num_slots:
                self._give_back(_offset(self.slot_bytes, index), whole_pages(self.slot_bytes))

    def _give_back(self, start: int, num_bytes: int) -> None:
        # A folder on a disk of a kind that knows no holes keeps them.
        with suppress(OSError):
            self._map.madvise(mmap.MADV_REMOVE, start, num_bytes)


def _check_file(name: str, found: os.stat_result, size: int) -> None:
    """Map nothing but a file of this user's: whoever has it can cut it, and end whoever reads it."""
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        raise RemoteProtocolError(f"arena {name} is no file of the {size} bytes that were offered")
    if found.st_uid != os.geteuid():
        raise RemoteProtocolError(f"arena {name} is user {found.st_uid}'s, and not user {os.geteuid()}'s")


def _offset(slot_bytes: int, index: int) -> int:
    """Where a slot begins: each has pages of its own, so that it can be given back."""
    return HEADER_BYTES + index * whole_pages(slot_bytes)


def _made_locked(path: Path) -> int:
    """Make a file that has no name until it is locked, so that nobody finds it free; returns its descriptor.

    Where a file system knows no files without names (`O_TMPFILE`, open(2)), it is locked a moment later.
    """
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        fd = os.open(path.parent, os.O_TMPFILE | flags, 0o600)
    except OSError:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | flags, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Only with a folder's descriptor does Python follow the link, as linkat(2) wants it here.
        os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
    except OSError:
        os.close(fd)
        raise
    return fd


def _open(name: str) -> int:
    for folder in folders():
        with suppress(FileNotFoundError):
            return os.open(folder / name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    raise FileNotFoundError(errno.ENOENT, "no such arena here", name)
