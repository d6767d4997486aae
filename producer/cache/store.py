"""Decoded samples, kept for the next epoch.

What is kept is a sample before the first transform: decoded, and resized to the job's size. A file
holds samples of one kind (size, colours, decoder) and is shared by all producers of a host, whatever
jobs they serve; see `feedline.producer.cache.file` for how that is safe.

Samples come in first come, first served, and stay: nothing is evicted when the cache is full. Random
epochs make recency worthless, and an LRU would drop each sample shortly before it is wanted again;
a fixed part of the data set hits in every epoch (MinIO in Mohan et al., "Analyzing and Mitigating
Data Stalls in DNN Training", VLDB 2021).
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import zlib
from array import array
from contextlib import suppress
from functools import cache
from math import prod
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.batch.layout import aligned
from feedline.common.job.caching import CacheKind, CacheSpec
from feedline.common.memory.arena import CACHE_PREFIX
from feedline.common.sample.image import PIXELS_VERSION, ImageSpec, Size
from feedline.producer.arrays import Pixels
from feedline.producer.cache.file import IDENTITY_BYTES, CacheFile, record
from feedline.producer.cache.folder import CacheFolder, CacheSettings
from feedline.producer.cache.index import Key, KeyIndex

logger = logging.getLogger(__name__)

UNKNOWN = -1
"""In the table by row: its slot was not looked up yet."""

MANY_RECORDS = 1000
"""So many new records are sorted into the index, fewer are added one by one."""

UNPROVED, SOUND, SPOILT = 0, 1, 2
"""Of a slot: there when the file was opened and not compared with its check sum yet, or compared."""


SIZE = np.dtype([("height", "<u4"), ("width", "<u4")])
"""What the image of the file had, kept behind the pixels: boxes are counted in its pixels."""


class Decoded(NamedTuple):
    """A sample before the first transform.

    Attributes
    ----------
    pixels : ndarray
        Shape `ImageSpec.shape`; of an image that is still to be framed, (any height, any width, channels).
    size : (int, int)
        (height, width) of the image of the file.
    """

    pixels: Pixels
    size: Size


def sample_key(file: str, status: os.stat_result) -> Key:
    """Name the content of a file: a changed file has another key.

    Parameters
    ----------
    file : str
        Its real path.
    status : os.stat_result
        Size, time of change and inode count.
    """
    facts = struct.pack("<qqQ", status.st_size, status.st_mtime_ns, status.st_ino)
    digest = hashlib.blake2b(facts + os.fsencode(file), digest_size=16).digest()
    high, low = struct.unpack("<QQ", digest)
    return Key(high, low)


def identity_of(image: ImageSpec) -> bytes:
    """Name whatever else the pixels of a sample depend on."""
    facts = (image.to_wire(), PIXELS_VERSION, cv2.__version__, os.uname().machine)
    return hashlib.blake2b(repr(facts).encode(), digest_size=IDENTITY_BYTES).digest()


class SampleCache:
    """The cache of one job, in one producer. Used by the building thread alone.

    Parameters
    ----------
    spec : CacheSpec
        What the job wants.
    image : ImageSpec
        What its samples are decoded to.
    settings : CacheSettings
        What the operator allows.

    Raises
    ------
    OSError
        There is no place for it.
    """

    def __init__(self, spec: CacheSpec, image: ImageSpec, settings: CacheSettings) -> None:
        self._image = image
        self._is_lasting = spec.kind is CacheKind.DISK
        self._folder = CacheFolder.of(spec.kind, settings, spec.num_bytes)
        self._file = self._open()
        self._index = KeyIndex()
        self._sums, self._states = array("I"), bytearray()
        self._is_full = False
        # By row: where its sample is, and what the file looked like when that was found out.
        self._slots = array("i", [UNKNOWN]) * spec.num_rows
        self._stamps = array("q", [0]) * spec.num_rows
        with self._file.lock():
            self._take_in_new()
        if self._is_lasting:
            # Whatever became of the file meanwhile, nobody trains on it.
            self._states = bytearray([UNPROVED] * len(self))
        logger.info(f"{self._file.path} holds {len(self):,} of at most {self._file.num_slots:,} samples")

    def __len__(self) -> int:
        """Samples known to be in it."""
        return len(self._states)

    def has_row(self, row: int) -> bool:
        """Whether the sample of a row was found or kept before."""
        return row < len(self._slots) and self._slots[row] != UNKNOWN

    def recall(self, row: int, status: os.stat_result) -> Decoded | None:
        """The sample of a row that was found or kept before; None if its file has changed since.

        Parameters
        ----------
        row : int
            In the dataset.
        status : os.stat_result
            Of its file, now.

        Returns
        -------
        Decoded or None
            Its pixels are read-only, mapped from the cache.
        """
        if not self.has_row(row) or self._stamps[row] != _stamp(status):
            return None
        return self._decoded(self._slots[row])

    def find(self, row: int, file: str, status: os.stat_result) -> Decoded | None:
        """Look a sample up by its real path, also among those that other producers have added."""
        key = sample_key(file, status)
        slot = self._index.find(key)
        if slot is None and not self._is_full:
            with self._file.lock():
                self._take_in_new()
            slot = self._index.find(key)
        if slot is None or not self._is_sound(slot):
            return None
        self._remember(row, status, slot)
        return self._decoded(slot)

    def keep(self, row: int, file: str, status: os.stat_result, decoded: Decoded) -> None:
        """Add a sample, if there is room and nobody else has added it.

        Parameters
        ----------
        row : int
            In the dataset.
        file : str
            Its real path.
        status : os.stat_result
            Of the file, before its bytes were read; if it has changed since, nothing is kept.
        decoded : Decoded
            What is kept.
        """
        if self._is_full or not _is_still(file, status):
            return
        key = sample_key(file, status)
        with self._file.lock():
            self._take_in_new()
            slot = self._index.find(key)
            if slot is None or not self._is_sound(slot):
                slot = self._append(key, _bytes_of(decoded))
        if slot is not None:
            self._remember(row, status, slot)

    def close(self) -> None:
        """Leave it. Pixels still in use stay mapped."""
        self._file.close()

    def _open(self) -> CacheFile:
        identity = identity_of(self._image)
        owner = "" if self._is_lasting else f"{os.getuid()}-"
        path = self._folder.path / f"{CACHE_PREFIX}{owner}{identity.hex()[:32]}"
        slot_bytes = self._pixel_bytes + SIZE.itemsize
        num_slots = self._folder.limit_bytes // aligned(slot_bytes)
        return CacheFile(path, identity, slot_bytes, num_slots, temporary=not self._is_lasting)

    def _take_in_new(self) -> None:
        """Learn of samples that were added since the last call. To be called under the file's lock."""
        new, start = self._file.records(len(self)), len(self)
        self._sums.extend(new["sum"].tolist())
        self._states.extend(np.where(new["boot"] == _boot_number(), SOUND, UNPROVED).astype(np.uint8))
        usable = new[: max(0, self._file.num_slots - start)]
        if len(usable) > MANY_RECORDS:
            slots = np.arange(start, start + len(usable), dtype=np.int32)
            self._index.extend(usable["high"], usable["low"], slots)
            return
        for slot, (high, low, *_) in enumerate(usable.tolist(), start):
            self._index.add(Key(high, low), slot)

    def _append(self, key: Key, pixels: npt.NDArray[np.uint8]) -> int | None:
        """Fill the next slot. To be called under the file's lock, knowing all records."""
        slot = len(self)
        growth = self._file.growth_bytes(slot)
        if slot >= self._file.num_slots or not self._folder.has_room(growth, self._file.path):
            self._become_full(logging.INFO, f"all {self._folder.limit_bytes:,} bytes of its limit are used")
            return None
        pixel_sum = zlib.crc32(pixels.data) if self._is_lasting else 0
        try:
            self._file.write(slot, pixels, record(*key, pixel_sum, _boot_number()))
        except OSError as error:
            self._become_full(logging.WARNING, f"there is no room for more ({error.strerror})")
            return None
        self._take_in_new()
        return slot

    def _become_full(self, level: int, why: str) -> None:
        self._is_full = True
        logger.log(
            level, f"{self._file.path} stays at {len(self):,} samples, others are decoded each time: {why}"
        )

    def _is_sound(self, slot: int) -> bool:
        """Whether the pixels are those that were written, which a loss of power may have undone."""
        if self._states[slot] == UNPROVED:
            is_same = zlib.crc32(self._file.slot(slot).data) == self._sums[slot]
            self._states[slot] = SOUND if is_same else SPOILT
        return self._states[slot] == SOUND

    def _remember(self, row: int, status: os.stat_result, slot: int) -> None:
        if row < len(self._slots):
            self._slots[row], self._stamps[row] = slot, _stamp(status)

    def _decoded(self, slot: int) -> Decoded:
        content = self._file.slot(slot)
        pixels = content[: self._pixel_bytes].view(self._image.dtype).reshape(self._image.shape)
        height, width = content[self._pixel_bytes :].view(SIZE)[0].item()
        return Decoded(pixels, (height, width))

    @property
    def _pixel_bytes(self) -> int:
        return prod(self._image.shape) * np.dtype(self._image.dtype).itemsize


def open_cache(spec: CacheSpec, image: ImageSpec, settings: CacheSettings) -> SampleCache | None:
    """Open the cache that a job wants, or say why there is none: it only makes things faster."""
    if settings.num_bytes == 0:
        logger.warning(f"no {spec.kind} cache: --cache-bytes 0 forbids it")
        return None
    try:
        return SampleCache(spec, image, settings)
    except OSError as error:
        logger.warning(f"no {spec.kind} cache, every sample is decoded each time: {error}")
        return None


def _bytes_of(decoded: Decoded) -> npt.NDArray[np.uint8]:
    size = np.array([decoded.size], SIZE)
    return np.concatenate([decoded.pixels.reshape(-1).view(np.uint8), size.view(np.uint8)])


def _is_still(file: str, status: os.stat_result) -> bool:
    with suppress(FileNotFoundError):
        return _stamp(Path(file).stat()) == _stamp(status)
    return False


def _stamp(status: os.stat_result) -> int:
    return hash((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@cache
def _boot_number() -> int:
    """Names this run of the kernel; what was written in it is in its page cache, whole."""
    try:
        return zlib.crc32(Path("/proc/sys/kernel/random/boot_id").read_bytes())
    except OSError:
        return int.from_bytes(os.urandom(4), "little")
