"""`jpeg_scaling` decodes no more of a JPEG than is asked for, and never less."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

from feedline.common.formats.images import size_of
from feedline.common.sample.image import ImageSpec
from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode, jpeg_reduction, load

PHOTO: npt.NDArray[Any] = cv2.resize(skimage.data.astronaut(), (802, 601))
# libjpeg rounds sides up and makes up for what is missing: only multiples of 8 are not shifted at all.
EVEN: npt.NDArray[Any] = np.ascontiguousarray(PHOTO[:600, :800])
ORIENTATION = 0x0112


def jpeg(pixels: npt.NDArray[Any] = PHOTO, turned: int = 1, **options: Any) -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[ORIENTATION] = turned
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_the_size_of_a_jpeg_is_the_one_it_is_seen_in(turned: int, options: dict[str, Any]) -> None:
    data = jpeg(turned=turned, **options)
    assert size_of(data) == decode(data, "a", "grayscale", "uint8").shape[:2]


def test_bytes_without_a_frame_have_no_size() -> None:
    data = jpeg()
    for length in [*range(40), data.index(b"\xff\xc0")]:
        assert size_of(data[:length]) is None
    assert jpeg_reduction(b"\xff\xd8\xff", ImageSpec(8, 8, jpeg_scaling=True)) == 1


@pytest.mark.parametrize(
    ("size", "fit", "reduction"),
    [
        ((76, 101), "stretch", 8),  # 601 x 802 / 8, rounded up
        ((77, 101), "stretch", 4),
        ((76, 102), "stretch", 4),
        ((151, 201), "stretch", 4),
        ((224, 224), "stretch", 2),
        ((301, 401), "stretch", 2),
        ((302, 8), "stretch", 1),
        ((700, 900), "stretch", 1),
        # Of the middle 601 x 601 is kept.
        ((76, 76), "crop", 8),
        ((77, 77), "crop", 4),
        # Filled up to 802 x 802.
        ((100, 100), "pad", 8),
        ((201, 201), "pad", 4),
        ((202, 202), "pad", 2),
    ],
)
def test_a_jpeg_is_reduced_as_far_as_the_target_allows(
    size: tuple[int, int], fit: str, reduction: int
) -> None:
    assert jpeg_reduction(jpeg(), ImageSpec(*size, fit=fit)) == reduction
    turned = ImageSpec(size[1], size[0], fit=fit)
    assert jpeg_reduction(jpeg(turned=6), turned) == reduction


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
def test_a_reduced_jpeg_is_upright_and_the_same_picture_in_every_mode(turned: int, reduction: int) -> None:
    data = jpeg(EVEN, turned, quality=95)
    whole = decode(data, "a", "rgb", "uint8")
    height, width = (-(-side // reduction) for side in whole.shape[:2])
    rgb = decode(data, "a", "rgb", "uint8", reduction)
    assert rgb.shape == (height, width, 3)
    expected = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(rgb.astype(float) - expected).mean() < 3
    rgba = decode(data, "a", "rgba", "uint8", reduction)
    np.testing.assert_array_equal(rgba[..., :3], rgb)
    assert (rgba[..., 3] == 255).all()
    grey = decode(data, "a", "grayscale", "uint8", reduction)
    assert np.abs(grey[..., 0].astype(float) - cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)).mean() < 3
    np.testing.assert_array_equal(decode(data, "a", "rgb", "uint16", reduction), rgb)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
def test_a_job_gets_its_size_and_the_same_picture(fit: str, color_mode: str) -> None:
    data = jpeg(EVEN, quality=95)
    full = load(data, "a", ImageSpec(150, 180, color_mode, "area", fit))
    scaled = load(data, "a", ImageSpec(150, 180, color_mode, "area", fit, jpeg_scaling=True))
    assert scaled.shape == full.shape
    assert not np.array_equal(scaled, full)
    assert np.abs(scaled.astype(float) - full).mean() < 3


def test_files_of_other_formats_and_small_ones_are_not_changed() -> None:
    spec, scaling = ImageSpec(64, 64), ImageSpec(64, 64, jpeg_scaling=True)
    for data in (cv2.imencode(".png", PHOTO)[1].tobytes(), jpeg(PHOTO[:100, :100])):
        np.testing.assert_array_equal(load(data, "a", scaling), load(data, "a", spec))


def test_a_jpeg_that_is_cut_off_is_refused() -> None:
    data = jpeg(PHOTO[:200, :300])
    spec = ImageSpec(16, 16, jpeg_scaling=True)
    for length in range(1, len(data), max(1, len(data) // 60)):
        with pytest.raises(DecodeError, match="slice_7"):
            load(data[:length], "slice_7", spec)
