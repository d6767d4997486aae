"""A mask's class numbers arrive as its file has them, or it is refused."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from feedline.common.sample.companions import Companion, Role
from feedline.common.sample.image import ImageSpec
from feedline.common.sample.mask_values import MaskValues
from feedline.errors import ConfigurationError, DecodeError
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


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def tiff(pixels: Array, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("file_format", "options"),
    [("PNG", {}), ("BMP", {}), ("PPM", {}), ("TIFF", {}), ("TIFF", {"compression": "group4"})],
)
def test_black_and_white_is_0_and_1_in_every_format(file_format: str, options: dict[str, Any]) -> None:
    data = saved(Image.fromarray(CLASSES % 2 == 1), file_format, **options)
    np.testing.assert_array_equal(decode(data, "a", "classes", "uint8")[..., 0], CLASSES % 2)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF"])
def test_of_a_palette_the_numbers_of_its_colours_are_meant(file_format: str) -> None:
    image = Image.fromarray(CLASSES.astype(np.uint8))
    image.putpalette(COLOURS)
    data = saved(image, file_format)
    np.testing.assert_array_equal(decode(data, "a", "classes", "uint8")[..., 0], CLASSES)


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])
def test_whole_numbers_are_classes_in_whatever_type_they_are_stored(kind: str) -> None:
    mask = decode(tiff(CLASSES.astype(kind)), "a", "classes", "uint8")
    np.testing.assert_array_equal(mask[..., 0], CLASSES)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("f4", 0.7),
        ("f8", 1.5),
        ("f4", np.nan),
        ("f4", np.inf),
        ("f4", -1),
        ("i1", -1),
        ("i2", -1),
        ("i4", -7),
    ],
)
def test_what_is_no_class_is_refused_with_its_value(kind: str, value: float) -> None:
    pixels = CLASSES.astype(kind)
    pixels[3, 4] = value
    said = r"inf" if value == np.inf else str(np.dtype(kind).type(value))
    with pytest.raises(DecodeError, match=rf"street: is a mask with (the value|class) {said}"):
        decode(tiff(pixels), "street", "classes", "uint8")


FILES_OF_255 = {
    "PNG": png((CLASSES % 2 * 255).astype(np.uint8)),
    "TIFF": tiff((CLASSES % 2 * 255).astype(np.uint8)),
    "three channels": png(np.dstack([(CLASSES % 2 * 255).astype(np.uint8)] * 3)),
}


@pytest.mark.parametrize("name", FILES_OF_255)
def test_values_become_the_classes_that_were_named(name: str) -> None:
    mask = decode(FILES_OF_255[name], "a", MaskValues.of({255: 1}), "uint8")
    np.testing.assert_array_equal(mask[..., 0], CLASSES % 2)
    both = decode(FILES_OF_255[name], "a", MaskValues.of({0: 4, 255: 2}), "uint8")
    np.testing.assert_array_equal(both[..., 0], np.where(CLASSES % 2, 2, 4))


def test_a_value_below_0_can_be_named() -> None:
    mask = decode(
        tiff(CLASSES.astype(np.int16) - 1),
        "a",
        MaskValues.of({-1: 255, **{n: n for n in range(24)}}),
        "uint8",
    )
    np.testing.assert_array_equal(mask[..., 0], np.where(CLASSES == 0, 255, CLASSES.astype(int) - 1))


def test_colours_become_the_classes_that_were_named_in_pixels_and_palettes() -> None:
    colours = np.array([[0, 0, 0], [128, 0, 0], [0, 0, 128]], np.uint8)[CLASSES % 3]
    values = MaskValues.of({(128, 0, 0): 1, (0, 0, 128): 2})
    for data in (saved(Image.fromarray(colours), "PNG"), saved(Image.fromarray(colours).quantize(8), "PNG")):
        np.testing.assert_array_equal(decode(data, "a", values, "uint8")[..., 0], CLASSES % 3)


def test_what_was_not_named_is_refused_with_file_and_value() -> None:
    with pytest.raises(
        DecodeError, match=r"street: is a mask with the value 1, which mask_values=.0: 0, 2: 1"
    ):
        decode(png((CLASSES % 2).astype(np.uint8)), "street", MaskValues.of({2: 1, 255: 1}), "uint8")
    one = np.full((4, 4, 3), (9, 8, 7), np.uint8)
    with pytest.raises(DecodeError, match=r"street: is a mask with the colour \(9, 8, 7\)"):
        decode(saved(Image.fromarray(one), "PNG"), "street", MaskValues.of({(1, 1, 1): 1}), "uint8")


@pytest.mark.parametrize(
    "declared",
    [{}, [255], {255: -1}, {255: 1.5}, {"255": 1}, {(1, 2): 1}, {(1, 2, 300): 1}, {1: 1, (1, 2, 3): 1}],
)
def test_values_that_cannot_be_are_refused_where_they_are_declared(declared: Any) -> None:
    with pytest.raises(ConfigurationError, match="mask_values"):
        MaskValues.of(declared)


@pytest.mark.parametrize("declared", [{255: 1}, {-1: 255}, {(128, 0, 0): 1, (0, 1, 2): 3}])
def test_values_travel_with_the_job(declared: Any) -> None:
    companion = Companion("mask0", Role.MASK, values=MaskValues.of(declared))
    assert Companion.from_wire(companion.to_wire()) == companion
    spec = companion.image(ImageSpec(8, 8))
    assert ImageSpec.from_wire(spec.to_wire()) == spec
    assert spec.channels == 1


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
