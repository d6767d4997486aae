"""What a file's own bytes say, without decoding it: whether it is whole, its size, how it is turned.

One function each, whatever the format, for all who ask: pixels, masks, boxes and sizes go by the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from feedline.common.formats.boxes import read_avif, read_jpeg2000
from feedline.common.formats.chunks import (
    png_damage,
    png_metadata,
    png_size,
    webp_damage,
    webp_metadata,
    webp_size,
)
from feedline.common.formats.data import Data, little
from feedline.common.formats.directory import Tag, read_directory
from feedline.common.formats.jpeg import metadata, stored_size
from feedline.common.formats.names import format_of
from feedline.common.formats.pnm import read_pnm

Size = tuple[int, int]
"""(height, width) in pixels."""

MOST_PIXELS = 1 << 28
"""No image with more is decoded: 268 million, 0.8 GB of ``uint8`` colours."""

_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|\s*>)\s*([0-9])""")
"""As an attribute or an element (Adobe's XMP specification, part 2, 3.2)."""

_EXIF_PREFIX = b"Exif\0\0"
"""What JPEG puts in front of Exif; some writers of WebP and PNG do so, too."""


def too_large(size: Size) -> str | None:
    """Say that an image has more pixels than are decoded, or None: before there is memory for them."""
    height, width = size
    if height * width <= MOST_PIXELS:
        return None
    return (
        f"has {height} x {width} pixels, and no image with more than {MOST_PIXELS:,} is decoded: cut it into"
        " tiles, or make it smaller, first"
    )


def damage(data: Data) -> str | None:
    """Say what is missing from a file that is not whole, or None if nothing is known to be.

    Only what costs microseconds: an end mark, or a length, that the format promises.
    """
    check = _CHECKS.get(format_of(data))
    return check(data) if check else None


_CHECKS: dict[str | None, Callable[[Data], str | None]] = {"PNG": png_damage, "WebP": webp_damage}


def size_of(data: Data) -> Size | None:
    """(height, width) of a picture as it is seen, turned upright; None if the header is not there."""
    size = stored_size_of(data)
    return None if size is None else turned_size(size, orientation(data))


def turned_size(size: Size, turned: int) -> Size:
    """(height, width) of a picture of `size` once it is turned upright."""
    return (size[1], size[0]) if turned >= 5 else size


def stored_size_of(data: Data) -> Size | None:
    """(height, width) of a picture as its pixels are stored; None if the header is not there."""
    read = _SIZES.get(format_of(data))
    size = read(data) if read else None
    return size if size is not None and min(size) > 0 else None


def bits_of(data: Data) -> int:
    """Bits of a channel as they are stored; 8 where no file of the format has more, or nothing is said."""
    read = _BITS.get(format_of(data))
    return read(data) if read else 8


def orientation(data: Data) -> int:
    """How a file is turned: Exif's 1 to 8, 1 where nothing is said.

    By its Exif, or by its XMP where there is no orientation in that; an AVIF by the properties of its
    picture, as its standard wants it. GIF, BMP, PNM and JPEG 2000 say nothing.
    """
    name = format_of(data)
    if name == "AVIF":
        return read_avif(data).orientation
    if name not in _METADATA:
        return 1
    exif, xmp = _METADATA[name](data)
    turned = _exif_orientation(exif)
    if turned is None:
        found = _XMP_ORIENTATION.search(xmp)
        turned = int(found[1]) if found else 1
    return turned if 1 <= turned <= 8 else 1


def _exif_orientation(exif: Data) -> int | None:
    """The number that stands there, which may be none of 1 to 8; None if nothing does."""
    directory = read_directory(exif[len(_EXIF_PREFIX) :] if exif[:6] == _EXIF_PREFIX else exif)
    if directory is None or Tag.ORIENTATION not in directory.fields:
        return None
    return directory.value(Tag.ORIENTATION, 0)


def _tiff_metadata(data: Data) -> tuple[Data, bytes]:
    """The file itself, which is a directory such as Exif's, and its XMP."""
    directory = read_directory(data)
    xmp = None if directory is None else directory.fields.get(Tag.XMP)
    return data, b"" if xmp is None else data[xmp.at : xmp.end]


_METADATA: dict[str | None, Callable[[Data], tuple[Data, bytes]]] = {
    "JPEG": metadata,
    "PNG": png_metadata,
    "WebP": webp_metadata,
    "TIFF": _tiff_metadata,
}


def _bmp_size(data: Data) -> Size:
    if little(data, 14, 4) == 12:
        return little(data, 20, 2), little(data, 18, 2)
    # A height below 0 means that the highest row comes first.
    return abs(int.from_bytes(data[22:26], "little", signed=True)), little(data, 18, 4)


def _tiff_size(data: Data) -> Size | None:
    directory = read_directory(data)
    return None if directory is None else (directory.value(Tag.HEIGHT, 0), directory.value(Tag.WIDTH, 0))


def _jpeg2000_size(data: Data) -> Size | None:
    header = read_jpeg2000(data)
    return None if header is None else header.size


def _pnm_size(data: Data) -> Size | None:
    header = read_pnm(data)
    return None if header is None else header.size


_SIZES: dict[str | None, Callable[[Data], Size | None]] = {
    "JPEG": stored_size,
    "PNG": png_size,
    "WebP": webp_size,
    "GIF": lambda data: (little(data, 8, 2), little(data, 6, 2)),
    "BMP": _bmp_size,
    "TIFF": _tiff_size,
    "AVIF": lambda data: read_avif(data).size,
    "JPEG 2000": _jpeg2000_size,
    "PNM": _pnm_size,
}


def _tiff_bits(data: Data) -> int:
    directory = read_directory(data)
    return 8 if directory is None else directory.value(Tag.BITS, 1)


def _jpeg2000_bits(data: Data) -> int:
    header = read_jpeg2000(data)
    return max(header.bits, default=8) if header else 8


def _pnm_bits(data: Data) -> int:
    header = read_pnm(data)
    return header.most.bit_length() if header else 8


_BITS: dict[str | None, Callable[[Data], int]] = {
    "PNG": lambda data: data[24],
    "TIFF": _tiff_bits,
    "AVIF": lambda data: read_avif(data).bits,
    "JPEG 2000": _jpeg2000_bits,
    "PNM": _pnm_bits,
}
