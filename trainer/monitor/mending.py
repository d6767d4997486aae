"""A file that is broken, with what a decoder needs to show the rest of it. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from feedline.common.formats.images import Size
from feedline.common.formats.names import PNG_SIGNATURE, format_of

_PART_BYTES = 1 << 12
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the type of a PNG's colours."""


def mended(data: bytes, size: Size) -> bytes:
    """The same picture, as far as it is there; the bytes themselves where nothing is known that would help.

    Parameters
    ----------
    data : bytes
        Of the file.
    size : tuple
        (height, width) by its header.
    """
    name = format_of(data)
    if name == "PNG":
        return _mended_png(data, size)
    return data + _ENDINGS[name](size[0] * size[1]) if name in _ENDINGS else data


_ENDINGS: Mapping[str | None, Callable[[int], bytes]] = {
    "JPEG": lambda _: b"\xff\xd9",
    "BMP": lambda num_pixels: bytes(4 * num_pixels),
    "PNM": lambda num_pixels: bytes(6 * num_pixels),
}
"""What a file that is cut off lacks at most, by the number of its pixels."""


def _mended_png(data: bytes, size: Size) -> bytes:
    """With the rows that can be had, black ones for the others, and no chunk that is not needed for them."""
    bits, colours, is_interlaced = data[24], data[25], data[28] == 1
    row_bytes = 1 + -(-size[1] * bits * _PNG_CHANNELS.get(colours, 4) // 8)
    # Of an interlaced one there are up to twice as many rows, none of them longer.
    num_bytes = row_bytes * (2 * size[0] + 16 if is_interlaced else size[0])
    kept, packed = [], []
    for name, content in _png_chunks(data):
        if name == b"IDAT":
            packed.append(content)
        elif name in {b"IHDR", b"PLTE", b"tRNS"} and not packed:
            kept.append(_chunk(name, content))
    rows = _unpacked(b"".join(packed), num_bytes)
    if not is_interlaced:
        rows = rows[: row_bytes * _num_sound(rows[::row_bytes])]
    pixels = zlib.compress(rows.ljust(num_bytes, b"\0"), 1)
    return b"".join([PNG_SIGNATURE, *kept, _chunk(b"IDAT", pixels), _chunk(b"IEND", b"")])


def _num_sound(filters: bytes) -> int:
    """So many rows begin with a filter that there is."""
    return len(filters) - len(filters.lstrip(bytes(range(5))))


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of each, of the last one what is there."""
    found, at = [], len(PNG_SIGNATURE)
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : end]))
        at = end + 4
    return found


def _unpacked(packed: bytes, most: int) -> bytes:
    """What comes before the first mistake."""
    unpacker, unpacked = zlib.decompressobj(), bytearray()
    try:
        for at in range(0, len(packed), _PART_BYTES):
            part = packed[at : at + _PART_BYTES]
            while part and len(unpacked) < most:
                unpacked += unpacker.decompress(part, most - len(unpacked))
                part = unpacker.unconsumed_tail
    except zlib.error:
        pass
    return bytes(unpacked)


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return len(content).to_bytes(4, "big") + name + content + check.to_bytes(4, "big")
