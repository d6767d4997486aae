"""JPEG, and how it is found out whether one that nothing ends is whole."""

from __future__ import annotations

import hashlib

import numpy as np

from feedline.common.formats.jpeg import END, has_restarts, lacks_end, last_restart, scans_are_whole
from feedline.common.sample.image import ColorMode
from feedline.producer.arrays import Pixels
from feedline.producer.reading.opencv import UndecodableError, decode_with_opencv

_FILLINGS = [hashlib.sha512(bytes([nth])).digest().replace(b"\xff", b"\0") for nth in range(8)]
"""What might have followed a scan: without a pattern, which could mean little in the file's own code."""


def decode_jpeg(data: bytes, color_mode: str, dtype: str, reduction: int = 1) -> Pixels | None:
    """Decode a JPEG, which has no transparency."""
    if color_mode != ColorMode.RGBA:
        return decode_with_opencv(data, color_mode, dtype, reduction)
    pixels = decode_with_opencv(data, ColorMode.RGB, dtype, reduction)
    if pixels is None:
        return None
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def completed(data: bytes) -> bytes:
    """A JPEG with its end mark, if that is all it lacks.

    A decoder fills what is missing with grey, and does not tell. So it is given several endings: a scan that
    is whole makes the same pixels whatever follows it, one that is cut off does not.

    Raises
    ------
    UndecodableError
        Something else is missing, too.
    """
    if not lacks_end(data):
        return data
    kept = _without_filling(data)
    pixels = [decode_with_opencv(kept + ending, ColorMode.RGB, "uint8") for ending in _endings(kept)]
    first = pixels[0]
    if not scans_are_whole(data) or first is None:
        raise _cut_off(data)
    if any(other is None or not np.array_equal(first, other) for other in pixels):
        raise _cut_off(data)
    return kept + END


def _cut_off(data: bytes) -> UndecodableError:
    return UndecodableError(f"the JPEG is cut off: no end-of-image mark in its {len(data)} bytes")


def _without_filling(data: bytes) -> bytes:
    """Without what disks and copies put where nothing was written."""
    kept = data.rstrip(b"\0\xff")
    # A byte 255 of a scan is followed by a 0; and a single 0 is its own.
    own = next((part for part in (b"\xff\0", b"\0") if data[len(kept) : len(kept) + 3] == part), b"")
    return kept + own


def _endings(data: bytes) -> list[bytes]:
    endings = [filling + END for filling in _FILLINGS]
    if has_restarts(data):
        last = last_restart(data)
        following = bytes([0xFF, 0xD0 + (0 if last is None else (last + 1) % 8)])
        endings += [following + ending for ending in endings]
    return endings
