"""Broken image files: whole ones of every kind, made by `picture_files` and `dicom_files`, and then mutated.

A pure function of (seed, number): what was found once is found again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

import numpy as np
from dicom_files import dicom_bytes
from picture_files import FILES

from feedline.common.formats.chunks import chunks
from feedline.common.formats.directory import read_directory
from feedline.common.formats.jpeg import _segments

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WebP", "GIF", "PNM", "JPEG 2000", "AVIF", "DICOM")

_EXTREMES = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
)

_SYNTAXES = {
    "explicit": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
}


_NAMED = {"SOPInstanceUID": "1.2.826.0.1.3680043.8.498.9"}
"""Else each process would make another name up, and so another file."""


@cache
def corpus(file_format: str) -> tuple[bytes, ...]:
    """Whole files of a format."""
    if file_format == "DICOM":
        values = np.random.default_rng(0).integers(0, 4096, (40, 56)).astype(np.uint16)
        colours = (values[:, :, np.newaxis] >> np.array([2, 3, 4])).astype(np.uint8)
        grey = [dicom_bytes(values, syntax, **_NAMED) for syntax in _SYNTAXES.values()]
        others = [
            dicom_bytes(colours, _SYNTAXES[name], BitsStored=8, HighBit=7, **_NAMED)
            for name in ("explicit", "RLE")
        ]
        return (*grey, *others)
    return tuple(file.data for (name, _), file in FILES.items() if name == file_format)


def broken(seed: int, number: int) -> tuple[str, bytes]:
    """The format that a file had before it was broken, and its bytes."""
    draw = Random(f"{seed} {number}")
    file_format = FORMATS[number % len(FORMATS)]
    data = draw.choice(corpus(file_format))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        mutate = draw.choice((*_ANYWHERE, *_STRUCTURE.get(file_format, ()) * 2))
        data = mutate(data, draw) or data
    if file_format == "PNG" and draw.random() < 0.8:
        data = with_checksums(data)
    return file_format, data


# --- of any file --------------------------------------------------------------------------------


def _flip(data: bytes, draw: Random) -> bytes:
    parts = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        parts[_place(data, draw)] ^= 1 << draw.randrange(8)
    return bytes(parts)


def _truncate(data: bytes, draw: Random) -> bytes:
    return data[: _place(data, draw) + 1]


def _remove(data: bytes, draw: Random) -> bytes:
    at = _place(data, draw)
    return data[:at] + data[at + draw.choice((1, 2, 4, 16, 256)) :] or data


def _repeat(data: bytes, draw: Random) -> bytes:
    at, size = _place(data, draw), draw.choice((1, 4, 16, 256))
    return data[: at + size] + data[at:]


def _insert(data: bytes, draw: Random) -> bytes:
    at = _place(data, draw)
    return data[:at] + draw.randbytes(draw.choice((1, 2, 4, 64))) + data[at:]


def _overwrite(data: bytes, draw: Random) -> bytes:
    at = _place(data, draw)
    part = draw.randbytes(draw.choice((1, 4, 32)))
    return (data[:at] + part + data[at + len(part) :])[: len(data)]


def _number(data: bytes, draw: Random) -> bytes:
    """Write an extreme number somewhere, most often in the header."""
    size, order = draw.choice((1, 2, 4)), draw.choice(("little", "big"))
    return _written(data, _place(data, draw), draw.choice(_EXTREMES), size, order)


def _place(data: bytes, draw: Random) -> int:
    most = min(len(data), draw.choice((32, 256, 1 << 30)))
    return draw.randrange(max(1, most))


def _written(data: bytes, at: int, value: int, size: int, order: str) -> bytes:
    part = (value % (1 << 8 * size)).to_bytes(size, order)  # type: ignore[arg-type]  # one of two texts
    return data[:at] + part + data[at + size :]


_ANYWHERE = (_flip, _flip, _truncate, _remove, _repeat, _insert, _overwrite, _number, _number)


# --- of what a format is made of ----------------------------------------------------------------


def _png_field(data: bytes, draw: Random) -> bytes:
    """An extreme width, height, depth, kind, compression, filter or interlacing."""
    at, size = draw.choice(((16, 4), (20, 4), (24, 1), (25, 1), (26, 1), (27, 1), (28, 1)))
    return _written(data, at, draw.choice((*_EXTREMES, 3, 4, 6, 16)), size, "big")


def _chunk_length(data: bytes, draw: Random) -> bytes | None:
    places = [start for _, start, _ in chunks(data)]
    if not places:
        return None
    order, back = ("big", 8) if data[:1] == b"\x89" else ("little", 4)
    at = draw.choice(places) - back
    length = int.from_bytes(data[at : at + 4], order)  # type: ignore[arg-type]
    return _written(data, at, draw.choice((*_EXTREMES, length - 1, length + 1, length * 2)), 4, order)


def _chunk_moved(data: bytes, draw: Random) -> bytes | None:
    """One chunk twice, nowhere, or in the place of another."""
    parts = [(start - 8, end + 4 * (data[:1] == b"\x89")) for _, start, end in chunks(data)]
    if not parts:
        return None
    (a, b), (at, _) = draw.choice(parts), draw.choice(parts)
    kept = data[:a] + data[b:] if draw.random() < 0.5 else data
    return kept[:at] + data[a:b] * draw.choice((0, 1, 2)) + kept[at:]


def _png_pixels(data: bytes, draw: Random) -> bytes | None:
    """Compressed data that is whole, of too few or too many bytes, or of unknown filters."""
    found = next(((start, end) for name, start, end in chunks(data) if name == b"IDAT"), None)
    if found is None:
        return None
    try:
        rows = bytearray(zlib.decompress(data[found[0] : found[1]]))
    except zlib.error:
        return None
    if rows:
        rows[draw.randrange(len(rows))] = draw.randrange(256)
    content = zlib.compress(
        bytes(rows[: draw.choice((len(rows), len(rows) // 2, 1))]) * draw.choice((1, 1, 2))
    )
    return data[: found[0] - 8] + struct.pack(">I", len(content)) + b"IDAT" + content + data[found[1] :]


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the right checksums: else few broken ones get past them."""
    for _, start, end in chunks(data):
        checksum = zlib.crc32(data[start - 4 : end]).to_bytes(4, "big")
        data = data[:end] + checksum + data[end + 4 :]
    return data


def _jpeg_segment(data: bytes, draw: Random) -> bytes | None:
    """An extreme length, or any other byte of a header: tables, sizes, samplings, scans."""
    segments = [(start, min(end, len(data))) for _, start, end in _segments(data)]
    if not segments:
        return None
    start, end = draw.choice(segments)
    if draw.random() < 0.3 or end <= start:
        return _written(data, start - 2, draw.choice(_EXTREMES), 2, "big")
    return _written(
        data, draw.randrange(start, end), draw.choice((*_EXTREMES, draw.randrange(256))), 1, "big"
    )


def _tiff_field(data: bytes, draw: Random) -> bytes | None:
    """A field's tag, type, number of values, or value."""
    directory = read_directory(data)
    if directory is None:
        return None
    at = int.from_bytes(data[4:8], directory.order)
    num = int.from_bytes(data[at : at + 2], directory.order)
    entry = at + 2 + 12 * draw.randrange(max(1, min(num, 40)))
    place, size = draw.choice(((0, 2), (2, 2), (4, 4), (8, 4), (8, 2)))
    return _written(
        data, entry + place, draw.choice((*_EXTREMES, 3, 4, 5, 7, 8, 16, 32)), size, directory.order
    )


def _bmp_field(data: bytes, draw: Random) -> bytes:
    at, size = draw.choice(((10, 4), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2), (30, 4), (34, 4), (46, 4)))
    return _written(data, at, draw.choice((*_EXTREMES, 3, 4, 8, 16, 24, 32, -40)), size, "little")


def _gif_field(data: bytes, draw: Random) -> bytes:
    """The screen's size and flags, or those of a picture in it."""
    pictures = [at for at in range(len(data)) if data[at] == 0x2C]
    base = draw.choice((5, *pictures[:3])) + 1
    at, size = draw.choice(((0, 2), (2, 2), (4, 2), (6, 2), (8, 1), (9, 1)))
    return _written(data, base + at, draw.choice((*_EXTREMES, 13, 71, 73, 12)), size, "little")


def _pnm_header(data: bytes, draw: Random) -> bytes:
    number = str(draw.choice((*_EXTREMES, -1, 10**12, "x", "", "+3", "1.5"))).encode()
    parts = data.split(None, 4)
    parts[min(draw.randrange(1, 4), len(parts) - 1)] = number
    return b" ".join(parts)


def _dicom_element(data: bytes, draw: Random) -> bytes | None:
    """The length or the value of an element of the group of pixels, or of the pixels themselves."""
    group = draw.choice((b"\x28\0", b"\x02\0", b"\xe0\x7f"))
    places = [at for at in range(128, len(data) - 16) if data[at : at + 2] == group]
    if not places:
        return None
    at = draw.choice(places) + draw.choice((2, 4, 6, 8, 8))
    return _written(data, at, draw.choice((*_EXTREMES, 3, 8, 12, 16, 39, 41)), draw.choice((2, 4)), "little")


_Mutation = Callable[[bytes, Random], bytes | None]

_STRUCTURE: dict[str, tuple[_Mutation, ...]] = {
    "PNG": (_png_field, _chunk_length, _chunk_moved, _png_pixels),
    "WebP": (_chunk_length, _chunk_moved),
    "JPEG": (_jpeg_segment, _jpeg_segment),
    "TIFF": (_tiff_field, _tiff_field),
    "BMP": (_bmp_field,),
    "GIF": (_gif_field,),
    "PNM": (_pnm_header,),
    "DICOM": (_dicom_element, _dicom_element),
}
