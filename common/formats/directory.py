"""The directory of a TIFF file, which is also that of Exif (TIFF 6.0; BigTIFF, as libtiff writes it)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from feedline.common.formats.data import Data

_BYTES_OF = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8}
"""Bytes of a value, by the type of a field; rationals and floats are not read here."""

_BYTES_OF_OTHERS = {5: 8, 10: 8, 11: 4, 12: 8, 17: 8, 18: 8}

_MOST_VALUES = 16
"""No more are read of a field, though it may be thousands of bytes long."""

_MOST_FIELDS = 1000


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
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    XMP = 700


_TAGS = frozenset(Tag)


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
    is_possible : bool
        Whether the file has room for what its fields say that they have, those that are not looked at too.
    """

    order: Literal["little", "big"]
    fields: dict[int, Field]
    is_possible: bool = True

    def values(self, tag: int, default: int) -> tuple[int, ...]:
        """The values of a field, or `default` where it is not there."""
        field = self.fields.get(tag)
        return field.values if field is not None and field.values else (default,)

    def value(self, tag: int, default: int) -> int:
        """The first value of a field, or `default`."""
        return self.values(tag, default)[0]

    def edited(self, data: Data, values: dict[int, int]) -> bytes:
        """The same file with another first value in some of the fields that it has."""
        values = {tag: value for tag, value in values.items() if self.value(tag, value) != value}
        if not values:
            return data[:]
        parts = bytearray(data)
        for tag, value in values.items():
            field = self.fields[tag]
            size = (field.end - field.at) // max(1, len(field.values))
            parts[field.at : field.at + size] = value.to_bytes(size, self.order)
        return bytes(parts)


def read_directory(data: Data) -> Directory | None:
    """Read the first directory of a file; None if its first bytes are not those of one.

    Only the fields of `Tag` are looked at, and what lies beyond the end of the file is left out.
    """
    order: Literal["little", "big"] = "big" if data[:2] == b"MM" else "little"
    if data[:2] not in {b"II", b"MM"} or len(data) < 8:
        return None
    # Of BigTIFF all numbers are longer.
    is_big = int.from_bytes(data[2:4], order) == 43
    word, count_bytes = (8, 8) if is_big else (4, 2)
    entry = struct.Struct((">" if order == "big" else "<") + ("HHQQ" if is_big else "HHII"))

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    start = number(8 if is_big else 4, word)
    fields: dict[int, Field] = {}
    most = 0
    for nth in range(min(number(start, count_bytes), _MOST_FIELDS)):
        place = start + count_bytes + entry.size * nth
        if place + entry.size > len(data):
            break
        tag, kind, count, value_at = entry.unpack_from(data, place)
        most = max(most, count * (_BYTES_OF.get(kind) or _BYTES_OF_OTHERS.get(kind, 1)))
        if tag in _TAGS and (size := _BYTES_OF.get(kind, 0)):
            at = place + entry.size - word if size * count <= word else value_at
            places = range(at, at + size * min(count, _MOST_VALUES), size)
            fields[tag] = Field(at, at + size * count, tuple(number(one, size) for one in places))
    return Directory(order, fields, most <= len(data))
