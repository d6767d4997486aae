"""The chunks of PNG and WebP files (PNG specification, third edition; WebP container specification)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import takewhile

from feedline.common.formats.data import Data, big, little
from feedline.common.formats.names import PNG_SIGNATURE, format_of

Size = tuple[int, int]

_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_XMP = b"XML:com.adobe.xmp"
_PROFILES = frozenset({b"Raw profile type exif", b"Raw profile type APP1"})
"""What ImageMagick calls Exif in a text: its bytes in hexadecimal."""

_ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})

_MOST_TEXT = 1 << 20
"""Bytes that a compressed text may have: Exif has at most 64 KiB, twice as many digits."""


def chunks(data: Data) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk's content that is there whole, in a PNG or a WebP."""
    is_png = format_of(data) == "PNG"
    position = 8 if is_png else 12
    while position + 8 <= len(data):
        first, second = data[position : position + 4], data[position + 4 : position + 8]
        name = second if is_png else first
        length = int.from_bytes(first, "big") if is_png else int.from_bytes(second, "little")
        start = position + 8
        if start + length > len(data):
            return
        yield name, start, start + length
        if is_png and name == b"IEND":
            # What comes after the end may be megabytes of padding, to be walked through eight by eight.
            return
        # PNG adds a checksum, WebP fills up to an even length.
        position = start + length + (4 if is_png else length % 2)


def without_animation(data: bytes) -> bytes:
    """The picture of an APNG that all readers of PNG show: it need not be the first of the animation."""
    if not _is_animation(data):
        return data
    # Eight bytes of length and name come before the content of a chunk, four of checksum after it.
    kept = (data[a - 8 : b + 4] for name, a, b in chunks(data) if name not in _ANIMATION)
    return PNG_SIGNATURE + b"".join(kept)


def _is_animation(data: bytes) -> bool:
    """Whether it says so in front of its pixels, which is where it counts."""
    before = takewhile(lambda name: name != b"IDAT", (name for name, _, _ in chunks(data)))
    return b"acTL" in before


def has_transparent_shade(data: bytes) -> bool:
    """Whether a PNG is grey, without alpha, and one of its shades is transparent all the same."""
    return data[25:26] == b"\0" and any(name == b"tRNS" for name, _, _ in chunks(data))


def png_size(data: Data) -> Size | None:
    """(height, width) in pixels as they are stored; None if the header is not there."""
    return (big(data, 20, 4), big(data, 16, 4)) if len(data) >= 24 else None


def webp_size(data: Data) -> Size | None:
    """(height, width) in pixels of the canvas; None if the header is not there."""
    name = data[12:16]
    if name == b"VP8X":
        return little(data, 27, 3) + 1, little(data, 24, 3) + 1
    if name == b"VP8L":
        bits = little(data, 21, 4)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if name == b"VP8 ":
        return little(data, 28, 2) & 0x3FFF, little(data, 26, 2) & 0x3FFF
    return None


def png_damage(data: Data) -> str | None:
    """Say what is missing from a PNG that is not whole."""
    # Every chunk is looked at: OpenCV makes room for what one says that it has, up to 2 GiB; and where no
    # pixels come before the end it looks for them behind it.
    names = [name for name, _, _ in chunks(data)]
    if b"IDAT" in names and b"IEND" in names[names.index(b"IDAT") :]:
        return None
    if b"IEND" in names:
        return "the PNG has no pixels: no IDAT chunk in front of its end"
    return f"the PNG is cut off: no IEND chunk in its {len(data)} bytes"


def webp_damage(data: Data) -> str | None:
    """Say what is missing from a WebP that is not whole."""
    promised = 8 + little(data, 4, 4)
    if len(data) < promised:
        return f"the WebP is cut off: {len(data)} bytes, and its header promises {promised}"
    return None


def webp_metadata(data: Data) -> tuple[bytes, bytes]:
    """Exif and XMP of a WebP, empty where there is none."""
    parts = {name: data[start:end] for name, start, end in chunks(data) if name in {b"EXIF", b"XMP "}}
    return parts.get(b"EXIF", b""), parts.get(b"XMP ", b"")


def png_metadata(data: Data) -> tuple[bytes, bytes]:
    """Exif and XMP of a PNG, empty where there is none; a chunk of its own goes before a text."""
    exif, profile, xmp = b"", b"", b""
    for name, start, end in chunks(data):
        if name == b"eXIf":
            exif = exif or data[start:end]
        elif name in _TEXTS:
            keyword, _, content = data[start:end].partition(b"\0")
            if keyword in _PROFILES:
                profile = profile or _from_hexadecimal(_text(name, content))
            elif keyword == _XMP:
                xmp = xmp or _text(name, content)
    return exif or profile, xmp


def _text(name: bytes, content: bytes) -> bytes:
    """What follows the keyword of a text; empty if it is damaged."""
    is_compressed = name == b"zTXt"
    if name == b"zTXt":
        content = content[1:]
    elif name == b"iTXt":
        is_compressed = content[:1] == b"\1"
        content = content[2:].partition(b"\0")[2].partition(b"\0")[2]
    if not is_compressed:
        return content
    try:
        return zlib.decompressobj().decompress(content, _MOST_TEXT)
    except zlib.error:
        return b""


def _from_hexadecimal(text: bytes) -> bytes:
    """The bytes of a profile: a line of its name, one of its length, then its digits."""
    digits = b"".join(text.split(b"\n", 3)[3:])
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""
