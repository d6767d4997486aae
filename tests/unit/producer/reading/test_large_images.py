"""No image takes more memory than its pixels do, and none more than a bound that its header tells."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from dicom_files import dicom_bytes
from picture_files import FILES
from PIL import Image
from pydicom.uid import JPEG2000Lossless

from feedline.common.formats.chunks import without_animation
from feedline.common.formats.images import MOST_PIXELS, stored_size_of
from feedline.common.sample.image import Fit, ImageSpec, Interpolation
from feedline.errors import DecodeError
from feedline.producer.reading import fitting
from feedline.producer.reading.decoders import decode, load
from feedline.producer.reading.dicom import with_pydicom
from feedline.producer.reading.fitting import fit

Array = npt.NDArray[Any]


def jpeg(height: int, width: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 200, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def header_of_png(height: int, width: int) -> bytes:
    content = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big") + b"\0\0\0\0IEND\xaeB`\x82"
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
        "JPEG 2000": b"\xff\x4f\xff\x51"
        + struct.pack(">2H8I", 41, 0, 1 << 20, 1 << 20, *[0] * 6)
        + b"\0\1\7\1\1",
        "JPEG": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3" + bytes(9) + b"\xff\xd9",
    }
    for name, data in headers.items():
        with pytest.raises(DecodeError, match="no image with more than"):
            decode(data, name, "rgb", "uint8")


def test_a_dicom_file_beyond_the_bound_is_refused_by_its_header() -> None:
    huge = dicom_bytes(np.zeros((8, 8), np.uint16), Rows=65535, Columns=65535)
    with pytest.raises(DecodeError, match="the DICOM file has 65535 x 65535 pixels, and no image with more"):
        decode(huge, "huge.dcm", "grayscale", "uint8")


def test_a_deflated_dicom_file_is_not_inflated_to_more_than_a_picture_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = dicom_bytes(np.zeros((512, 512), np.uint16), "1.2.840.10008.1.2.1.99")
    assert decode(data, "a.dcm", "grayscale", "uint8").shape == (512, 512, 1)
    monkeypatch.setattr(with_pydicom, "_MOST_INFLATED", 1 << 18)
    monkeypatch.setattr(with_pydicom, "_INFLATED_AT_A_TIME", 1 << 14)
    with pytest.raises(DecodeError, match="more than 262,144 bytes when it is inflated"):
        decode(data, "a.dcm", "grayscale", "uint8")


def test_a_compressed_picture_in_a_dicom_file_has_the_size_that_the_file_says() -> None:
    """It is what its decoder makes room for."""
    data = dicom_bytes(np.zeros((64, 64), np.uint16), JPEG2000Lossless)
    huge = data.replace(struct.pack(">2I", 64, 64), struct.pack(">2I", 1 << 20, 1 << 20), 1)
    assert huge != data
    with pytest.raises(DecodeError, match="compressed picture of 1048576 x 1048576 pixels, and says 64 x 64"):
        decode(huge, "a.dcm", "grayscale", "uint8")


def jpeg_with_two_headers(between: bytes) -> bytes:
    """Where a reader that goes by lengths alone finds a small frame, and a decoder a large one."""
    small = b"\xff\xc0\0\x11\x08" + struct.pack(">2H", 8, 8) + bytes(10)
    large = b"\xff\xc0\0\x11\x08" + struct.pack(">2H", 65500, 65500) + b"\3" + bytes(9)
    return b"\xff\xd8" + between + large + small + b"\xff\xd9"


@pytest.mark.parametrize("between", [b"\xff", b"\xff" * 5, b"\xff\x01", b"\xff\xd0", b"\xff\xd7\xff"])
def test_the_frame_of_a_jpeg_is_found_where_its_decoder_finds_it(between: bytes) -> None:
    assert stored_size_of(jpeg_with_two_headers(between)) == (65500, 65500)


def test_opencv_itself_has_the_same_bound_in_a_producer() -> None:
    """A header that is read in another way there than here gets no memory either."""
    info = struct.pack("<I2i2H6I", 40, 1 << 15, 1 << 14, 1, 24, *[0] * 6)
    huge = b"BM" + struct.pack("<3I", 54, 0, 54) + info
    script = f"""if True:
        import feedline.producer.reading.decoders as decoders
        decoders.too_large = lambda size: None
        decoders.decode({huge!r}, "huge.bmp", "rgb", "uint8")
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "DecodeError: huge.bmp" in done.stderr
    assert "CV_IO_MAX_IMAGE_PIXELS" in done.stderr


def test_channels_of_a_jpeg_2000_beyond_colours_and_alpha_get_no_memory() -> None:
    header = struct.pack(">2H8IH", 38 + 3 * 16384, 0, 8192, 8192, 0, 0, 8192, 8192, 0, 0, 16384)
    data = b"\xff\x4f\xff\x51" + header + b"\7\1\1" * 16384
    with pytest.raises(DecodeError, match="channels are not grey or red, green and blue"):
        decode(data, "many.j2k", "rgb", "uint8")


def test_a_png_is_an_animation_whatever_stands_in_its_comments() -> None:
    """Or else its picture would be that of another reader, or none."""
    data = FILES["PNG", "animation"].data
    comment = b"tEXtIDAT\0acTL"
    comment = struct.pack(">I", len(comment) - 4) + comment + struct.pack(">I", zlib.crc32(comment))
    marked = data[:33] + comment + data[33:]
    assert b"fdAT" in data
    assert b"fdAT" not in without_animation(marked)
