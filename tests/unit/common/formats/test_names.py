"""A format is known by its first bytes, whatever else is in the file."""

from __future__ import annotations

import pytest

from feedline.common.formats.names import format_of


def branded(major: bytes, *compatible: bytes) -> bytes:
    brands = major + b"\0\0\0\0" + b"".join(compatible)
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(40)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (branded(b"heic"), "HEIC"),
        (branded(b"heix", b"mif1", b"heix"), "HEIC"),
        (branded(b"mif1"), "HEIC"),
        (branded(b"mif1", b"mif1", b"heic"), "HEIC"),
        (branded(b"msf1", b"hevc"), "HEIC"),
        (branded(b"hevx"), "HEIC"),
        (branded(b"avif", b"mif1", b"miaf"), "AVIF"),
        (branded(b"mif1", b"avif", b"miaf"), "AVIF"),
        (branded(b"avis", b"avif", b"msf1"), "AVIF"),
        (branded(b"isom", b"mp42"), None),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\0\x29", "JPEG 2000"),
        (b"\xff\x0a", "JPEG XL"),
        (b"II+\0\x08\0\0\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"P5\n4 4\n255\n", "PNM"),
        (b"P8\n4 4\n255\n", None),
        (b"Pf\n4 4\n-1\n", "PFM"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"", None),
        (b"P", None),
    ],
)
def test_formats_are_told_apart(data: bytes, name: str | None) -> None:
    assert format_of(data) == name
