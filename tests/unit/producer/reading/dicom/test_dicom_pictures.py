"""A DICOM file in a job for pictures is seen as it wants to be."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from ct import Array, units_of, windowed
from dicom_files import UNITS, UNSIGNED, dicom_bytes

from feedline.common.sample.ct import CTWindows
from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode


def picture(data: bytes, color_mode: str = "grayscale", dtype: str = "uint8") -> Array:
    return decode(data, "slice.dcm", color_mode, dtype)


def linear(values: Array, center: float, width: float, white: int = 255) -> Array:
    """PS3.3, C.11.2.1.2.1, as it is written there."""
    inside = ((values - (center - 0.5)) / (width - 1) + 0.5) * white
    below, above = values <= center - 0.5 - (width - 1) / 2, values > center - 0.5 + (width - 1) / 2
    return np.rint(np.select([below, above], [0.0, float(white)], inside))


def test_a_picture_is_seen_by_the_first_window_of_its_file() -> None:
    units = UNITS
    expected = linear(units, 50, 351)

    found = picture(dicom_bytes(UNSIGNED, WindowCenter=[50, 600], WindowWidth=[351, 2800]))

    assert np.array_equal(found[:, :, 0], expected)


def test_a_picture_may_want_another_function_than_a_line() -> None:
    units = UNITS
    exact = picture(dicom_bytes(UNSIGNED, VOILUTFunction="LINEAR_EXACT"))[:, :, 0]
    curved = picture(dicom_bytes(UNSIGNED, VOILUTFunction="SIGMOID"))[:, :, 0]

    assert np.array_equal(exact, windowed(units, CTWindows([(40, 80)]))[:, :, 0])
    assert np.array_equal(curved, np.rint(255 / (1 + np.exp(np.clip(-4 * (units - 40) / 80, -700, 700)))))


def test_the_lowest_value_of_monochrome1_is_white() -> None:
    plain = picture(dicom_bytes(UNSIGNED))
    inverted = picture(dicom_bytes(UNSIGNED, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(inverted, 255 - plain)


def test_a_picture_without_a_window_shows_all_of_its_range() -> None:
    found = picture(dicom_bytes(UNSIGNED, WindowCenter=None, WindowWidth=None))
    assert np.array_equal(found[:, :, 0], np.rint(255 * (UNSIGNED / 4095)))


def test_a_picture_of_16_bits_has_as_many_shades() -> None:
    data = dicom_bytes(UNSIGNED, WindowCenter=1024, WindowWidth=4096)
    expected = linear(UNITS, 1024, 4096, 65535)
    assert np.array_equal(picture(data, dtype="uint16")[:, :, 0], expected)


def test_padding_is_black_in_a_picture_of_either_kind() -> None:
    for kind in ("MONOCHROME1", "MONOCHROME2"):
        data = dicom_bytes(UNSIGNED, PhotometricInterpretation=kind, PixelPaddingValue=int(UNSIGNED[0, 0]))
        assert (picture(data)[UNSIGNED[0, 0] == UNSIGNED] == 0).all()


@pytest.mark.parametrize(("color_mode", "channels"), [("rgb", 3), ("rgba", 4)])
def test_a_grey_file_gives_all_colours(color_mode: str, channels: int) -> None:
    grey, found = picture(dicom_bytes(UNSIGNED)), picture(dicom_bytes(UNSIGNED), color_mode)
    assert found.shape == (*UNSIGNED.shape, channels)
    assert (found[:, :, :3] == grey).all()
    assert (found[:, :, 3:] == 255).all()


@pytest.mark.parametrize("planar", [0, 1])
def test_a_coloured_file_keeps_its_colours(planar: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    stored = colours if planar == 0 else np.ascontiguousarray(colours.transpose(2, 0, 1)).reshape(16, 24, 3)
    data = dicom_bytes(stored, BitsStored=8, HighBit=7, PlanarConfiguration=planar)

    assert np.array_equal(picture(data, "rgb"), colours)
    assert np.array_equal(picture(data)[:, :, 0], cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY))
    with pytest.raises(DecodeError, match="kind RGB: a CT has one value"):
        units_of(data)
