"""What the readers of headers share: whose bytes they read."""

from __future__ import annotations

import mmap

Data = bytes | mmap.mmap
"""A whole file: in memory, or mapped, where little of it is looked at."""


def has(data: Data, part: bytes, at: int = 0) -> bool:
    """Whether `part` stands at a place."""
    return data[at : at + len(part)] == part


def big(data: Data, at: int, size: int) -> int:
    """A number of `size` bytes, its highest first."""
    return int.from_bytes(data[at : at + size], "big")


def little(data: Data, at: int, size: int) -> int:
    """A number of `size` bytes, its lowest first."""
    return int.from_bytes(data[at : at + size], "little")
