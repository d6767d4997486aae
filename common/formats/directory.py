"""The directory of a TIFF file, which is also that of Exif (TIFF 6.0; BigTIFF, as libtiff writes it)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from feedline.common.formats.data import Data

_BYTES_OF = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8}
"""Bytes of a value, by the type of a field; rationals and floats are not read here."""

_MOST_VALUES = 16
"""No more are read: the places of strips can be many thousands."""


class Tag(IntEnum):
    """What a field of the directory is."""

    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    ORIENTATION = 274
    SAMPLES = 277
    PLANAR = 284
    COLOUR_MAP = 320
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    XMP = 700


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a directory.

    Attributes
    ----------
    at, end : int
        Where its values stand in the file.
    values : tuple of int
        The first of them, at most 16.
    """

    at: int
    end: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """The fields of the first picture of a TIFF file.

    Attributes
    ----------
    order : str
        ``"little"`` or ``"big"``.
    fields : dict of int to Field
        By tag.
    """

    order: Literal["little", "big"]
    fields: dict[int, Field]

    def values(self, tag: int, default: int) -> tuple[int, ...]:
        """The values of a field, or `default` where it is not there."""
        field = self.fields.get(tag)
        return field.values if field is not None and field.values else (default,)

    def value(self, tag: int, default: int) -> int:
        """The first value of a field, or `default`."""
        return self.values(tag, default)[0]

    def edited(self, data: Data, values: dict[int, int]) -> bytes:
        """The same file with another first value in some of the fields that it has."""
        parts = bytearray(data)
        for tag, value in values.items():
            field = self.fields[tag]
            size = (field.end - field.at) // max(1, len(field.values))
            parts[field.at : field.at + size] = value.to_bytes(size, self.order)
        return bytes(parts)


def read_directory(data: Data) -> Directory | None:
    """Read the first directory of a file; None if its first bytes are not those of one.

    What lies beyond the end of the file is left out.
    """
    order: Literal["little", "big"]
    if data[:2] == b"II":
        order = "little"
    elif data[:2] == b"MM":
        order = "big"
    else:
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    # Of BigTIFF all numbers are longer.
    is_big = number(2, 2) == 43
    word, count_bytes, entry_bytes = (8, 8, 20) if is_big else (4, 2, 12)
    start = number(8 if is_big else 4, word)
    fields: dict[int, Field] = {}
    for nth in range(min(number(start, count_bytes), 1000)):
        entry = start + count_bytes + entry_bytes * nth
        if entry + entry_bytes > len(data):
            break
        size, count = _BYTES_OF.get(number(entry + 2, 2), 0), number(entry + 4, word)
        inline = entry + 4 + word
        at = inline if size * count <= word else number(inline, word)
        places = range(at, at + size * min(count, _MOST_VALUES), size) if size else ()
        fields[number(entry, 2)] = Field(at, at + size * count, tuple(number(p, size) for p in places))
    return Directory(order, fields)
