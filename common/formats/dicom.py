"""What a DICOM file says of itself: the elements of its header, found in its bytes.

pydicom takes longer to read a header than it takes to decode the pixels of a CT slice, so this finds the few
elements that are wanted and steps over all others. It reads little endian files and gives up on whatever
it does not know, which is then read by pydicom.

Files without a preamble, or without meta information, are read as they have been written since before
PS3.10: by what their first element looks like.

Sources: DICOM PS3.10, 7.1 (preamble and meta information), PS3.5, 7.1 (elements), 7.5 (sequences), annex A
(transfer syntaxes).
"""

from __future__ import annotations

import struct
from collections.abc import Container
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from feedline.common.formats.data import Data, has

MAGIC = b"DICM"
MAGIC_AT = 128

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = (IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN)
"""The syntaxes whose pixels lie in the file as they are."""

DEFLATED = "1.2.840.10008.1.2.1.99"
"""All that follows the meta information is one deflated stream."""

_NOT_LITTLE_ENDIAN = (
    EXPLICIT_BIG_ENDIAN,
    DEFLATED,
    "1.2.840.10008.1.2.4.95",  # JPIP, deflated
    "1.2.840.10008.1.2.4.205",
)


class Tag(IntEnum):
    """Elements by group and number: 0xGGGGEEEE."""

    TRANSFER_SYNTAX = 0x0002_0010
    SOP_INSTANCE = 0x0008_0018
    PATIENT = 0x0010_0020
    STUDY = 0x0020_000D
    SERIES = 0x0020_000E
    FRAME_OF_REFERENCE = 0x0020_0052
    INSTANCE_NUMBER = 0x0020_0013
    POSITION = 0x0020_0032
    ORIENTATION = 0x0020_0037
    SAMPLES = 0x0028_0002
    PHOTOMETRIC = 0x0028_0004
    FRAMES = 0x0028_0008
    ROWS = 0x0028_0010
    COLUMNS = 0x0028_0011
    BITS_ALLOCATED = 0x0028_0100
    BITS_STORED = 0x0028_0101
    HIGH_BIT = 0x0028_0102
    IS_SIGNED = 0x0028_0103
    PADDING = 0x0028_0120
    PADDING_LIMIT = 0x0028_0121
    WINDOW_CENTER = 0x0028_1050
    WINDOW_WIDTH = 0x0028_1051
    INTERCEPT = 0x0028_1052
    SLOPE = 0x0028_1053
    VOI_FUNCTION = 0x0028_1056
    MODALITY_TABLE = 0x0028_3000
    VOI_TABLE = 0x0028_3010
    PIXEL_DATA = 0x7FE0_0010


@dataclass(frozen=True, slots=True)
class RawHeader:
    """The wanted elements of a file.

    Attributes
    ----------
    syntax : str
        UID of the transfer syntax.
    values : dict of int to bytes
        Elements that were wanted and are there, by tag, as they lie in the file.
    pixels_at : int
        Offset of the pixels' bytes; 0 if there are none, or they were not reached.
    pixel_bytes : int
        Their length as the file promises it; `UNDEFINED` where they are compressed.
    """

    syntax: str
    values: dict[int, bytes]
    pixels_at: int = 0
    pixel_bytes: int = 0


UNDEFINED = 0xFFFF_FFFF
"""The length of what is closed by a delimiter instead."""

_ITEM, _END_OF_ITEM, _END_OF_SEQUENCE = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD

_EXPLICIT, _IMPLICIT, _LENGTH = Struct("<HH2sH"), Struct("<HHI"), Struct("<I")

_SHORT = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()  # lengths of 16 bits
)
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # lengths of 32 bits
_PIXEL_DATA = int(Tag.PIXEL_DATA)  # looked up for every element


_GROUP_2, _GROUP_8 = b"\x02\0", b"\x08\0"
"""What meta information begins with, and what nearly all files begin with after it."""


class UnreadableHeaderError(Exception):
    """The header is written in a way that is not read here, or is none."""


class CutHeaderError(UnreadableHeaderError):
    """The file ends within its header."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"is cut off in its header, after {len(data)} bytes")


def is_dicom(data: Data) -> bool:
    """Whether this is, or begins like, a DICOM file."""
    return _start(data) is not None


def with_preamble(data: bytes) -> bytes:
    """A file that begins with its mark, which pydicom looks for where it belongs; others as they are."""
    return bytes(MAGIC_AT) + data if data.startswith(MAGIC) else data


def read_header(data: bytes, wanted: Container[int], last: int = Tag.PIXEL_DATA) -> RawHeader:
    """Find elements of a header.

    Parameters
    ----------
    data : bytes
        The file, or as much of it as holds the header.
    wanted : container of int
        Tags of elements outside of sequences.
    last : int
        The header is read up to the first tag after this one: elements are in the order of their tags.

    Raises
    ------
    CutHeaderError
        `data` ends within the header.
    UnreadableHeaderError
        It must be read by pydicom, or cannot be read.
    """
    try:
        return _read_header(data, wanted, last)
    except struct.error:
        raise CutHeaderError(data) from None


def _read_header(data: bytes, wanted: Container[int], last: int) -> RawHeader:
    syntax, position = _checked_meta(data)
    is_explicit = syntax != IMPLICIT_LITTLE_ENDIAN
    values: dict[int, bytes] = {}
    while position != len(data):
        tag, start, length = _element(data, position, is_explicit)
        if tag == _PIXEL_DATA:
            return RawHeader(syntax, values, start, length)
        if tag > last:
            break
        position = start + length if length != UNDEFINED else _end_of_sequence(data, start, is_explicit)
        if tag in wanted:
            values[tag] = data[start:position]
    return RawHeader(syntax, values)


def deflated_at(data: bytes) -> int | None:
    """Where the deflated stream of a file begins; None if it is not deflated.

    Raises
    ------
    UnreadableHeaderError
        Its meta information cannot be read.
    """
    try:
        syntax, position = _meta(data)
    except struct.error:
        raise CutHeaderError(data) from None
    return position if syntax == DEFLATED else None


def _checked_meta(data: bytes) -> tuple[str, int]:
    """As `_meta`, of a file that can be read here."""
    syntax, position = _meta(data)
    syntax = syntax or _probable_syntax(data, position)
    if not syntax or syntax in _NOT_LITTLE_ENDIAN:
        raise UnreadableHeaderError(f"has transfer syntax {syntax!r}")
    return syntax, position


def _meta(data: bytes) -> tuple[str, int]:
    """The transfer syntax, empty if none is named, and where the meta information ends: always explicit."""
    position, syntax = _start(data), ""
    if position is None:
        raise UnreadableHeaderError("has no DICM mark")
    while data.startswith(_GROUP_2, position):
        tag, start, length = _element(data, position, is_explicit=True)
        position = start + length
        if tag == Tag.TRANSFER_SYNTAX:
            syntax = data[start:position].rstrip(b"\0 ").decode("ascii", "replace")
    if position > len(data):
        raise CutHeaderError(data)
    return syntax, position


def _start(data: Data) -> int | None:
    """Where the first element is; None if this is no DICOM file."""
    if has(data, MAGIC, MAGIC_AT):
        return MAGIC_AT + len(MAGIC)
    if has(data, MAGIC):
        return len(MAGIC)
    is_meta = has(data, _GROUP_2 + b"\0\0UL\4\0")
    return 0 if is_meta or _probable_syntax(data, 0) else None


def _probable_syntax(data: Data, position: int) -> str:
    """What elements from `position` on are written in, if they begin with group 8; empty if unknown."""
    if not has(data, _GROUP_8, position) or data[position + 3 : position + 4] != b"\0":
        return ""
    if data[position + 4 : position + 6] in _SHORT | _LONG:
        return EXPLICIT_LITTLE_ENDIAN
    # Implicit: a length of 32 bits, of which the upper ones are not needed.
    return IMPLICIT_LITTLE_ENDIAN if data[position + 6 : position + 8] == b"\0\0" else ""


def _element(data: bytes, position: int, is_explicit: bool) -> tuple[int, int, int]:
    """Tag, offset and length of an element's value."""
    if is_explicit:
        group, number, kind, length = _EXPLICIT.unpack_from(data, position)
        if kind in _SHORT:
            return group << 16 | number, position + 8, length
        return group << 16 | number, position + 12, _long_length(data, position, kind)
    group, number, length = _IMPLICIT.unpack_from(data, position)
    return group << 16 | number, position + 8, length


def _long_length(data: bytes, position: int, kind: bytes) -> int:
    if kind not in _LONG:
        raise UnreadableHeaderError(f"has an element of the unknown kind {kind!r}")
    length: int = _LENGTH.unpack_from(data, position + 8)[0]
    if kind == b"UN" and length == UNDEFINED:
        raise UnreadableHeaderError("has a sequence of unknown kind")
    return length


def _end_of_sequence(data: bytes, position: int, is_explicit: bool) -> int:
    """Where a sequence of undefined length ends that begins at `position`."""
    while True:
        tag, start, length = _element(data, position, is_explicit=False)
        if tag == _END_OF_SEQUENCE:
            return start
        if tag != _ITEM:
            raise UnreadableHeaderError(f"has {tag:#010x} where an item of a sequence should begin")
        position = start + length if length != UNDEFINED else _end_of_item(data, start, is_explicit)


def _end_of_item(data: bytes, position: int, is_explicit: bool) -> int:
    while data[position : position + 4] != b"\xfe\xff\x0d\xe0":
        _, start, length = _element(data, position, is_explicit)
        position = start + length if length != UNDEFINED else _end_of_sequence(data, start, is_explicit)
    return position + 8
