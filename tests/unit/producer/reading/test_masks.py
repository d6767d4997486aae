"""A mask's class numbers arrive as its file has them, or it is refused."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from feedline.common.sample.companions import Companion, Role
from feedline.common.sample.image import ImageSpec
from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode, load

Array = npt.NDArray[Any]

CLASSES: Array = np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) // 40
COLOURS = np.random.default_rng(3).integers(0, 256, 768, np.uint8).tobytes()


def with_palette(classes: Array, bits: int = 8, **options: Any) -> bytes:
    """A PNG as Pascal VOC has them."""
    image = Image.fromarray(classes.astype(np.uint8))
    image.putpalette(COLOURS[: 3 << bits])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=bits, **options)
    return buffer.getvalue()


def png(pixels: Array) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


FILES = {
    "grey": png(CLASSES.astype(np.uint8)),
    "16 bits": png(CLASSES),
    "grey in three channels": png(np.dstack([CLASSES.astype(np.uint8)] * 3)),
    "with alpha": png(np.dstack([CLASSES.astype(np.uint8)] * 4)),
    "a palette": with_palette(CLASSES),
    "a palette with transparency": with_palette(CLASSES, transparency=0),
    "a palette in many chunks": with_palette(CLASSES, compress_level=0),
    "TIFF": cv2.imencode(".tiff", CLASSES)[1].tobytes(),
    "BMP": cv2.imencode(".bmp", CLASSES.astype(np.uint8))[1].tobytes(),
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("name", FILES)
def test_class_numbers_are_those_of_the_file(name: str, dtype: str) -> None:
    mask = decode(FILES[name], "mask.png", "classes", dtype)
    np.testing.assert_array_equal(mask[..., 0], CLASSES, strict=False)
    assert mask.shape == (24, 40, 1)
    assert mask.dtype == dtype


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_a_pixel_are_no_shades_of_grey(bits: int) -> None:
    few = CLASSES % (1 << bits)
    np.testing.assert_array_equal(decode(with_palette(few, bits), "a", "classes", "uint8")[..., 0], few)


def test_black_and_white_is_0_and_1() -> None:
    buffer = io.BytesIO()
    Image.fromarray(CLASSES % 2 == 1).save(buffer, "PNG")
    np.testing.assert_array_equal(decode(buffer.getvalue(), "a", "classes", "uint8")[..., 0], CLASSES % 2)


def test_a_mask_of_colours_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"street: is a mask of colours.*class numbers first"):
        decode(
            png(np.dstack([CLASSES.astype(np.uint8)] * 2 + [CLASSES.astype(np.uint8) + 1])),
            "street",
            "classes",
            "uint8",
        )


def test_a_class_that_does_not_fit_is_refused_with_what_to_pass() -> None:
    deep = png(CLASSES * 40)
    with pytest.raises(DecodeError, match=r'class 920, and uint8 ends at 255.*dtype="uint16"'):
        decode(deep, "a", "classes", "uint8")
    np.testing.assert_array_equal(decode(deep, "a", "classes", "uint16")[..., 0], CLASSES * 40)


@pytest.mark.parametrize("name", ["a palette", "16 bits"])
def test_a_mask_that_is_cut_off_or_damaged_is_refused(name: str) -> None:
    whole = FILES[name]
    for length in range(1, len(whole)):
        with pytest.raises(DecodeError):
            decode(whole[:length], "a", "classes", "uint8")
    wrong = bytearray(whole)
    wrong[whole.index(b"IDAT") + 12] ^= 1
    with pytest.raises(DecodeError):
        decode(bytes(wrong), "a", "classes", "uint8")


def test_the_masks_of_a_job_are_decoded_so_whatever_its_images_are() -> None:
    for dtype in ("uint8", "uint16"):
        spec = Companion("mask0", Role.MASK).image(ImageSpec(24, 40, "rgba", dtype=dtype))
        np.testing.assert_array_equal(load(FILES["a palette"], "a", spec)[..., 0], CLASSES)
