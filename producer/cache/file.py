"""One cache file: a header, a list of records, and as many slots of pixels.

::

    0        4 KiB             512 MiB + 4 KiB
    | header | record record … | pixels of record 0 | pixels of record 1 | …
               32 bytes each, a hole after the last

Slots are filled one after another and never again. All that is written is written under one lock:
first the pixels, then their record; and records are read under that lock, too. So whoever has read a
record sees its pixels, on any CPU, and may read them without a lock for as long as the file is mapped:
they never change. Who is killed while writing leaves a slot without a record, which the next one
fills; the kernel takes the lock back.

Pixels are written with ``pwrite`` and mapped for reading only. A full file system is then an error,
where a store into a mapping is a SIGBUS, and nobody can spoil them by mistake.

A second lock is shared by all users as long as they live: a file in memory that nobody holds is
swept when a pool or a producer starts (`feedline.common.memory.sweeping.sweep`).
"""

from __future__ import annotations

import errno
import fcntl
import logging
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from feedline.common.batch.layout import aligned
from feedline.common.memory.sweeping import is_at

logger = logging.getLogger(__name__)

MAGIC = b"feedline cache 2"
IDENTITY_BYTES = 32
HEADER_BYTES = PAGE_BYTES = 4096
MAX_SLOTS = 1 << 24
RECORD = np.dtype([("high", "<u8"), ("low", "<u8"), ("sum", "<u4"), ("boot", "<u4"), ("check", "<u8")])
"""Key of the sample, check sum of its pixels and the boot it was written in, check sum of the record."""

SLOTS_START = HEADER_BYTES + MAX_SLOTS * RECORD.itemsize
MAX_TRIES = 100
READ_RECORDS = 4096

Records = npt.NDArray[np.void]
"""Shape (records,), dtype `RECORD`."""


class CorruptCacheError(Exception):
    """The file is none of ours, or was cut off or altered."""


def record(high: int, low: int, pixel_sum: int, boot: int) -> Records:
    """One record, with its check sum."""
    result = np.array([(high, low, pixel_sum, boot, 0)], RECORD)
    result["check"] = _check_of(result)
    return result


def _check_of(records: Records) -> npt.NDArray[np.uint64]:
    """Tells whole records from torn ones and from a hole, whose check sum would not be zero."""
    tail = records["sum"].astype(np.uint64) << np.uint64(32) | records["boot"].astype(np.uint64)
    odd = np.uint64(0x9E3779B97F4A7C15)
    return ((records["high"] * odd ^ records["low"]) * odd ^ tail) * odd + odd  # type: ignore[no-any-return]


class CacheFile:
    """An open cache file. Used by the building thread; may be dropped by any.

    Parameters
    ----------
    path : Path
        Where it lies; it is made if it is not there, and made anew if it is damaged.
    identity : bytes
        What its pixels are, `IDENTITY_BYTES` long.
    slot_bytes : int
        Bytes of one sample's pixels.
    num_slots : int
        So many slots are used at most.
    temporary : bool
        Remove it when its last user ends.

    Raises
    ------
    OSError
        It cannot be made, or not mapped.
    """

    def __init__(
        self, path: Path, identity: bytes, slot_bytes: int, num_slots: int, *, temporary: bool
    ) -> None:
        self.path = path
        self.slot_bytes, self.stride = slot_bytes, aligned(slot_bytes)
        self.num_slots = min(num_slots, MAX_SLOTS)
        self._temporary = temporary
        self._header = MAGIC + identity + struct.pack("<Q", slot_bytes)
        self._num_bytes = SLOTS_START + self.stride * self.num_slots
        self._fd = -1
        self._open()
        try:
            self._map = mmap.mmap(self._fd, self._num_bytes, prot=mmap.PROT_READ)
        except OSError:
            self.close()
            raise

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock under which everything is written, and records are read."""
        # Of the open file, not of the process: another job of this one may have the file open, too.
        _lock_open_file(self._fd, fcntl.F_WRLCK)
        try:
            yield
        finally:
            _lock_open_file(self._fd, fcntl.F_UNLCK)

    def records(self, start: int) -> Records:
        """All records from number `start` on. To be called under `lock`."""
        parts = [np.empty(0, RECORD)]
        while len(part := self._whole_records(start)):
            parts.append(part)
            start += len(part)
        return np.concatenate(parts)

    def growth_bytes(self, slot: int) -> int:
        """What the file grows by when a slot is filled; now and then that is a page of records, too."""
        first_of_page = slot * RECORD.itemsize % PAGE_BYTES == 0
        return self.stride + PAGE_BYTES * first_of_page

    def write(self, slot: int, pixels: npt.NDArray[np.uint8], new: Records) -> None:
        """Fill the first slot that has no record. To be called under `lock`.

        Raises
        ------
        OSError
            There is no room; the slot has no record still.
        """
        _write_all(self._fd, pixels.reshape(-1).data, SLOTS_START + slot * self.stride)
        _write_all(self._fd, new.view(np.uint8).data, HEADER_BYTES + slot * RECORD.itemsize)

    def slot(self, index: int) -> npt.NDArray[np.uint8]:
        """The pixels of a slot that has a record, shape (slot_bytes,), read-only."""
        return np.frombuffer(self._map, np.uint8, self.slot_bytes, SLOTS_START + index * self.stride)

    def close(self) -> None:
        """Leave it; a temporary file goes with its last user. Pixels still in use stay mapped."""
        if self._fd < 0:
            return
        with suppress(OSError):
            if self._temporary:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_at(self._fd, self.path):
                    self.path.unlink()
        self._drop()

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            self.close()

    def _open(self) -> None:
        for _ in range(MAX_TRIES):
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                if self._is_usable():
                    return
            except BaseException:
                self._drop()
                raise
            self._drop()
        raise OSError(errno.EBUSY, f"{self.path} vanished as often as it was made")

    def _is_usable(self) -> bool:
        """Take part in the file; False if it is damaged, or was removed just now."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)
        with self.lock():
            if not is_at(self._fd, self.path):
                return False
            try:
                self._check_or_begin()
            except CorruptCacheError:
                # Whoever still reads it keeps it; its name is free for a new one. Under the lock, so that
                # another one who finds the damage does not remove the new one.
                logger.warning(f"{self.path} is damaged: begun anew")
                self.path.unlink(missing_ok=True)
                return False
        # For whoever looks for the file that was not used for longest.
        os.utime(self._fd)
        return True

    def _drop(self) -> None:
        fd, self._fd = self._fd, -1
        # Said aloud, because the mapping holds a descriptor of its own.
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)

    def _check_or_begin(self) -> None:
        """Write the header of a new file, or compare the one it has."""
        size = os.fstat(self._fd).st_size
        if size == 0:
            os.ftruncate(self._fd, self._num_bytes)
            _write_all(self._fd, memoryview(self._header), 0)
            return
        if os.pread(self._fd, len(self._header), 0) != self._header:
            raise CorruptCacheError
        num_records = len(self.records(0))
        is_torn = any(self._raw_records(num_records, 1).tobytes())
        if is_torn or size < SLOTS_START + num_records * self.stride:
            raise CorruptCacheError
        if size < self._num_bytes:
            os.ftruncate(self._fd, self._num_bytes)

    def _whole_records(self, start: int) -> Records:
        """The next records, up to the first that is not whole."""
        raw = self._raw_records(start, min(READ_RECORDS, MAX_SLOTS - start))
        is_torn = _check_of(raw) != raw["check"]
        return raw[: int(np.argmax(is_torn))] if is_torn.any() else raw

    def _raw_records(self, start: int, num: int) -> Records:
        data = os.pread(self._fd, num * RECORD.itemsize, HEADER_BYTES + start * RECORD.itemsize)
        return np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)


def _lock_open_file(fd: int, kind: int) -> None:
    # struct flock: type, whence, start, length, pid. Only the first byte of the file is locked.
    fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 1, 0))


def _write_all(fd: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written
