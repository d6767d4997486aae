"""Files of many bits without a window are seen by their own values, if that is asked for."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from ct import Array, units_of
from dicom_files import UNITS, UNSIGNED, dicom_bytes

from feedline.common.sample.dicom import DicomReading
from feedline.producer.reading.decoders import decode
from feedline.producer.reading.dicom import pixels

RNG = np.random.default_rng(3)
MR = RNG.integers(0, 900, (64, 96)).astype(np.int16)
PLAIN: dict[str, Any] = {
    "WindowCenter": None, "WindowWidth": None, "RescaleSlope": None, "RescaleIntercept": None,
    "BitsStored": 16, "HighBit": 15, "Modality": "MR",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _not_yet_warned() -> None:
    pixels._warn_of_no_window.cache_clear()  # otherwise once in a process


def seen(data: bytes, window: str, dtype: str = "uint8") -> Array:
    return decode(data, "mr.dcm", "grayscale", dtype, dicom=DicomReading(window=window))[:, :, 0]


def stretched(values: Array, lowest: float, highest: float, white: int = 255) -> Array:
    return np.rint(np.clip(white * (values - lowest) / (highest - lowest), 0, white))


@pytest.mark.parametrize(("dtype", "white"), [("uint8", 255), ("uint16", 65535)])
def test_minmax_goes_from_the_lowest_to_the_highest_value(dtype: str, white: int) -> None:
    found = seen(dicom_bytes(MR, **PLAIN), "minmax", dtype)
    assert np.abs(found - stretched(MR.astype(float), MR.min(), MR.max(), white)).max() <= 1
    assert (found.min(), found.max()) == (0, white)


def test_percentiles_leave_a_hundredth_beyond_either_end() -> None:
    bright = MR.copy()
    bright[0, :10] = 30_000
    ends = np.quantile(bright, (0.01, 0.99), method="lower")
    assert np.array_equal(
        seen(dicom_bytes(bright, **PLAIN), "percentiles"), stretched(bright.astype(float), *ends)
    )
    assert seen(dicom_bytes(bright, **PLAIN), "minmax")[1:].max() < 10


@pytest.mark.parametrize("window", ["minmax", "percentiles"])
def test_padding_does_not_count(window: str) -> None:
    padded = MR.copy()
    padded[:20] = -2000
    found = seen(dicom_bytes(padded, **PLAIN, PixelPaddingValue=-2000), window)
    inside = seen(dicom_bytes(padded[20:], **PLAIN), window)
    assert (found[:20] == 0).all()
    assert np.array_equal(found[20:], inside)


@pytest.mark.parametrize("window", ["minmax", "percentiles"])
def test_values_that_are_all_one_are_black(window: str) -> None:
    assert not seen(dicom_bytes(np.full_like(MR, 7), **PLAIN), window).any()
    assert not seen(dicom_bytes(np.full_like(MR, 7), **PLAIN, PixelPaddingValue=7), window).any()


def test_a_falling_rescaling_and_monochrome1_turn_what_is_bright() -> None:
    falling = PLAIN | {"RescaleSlope": -2, "RescaleIntercept": 5}
    inverted = PLAIN | {"PhotometricInterpretation": "MONOCHROME1"}
    expected = 255 - stretched(MR.astype(float), MR.min(), MR.max())
    for elements in (falling, inverted):
        assert np.abs(seen(dicom_bytes(MR, **elements), "minmax") - expected).max() <= 1


def test_what_is_asked_for_goes_before_a_window_of_the_file_and_hounsfield_units_stay() -> None:
    data = dicom_bytes(UNSIGNED)
    assert np.array_equal(seen(data, "minmax"), stretched(UNITS, UNITS.min(), UNITS.max()))
    assert np.array_equal(units_of(data, window="minmax"), UNITS)


def test_a_file_of_many_bits_without_a_window_is_spoken_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert set(np.unique(seen(dicom_bytes(MR, **PLAIN), "file"))) <= {128, 129, 130, 131}
    assert [record.getMessage().count("window='minmax'") for record in caplog.records] == [1]


def test_what_has_a_window_or_8_bits_or_is_told_how_is_not_spoken_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        seen(dicom_bytes(UNSIGNED), "file")
        seen(dicom_bytes(MR.astype(np.uint8), **PLAIN | {"BitsStored": 8, "HighBit": 7}), "file")
        seen(dicom_bytes(MR, **PLAIN), "percentiles")
    assert not caplog.records
