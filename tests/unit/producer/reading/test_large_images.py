"""No image takes more memory than its pixels do, and none more than a bound that its header tells."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from feedline.common.formats.images import MOST_PIXELS
from feedline.common.sample.image import Fit, ImageSpec, Interpolation
from feedline.errors import DecodeError
from feedline.producer.reading import fitting
from feedline.producer.reading.decoders import decode, load
from feedline.producer.reading.fitting import fit

Array = npt.NDArray[Any]


def jpeg(height: int, width: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 200, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def header_of_png(height: int, width: int) -> bytes:
    content = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND\xaeB`\x82"
    checksum = zlib.crc32(b"IHDR" + content).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + content + checksum + end


@pytest.mark.parametrize("size", [(30_000, 2), (2, 30_000), (65_000, 1), (1, 65_000)])
@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_a_strip_is_padded_without_a_canvas_of_its_length(size: tuple[int, int], interpolation: str) -> None:
    data, spec = jpeg(*size), ImageSpec(224, 160, "rgb", interpolation, "pad")
    tracemalloc.start()
    made = load(data, "strip.jpg", spec)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 << 20
    shown = np.argwhere((made == 200).all(axis=2))
    # The strip lies in the middle, one pixel wide at least, and as long as the image.
    along = 0 if size[0] > size[1] else 1
    assert np.ptp(shown[:, 1 - along]) == 0
    assert len(shown) == spec.size[along]
    assert shown[0, 1 - along] in {spec.size[1 - along] // 2 - 1, spec.size[1 - along] // 2}


@pytest.mark.parametrize("size", [(97, 333), (301, 400), (40, 64), (400, 31)])
@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_both_ways_to_pad_show_the_same(
    size: tuple[int, int], interpolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8), (0, 0), 9)
    spec = ImageSpec(96, 128, "rgb", interpolation, "pad")
    usual = fit(image, spec)
    monkeypatch.setattr(fitting, "MOST_PADDED_PIXELS", 0)
    other = fit(image, spec)
    differs = np.abs(usual.astype(int) - other).max(axis=2) > 12
    # But for the edge, which is not blended with what lies around: at most three pixels on each side.
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    assert min(len(rows), len(columns)) <= 6


@pytest.mark.parametrize("how", [fit for fit in Fit if fit != Fit.PAD])
def test_images_that_are_not_padded_are_not_touched_by_that(how: str) -> None:
    assert load(jpeg(30_000, 2), "a", ImageSpec(8, 8, fit=how)).size <= 30_000 * 6


@pytest.mark.parametrize("size", [(1 << 15, 1 << 14), (1, MOST_PIXELS + 1), (1 << 30, 1 << 30)])
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba", "classes"])
def test_an_image_beyond_the_bound_is_refused_by_its_header(size: tuple[int, int], color_mode: str) -> None:
    with pytest.raises(DecodeError, match=rf"huge: has {size[0]} x {size[1]} pixels.*268,435,456"):
        decode(header_of_png(*size), "huge", color_mode, "uint8")


def test_every_format_that_is_decoded_has_its_bound() -> None:
    headers = {
        "BMP": b"BM" + bytes(12) + struct.pack("<I2i", 40, 1 << 20, -(1 << 20)) + bytes(30),
        "GIF": b"GIF89a" + struct.pack("<2H", 65535, 65535) + bytes(20),
        "WebP": b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X\n\0\0\0\0\0\0\0" + b"\xff" * 6,
        "PNM": b"P5\n99999 99999\n255\n",
        "TIFF": b"II*\0\x08\0\0\0\2\0\0\1\4\0\1\0\0\0\0\0\1\0\1\1\4\0\1\0\0\0\0\0\1\0" + bytes(4),
        "JPEG 2000": b"\xff\x4f\xff\x51" + struct.pack(">2H8I", 41, 0, 1 << 20, 1 << 20, *[0] * 6) + bytes(9),
        "JPEG": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3" + bytes(9) + b"\xff\xd9",
    }
    for name, data in headers.items():
        with pytest.raises(DecodeError, match="no image with more than"):
            decode(data, name, "rgb", "uint8")
