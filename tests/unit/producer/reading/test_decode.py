"""Bytes become the right pixels, or are refused with a reason."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

from feedline.common.formats.names import format_of
from feedline.common.sample.image import ImageSpec
from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode, load
from feedline.producer.reading.fitting import fit

Array = npt.NDArray[Any]

RGB: Array = np.ascontiguousarray(skimage.data.astronaut()[100:140, 200:264])
ALPHA: Array = np.arange(40 * 64, dtype=np.uint32).reshape(40, 64).astype(np.uint8)
RGBA: Array = np.dstack([RGB, ALPHA])
DEEP: Array = np.arange(256 * 256, dtype=np.uint16).reshape(256, 256)
ORIENTATION = 0x0112


def encoded(pixels: Array, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


def encoded_by_opencv(pixels: Array, extension: str) -> bytes:
    return cv2.imencode(extension, pixels)[1].tobytes()


FILES = {
    "JPEG": encoded(RGB, "JPEG"),
    "progressive JPEG": encoded(RGB, "JPEG", progressive=True),
    "grey JPEG": encoded(RGB[..., 0], "JPEG"),
    "PNG": encoded(RGB, "PNG"),
    "PNG with alpha": encoded(RGBA, "PNG"),
    "16-bit PNG": encoded_by_opencv(DEEP[:40, :64], ".png"),
    "WebP": encoded(RGB, "WEBP"),
    "lossless WebP": encoded(RGBA, "WEBP", lossless=True, exact=True),
    "GIF": encoded(RGB[..., 0], "GIF"),
    "BMP": encoded(RGB, "BMP"),
    "TIFF": encoded(RGB, "TIFF"),
    "TIFF with LZW": encoded(RGB, "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
def test_a_file_that_is_cut_off_anywhere_is_refused_and_named(name: str, color_mode: str) -> None:
    data = FILES[name]
    assert decode(data, "whole", color_mode, "uint8").shape[:2] == (40, 64)
    # A JPEG without its end mark, two bytes, has all its pixels.
    needed = len(data) - 2 if "JPEG" in name else len(data)
    for length in [*range(1, needed - 20, max(1, needed // 40)), *range(needed - 20, needed)]:
        with pytest.raises(DecodeError, match="slice_7"):
            decode(data[:length], "slice_7", color_mode, "uint8")


@pytest.mark.parametrize("name", FILES)
def test_bytes_after_the_end_of_an_image_do_no_harm(name: str) -> None:
    for color_mode in ("grayscale", "rgb", "rgba"):
        whole = decode(FILES[name], "a", color_mode, "uint8")
        np.testing.assert_array_equal(decode(FILES[name] + b"\0garbage" * 9, "a", color_mode, "uint8"), whole)


@pytest.mark.parametrize("name", ["JPEG", "progressive JPEG", "PNG", "GIF"])
def test_a_file_whose_tail_was_never_written_is_refused(name: str) -> None:
    data = FILES[name]
    for length in range(20, len(data) - 2, 7):
        with pytest.raises(DecodeError):
            decode(data[:length] + bytes(len(data) - length), "a", "rgb", "uint8")


def test_a_thumbnail_does_not_hide_that_its_jpeg_is_cut_off() -> None:
    thumbnail = b"Exif\0\0" + encoded(RGB, "JPEG")
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = FILES["JPEG"][:2] + segment + FILES["JPEG"][2:]
    assert decode(whole, "a", "rgb", "uint8").shape == RGB.shape
    with pytest.raises(DecodeError, match="no end-of-image mark"):
        decode(whole[:-5] + b"\0\0", "a", "rgb", "uint8")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xd8\xff", "JPEG file.*cut off"),
        (FILES["PNG"][:-5], "PNG is cut off"),
        (FILES["WebP"][:-5], "WebP is cut off.*promises"),
        (FILES["GIF"][:-300], "GIF file that OpenCV cannot decode"),
        (b"hello, world, this is text", "not an image OpenCV knows.*hello"),
        (b"<!doctype html><title>404</title>", "HTML"),
        (bytes(128) + b"DICM" + bytes(50), "DICOM"),
        (b"\0", "not an image OpenCV knows"),
        (encoded_by_opencv(np.ones((9, 9), np.float32), ".tiff"), "TIFF|float32"),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_reason_says_what_the_bytes_are(data: bytes, reason: str, dtype: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(data, "a", "grayscale", dtype)


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_colours_come_in_the_order_red_green_blue(name: str) -> None:
    np.testing.assert_array_equal(decode(FILES[name], "a", "rgb", "uint8"), RGB)
    np.testing.assert_array_equal(decode(FILES[name], "a", "rgba", "uint8")[..., :3], RGB)


@pytest.mark.parametrize("name", ["PNG with alpha", "lossless WebP"])
def test_alpha_comes_last_and_is_left_out_of_rgb(name: str) -> None:
    np.testing.assert_array_equal(decode(FILES[name], "a", "rgba", "uint8"), RGBA)
    np.testing.assert_array_equal(decode(FILES[name], "a", "rgb", "uint8"), RGB)


@pytest.mark.parametrize("name", ["JPEG", "grey JPEG", "PNG", "BMP", "16-bit PNG"])
def test_alpha_is_opaque_where_a_file_has_none(name: str) -> None:
    assert (decode(FILES[name], "a", "rgba", "uint8")[..., 3] == 255).all()
    np.testing.assert_array_equal(
        decode(FILES[name], "a", "rgba", "uint8")[..., :3], decode(FILES[name], "a", "rgb", "uint8")
    )


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
def test_exif_orientation_is_applied_in_every_mode(file_format: str, turned: int, color_mode: str) -> None:
    pixels = RGB if file_format == "JPEG" else RGBA
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    plain = encoded(pixels, file_format, **options)
    upright = decode(plain, "a", color_mode, "uint8")
    data = encoded(pixels, file_format, exif=exif, **options)
    height, width = upright.shape[:2]
    # Where the top left corner of the stored pixels is seen, and which way its rows run (CIPA DC-008).
    expected = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[:, ::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[::-1],
    }[turned]
    assert expected.shape[:2] == ((height, width) if turned < 5 else (width, height))
    np.testing.assert_array_equal(decode(data, "a", color_mode, "uint8"), expected)


def test_all_modes_show_a_file_the_same_way_up_even_if_its_exif_is_unusual() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    plain = encoded(RGBA, "WEBP", lossless=True, exact=True, exif=exif)
    chunk = plain.index(b"EXIF")
    body = b"Exif\0\0" + plain[chunk + 8 :]
    data = plain[:chunk] + b"EXIF" + len(body).to_bytes(4, "little") + body
    data = data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]
    np.testing.assert_array_equal(
        decode(data, "a", "rgba", "uint8")[..., :3], decode(data, "a", "rgb", "uint8")
    )


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_16_bits_are_kept_on_request_and_halved_to_their_upper_8_otherwise(extension: str) -> None:
    data = encoded_by_opencv(DEEP, extension)
    np.testing.assert_array_equal(decode(data, "a", "grayscale", "uint16")[..., 0], DEEP)
    np.testing.assert_array_equal(decode(data, "a", "grayscale", "uint8")[..., 0], DEEP >> 8)
    assert (decode(data, "a", "rgba", "uint16")[..., 3] == 65535).all()


def test_16_bit_colours_and_alpha_keep_order_and_depth() -> None:
    deep = RGBA.astype(np.uint16) * 257 + 3
    data = encoded_by_opencv(np.ascontiguousarray(deep[..., [2, 1, 0, 3]]), ".png")
    np.testing.assert_array_equal(decode(data, "a", "rgba", "uint16"), deep)
    np.testing.assert_array_equal(decode(data, "a", "rgb", "uint16"), deep[..., :3])
    np.testing.assert_array_equal(decode(data, "a", "rgba", "uint8"), deep >> 8)


def test_8_bit_values_are_kept_as_they_are_in_uint16() -> None:
    result = decode(FILES["PNG"], "a", "rgb", "uint16")
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result, RGB)


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
@pytest.mark.parametrize("size", [(40, 64), (20, 32), (100, 30), (1, 1), (33, 57)])
def test_the_result_is_written_to_the_given_place(how: str, color_mode: str, size: tuple[int, int]) -> None:
    spec = ImageSpec(*size, color_mode, fit=how)
    batch = np.full((3, *spec.shape), 77, np.uint8)
    assert load(FILES["PNG with alpha"], "a", spec, batch[1]).base is batch
    alone = load(FILES["PNG with alpha"], "a", spec)
    assert alone.flags.c_contiguous
    np.testing.assert_array_equal(batch[1], alone)
    assert (batch[[0, 2]] == 77).all()


def test_cropping_keeps_the_middle_and_padding_keeps_everything() -> None:
    wide = np.repeat(np.arange(10, 50, dtype=np.uint8)[np.newaxis, :, np.newaxis], 20, axis=0)
    cropped = fit(wide, ImageSpec(20, 20, "grayscale", fit="crop"))
    np.testing.assert_array_equal(cropped, wide[:, 10:30])
    padded = fit(wide, ImageSpec(40, 40, "grayscale", fit="pad"))
    np.testing.assert_array_equal(padded[10:30], wide)
    assert (padded[:10] == 0).all()
    assert (padded[30:] == 0).all()


def test_formats_are_known_by_their_first_bytes() -> None:
    assert {format_of(data) for data in FILES.values()} == {"JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF"}
    assert format_of(b"") is None
