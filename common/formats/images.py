"""What a file's own bytes say, without decoding it: its format, whether it is whole, how it is turned.

Sources: ITU-T T.81 (JPEG markers), the PNG specification, third edition (chunks, eXIf), the WebP
container specification (RIFF chunks), and CIPA DC-008 (Exif; its directory is that of TIFF 6.0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from feedline.common.formats.dicom import is_dicom

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"

_MAGIC = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, PNG_SIGNATURE, "PNG"),
    (8, b"WEBP", "WebP"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"%PDF", "PDF"),
    (0, b"<", "HTML or XML"),
)
"""(offset, bytes, name); also of formats that OpenCV does not decode, to be named in an error."""

_ORIENTATION_TAG = 0x0112

_APP1 = 0xE1
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""JPEG's start-of-frame markers; the three in between are tables and an extension."""


def format_of(data: bytes) -> str | None:
    """Name the format of `data` by its first bytes, or None if they are not known here."""
    if is_dicom(data):  # first: what lies in front of its mark may look like any other
        return "DICOM"
    for offset, magic, name in _MAGIC:
        if data.startswith(magic, offset):
            return name
    return None


def damage(data: bytes) -> str | None:
    """Say what is missing from a file that is not whole, or None if nothing is known to be.

    Only what costs microseconds: an end mark, or a length, that the format promises.
    """
    check = _CHECKS.get(format_of(data))
    return check(data) if check else None


def orientation(data: bytes) -> int:
    """How a PNG or WebP file is turned: Exif's 1 to 8, 1 where nothing is said."""
    for name, start, end in chunks(data):
        if name in {b"eXIf", b"EXIF"}:
            return _exif_orientation(data[start:end])
    return 1


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) in pixels of a JPEG as it is seen, after its Exif orientation; None if it has none."""
    turned = 1
    for marker, start, end in _segments(data):
        if marker == _APP1 and data.startswith(b"Exif\0\0", start):
            turned = _exif_orientation(data[start + 6 : end])
        elif marker in _FRAMES and end - start >= 5:
            height, width = (int.from_bytes(data[at : at + 2], "big") for at in (start + 1, start + 3))
            return (width, height) if turned >= 5 else (height, width)
    return None


def _jpeg_damage(data: bytes) -> str | None:
    # Thumbnails have end marks of their own, but lie in front of the scan: a file that ends in one has no
    # scan, and is refused by the decoder.
    if not data.endswith(b"\xff\xd9") and data.rfind(b"\xff\xd9", _start_of_scan(data)) < 0:
        return f"the JPEG is cut off: no end-of-image mark in its {len(data)} bytes"
    return None


def _start_of_scan(data: bytes) -> int:
    return max((end for _, _, end in _segments(data)), default=2)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment's content in front of the scan of a JPEG."""
    position = 2
    while (
        data[position : position + 1] == b"\xff" and (marker := data[position + 1 : position + 2]) != b"\xda"
    ):
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        yield ord(marker or b"\0"), position + 4, end
        position = end


def _png_damage(data: bytes) -> str | None:
    # A file that was cut off inside a chunk which ends like this is refused by the decoder.
    if data.endswith(_PNG_END) or any(name == b"IEND" for name, _, _ in chunks(data)):
        return None
    return f"the PNG is cut off: no IEND chunk in its {len(data)} bytes"


def _webp_damage(data: bytes) -> str | None:
    promised = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < promised:
        return f"the WebP is cut off: {len(data)} bytes, and its header promises {promised}"
    return None


_CHECKS: dict[str | None, Callable[[bytes], str | None]] = {
    "JPEG": _jpeg_damage,
    "PNG": _png_damage,
    "WebP": _webp_damage,
}


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
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
        # PNG adds a checksum, WebP fills up to an even length.
        position = start + length + (4 if is_png else length % 2)


def _exif_orientation(exif: bytes) -> int:
    # Some WebP writers put "Exif\0\0" first. OpenCV does not read those, and neither does this: all
    # modes show a file the same way up.
    if exif[:2] not in {b"II", b"MM"}:
        return 1
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"

    def number(position: int, size: int) -> int:
        return int.from_bytes(exif[position : position + size], order)

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if number(entry, 2) == _ORIENTATION_TAG:
            turned = number(entry + 8, 2)
            return turned if 1 <= turned <= 8 else 1
    return 1
