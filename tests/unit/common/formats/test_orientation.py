"""One answer to how a file is turned, for its pixels, its mask, its boxes and its size, in every format."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image, ImageOps

from feedline.common.formats.images import orientation, size_of
from feedline.producer.reading.decoders import decode
from feedline.trainer.datasets.annotations.yolo_txt import size_of as size_for_boxes

Array = npt.NDArray[Any]

ORIENTATION = 0x0112
_Y, _X = np.mgrid[:24, :40]
GREY: Array = ((_Y * 9 + _X * 3) % 256).astype(np.uint8)
RGB: Array = np.dstack([GREY, 255 - GREY, GREY // 2])
RGBA: Array = np.dstack([RGB, np.full_like(GREY, 255)])
XMP = "<x:xmpmeta><rdf:Description tiff:Orientation{}/></x:xmpmeta>"


def exif(turned: int) -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = turned
    return made


def saved(pixels: Array, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def png_with(*chunks: bytes, before: bytes = b"IDAT") -> bytes:
    """A PNG with further chunks in front of its pixels, or after them."""
    data = saved(RGB, "PNG")
    at = data.index(before) - 4
    return data[:at] + b"".join(chunks) + data[at:]


def raw_profile(turned: int, *, compressed: bool) -> bytes:
    """Exif as ImageMagick writes it."""
    content = b"Exif\0\0" + exif(turned).tobytes().removeprefix(b"Exif\0\0")
    text = b"\nexif\n%8d\n" % len(content) + content.hex().encode() + b"\n"
    keyword = b"Raw profile type exif\0"
    if compressed:
        return chunk(b"zTXt", keyword + b"\0" + zlib.compress(text))
    return chunk(b"tEXt", keyword + text)


def xmp(turned: int) -> bytes:
    return XMP.format(f'="{turned}"').encode()


def with_riff_chunk(name: bytes, content: bytes) -> bytes:
    """A WebP whose last chunk is this one, instead of its Exif."""
    data = saved(RGB, "WEBP", lossless=True, exact=True, exif=exif(1).tobytes())
    data = data[: data.index(b"EXIF")] + name + len(content).to_bytes(4, "little") + content
    data += b"\0" * (len(content) % 2)
    return data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]


def tiff(turned: int, pixels: Array = RGB, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tags = [(274, 3, 1, turned, False)]
    photometric = "minisblack" if pixels.ndim == 2 else "rgb"
    tifffile.imwrite(buffer, pixels, extratags=tags, **{"photometric": photometric, **options})
    return buffer.getvalue()


AVIF = {"quality": 100, "subsampling": "4:4:4"}
UNASSOCIATED = {"extrasamples": ["unassalpha"]}
FILES: dict[str, Callable[[int], bytes]] = {
    "JPEG": lambda turned: saved(RGB, "JPEG", exif=exif(turned)),
    "JPEG, XMP": lambda turned: saved(RGB, "JPEG", xmp=xmp(turned)),
    "JPEG, Exif before XMP": lambda turned: saved(RGB, "JPEG", exif=exif(turned), xmp=xmp(3)),
    "PNG, eXIf": lambda turned: saved(RGB, "PNG", exif=exif(turned)),
    "PNG, eXIf after the pixels": lambda turned: png_with(
        chunk(b"eXIf", exif(turned).tobytes().removeprefix(b"Exif\0\0")), before=b"IEND"
    ),
    "PNG, raw profile": lambda turned: png_with(raw_profile(turned, compressed=True)),
    "PNG, raw profile in plain text": lambda turned: png_with(raw_profile(turned, compressed=False)),
    "PNG, XMP": lambda turned: png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(turned))),
    "WebP": lambda turned: saved(RGB, "WEBP", lossless=True, exact=True, exif=exif(turned)),
    "WebP, Exif that says so": lambda turned: with_riff_chunk(
        b"EXIF", b"Exif\0\0" + exif(turned).tobytes().removeprefix(b"Exif\0\0")
    ),
    "WebP, XMP": lambda turned: saved(RGB, "WEBP", lossless=True, exact=True, xmp=xmp(turned)),
    "TIFF": tiff,
    "TIFF, 16 bits": lambda turned: tiff(turned, RGB.astype(np.uint16) * 257),
    "TIFF, grey": lambda turned: tiff(turned, GREY),
    "TIFF, alpha": lambda turned: tiff(turned, RGBA, **UNASSOCIATED),
    "TIFF, tiles": lambda turned: tiff(turned, RGB, tile=(16, 32), compression="zlib"),
    "TIFF, planes": lambda turned: tiff(
        turned, np.ascontiguousarray(RGB.transpose(2, 0, 1)), planarconfig="separate"
    ),
    "AVIF": lambda turned: saved(RGB, "AVIF", exif=exif(turned), **AVIF),
    "AVIF, alpha": lambda turned: saved(RGBA, "AVIF", exif=exif(turned), **AVIF),
}


def upright(pixels: Array, turned: int) -> Array:
    """Where the top left corner of the stored pixels is seen, and which way its rows run (CIPA DC-008)."""
    across = pixels.swapaxes(0, 1)
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: across,
        6: across[:, ::-1],
        7: across[::-1, ::-1],
        8: across[::-1],
    }[turned]


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("name", FILES)
def test_pixels_sizes_and_boxes_go_by_the_same_orientation(name: str, turned: int, tmp_path: Path) -> None:
    data = FILES[name](turned)
    assert orientation(data) == turned
    plain = FILES[name](1)
    for color_mode in ("grayscale", "rgb", "rgba"):
        expected = upright(decode(plain, "a", color_mode, "uint8"), turned)
        made = decode(data, "a", color_mode, "uint8")
        np.testing.assert_array_equal(made, expected)
        assert size_of(data) == made.shape[:2]
    file = tmp_path / "image"
    file.write_bytes(data)
    assert size_for_boxes(file) == made.shape[:2]


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("name", [name for name in FILES if name not in {"TIFF, 16 bits", "TIFF, tiles"}])
def test_pillow_turns_them_so(name: str, turned: int) -> None:
    data = FILES[name](turned)
    seen = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    made = decode(data, "a", "rgb", "uint8")
    assert made.shape[:2] == (seen.height, seen.width)
    assert np.abs(made.astype(int) - np.asarray(seen)).max() <= 3


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("name", ["PNG, eXIf", "PNG, raw profile", "TIFF, grey", "WebP, XMP"])
def test_masks_are_turned_as_images_are(name: str, turned: int) -> None:
    files = {
        "PNG, eXIf": lambda n: saved(GREY, "PNG", exif=exif(n)),
        "PNG, raw profile": lambda n: saved(GREY, "PNG", exif=exif(n)),
        "WebP, XMP": lambda n: saved(np.dstack([GREY] * 3), "WEBP", lossless=True, exact=True, xmp=xmp(n)),
        "TIFF, grey": lambda n: tiff(n, GREY),
    }
    mask = decode(files[name](turned), "a", "classes", "uint8")[:, :, 0]
    np.testing.assert_array_equal(mask, upright(GREY, turned))


@pytest.mark.parametrize("said", ["0", "9", "x"])
def test_a_number_that_means_nothing_turns_nothing(said: str) -> None:
    data = saved(RGB, "JPEG", xmp=XMP.format(f'="{said}"').encode())
    assert orientation(data) == 1


@pytest.mark.parametrize("name", FILES)
def test_a_header_that_is_cut_off_anywhere_is_no_error(name: str) -> None:
    data = FILES[name](6)
    for length in range(min(len(data), 700)):
        assert 1 <= orientation(data[:length]) <= 8
        size_of(data[:length])
