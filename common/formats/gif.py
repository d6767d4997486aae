"""Where a GIF says that its first picture is transparent (GIF89a, 20 to 23)."""

from __future__ import annotations

from feedline.common.formats.data import Data, little

_EXTENSION, _PICTURE, _CONTROL = 0x21, 0x2C, 0xF9
_COLOURS_FOLLOW, _IS_TRANSPARENT = 0x80, 1


def transparency_at(data: Data) -> int | None:
    """Where the byte stands whose lowest bit makes a colour transparent; None if nothing is."""
    place = 13 + _table_bytes(little(data, 10, 1))
    control = None
    while place + 3 < len(data) and data[place] == _EXTENSION:
        if data[place + 1] == _CONTROL:
            control = place + 3
        place = _after_blocks(data, place + 2)
    is_there = place < len(data) and data[place] == _PICTURE and control is not None
    return control if is_there and control is not None and data[control] & _IS_TRANSPARENT else None


def without_transparency(data: Data, at: int) -> bytes:
    """The same file, all of whose colours are seen; `at` is what `transparency_at` found."""
    return data[:at] + bytes([data[at] & ~_IS_TRANSPARENT]) + data[at + 1 :]


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & _COLOURS_FOLLOW else 0


def _after_blocks(data: Data, place: int) -> int:
    """Where the blocks of an extension end: each begins with its length, the last has none."""
    while place < len(data) and data[place]:
        place += 1 + data[place]
    return place + 1
