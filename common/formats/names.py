"""Formats, known by the first bytes of a file: those that are decoded, and those that errors can name."""

from __future__ import annotations

from feedline.common.formats.data import Data, big, has
from feedline.common.formats.dicom import is_dicom

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_MAGIC = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, PNG_SIGNATURE, "PNG"),
    (8, b"WEBP", "WebP"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    *((0, b"P%d%c" % (kind, blank), "PNM") for kind in range(1, 7) for blank in b" \t\r\n#"),
    (0, b"P7\n", "PAM"),
    (0, b"PF\n", "PFM"),
    (0, b"Pf\n", "PFM"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"<", "HTML or XML"),
)
"""(offset, bytes, name); also of formats that are not decoded, to be named in an error."""

_BRANDS = (
    ("AVIF", frozenset({b"avif", b"avis"})),
    ("HEIC", frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})),
    ("HEIC", frozenset({b"mif1", b"msf1"})),
)
"""Which brands a file names, the telling ones first (ISO/IEC 23008-12, and AV1's supplement to it)."""


def format_of(data: Data) -> str | None:
    """Name the format of `data` by its first bytes, or None if they are not known here."""
    if is_dicom(data):  # first: what lies in front of its mark may look like any other
        return "DICOM"
    if has(data, b"ftyp", 4):
        return _branded(data)
    return next((name for offset, magic, name in _MAGIC if has(data, magic, offset)), None)


def _branded(data: Data) -> str | None:
    # The major brand, its version, which is none, and then those that the file is compatible with.
    box = data[8 : min(big(data, 0, 4), 1024)]
    brands = {box[at : at + 4] for at in range(0, len(box), 4)}
    return next((name for name, telling in _BRANDS if brands & telling), None)
