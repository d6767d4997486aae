"""DICOM files become the values that the standard says, by formulas written out here once more."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from ct import HEAD, units_of, windowed
from dicom_files import BUNDLED, SIGNED, UNITS, UNSIGNED, dicom_bytes
from pydicom.pixels import apply_rescale
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from feedline.common.sample.ct import CTWindows
from feedline.common.sample.image import ImageSpec
from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode, load

SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG 2000": JPEG2000Lossless,
}
SIGNED_ELEMENTS = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15, "RescaleIntercept": 0}


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_units_and_windows_are_the_same_in_every_syntax(syntax: str) -> None:
    data = dicom_bytes(UNSIGNED, syntax)
    units = UNITS

    assert np.array_equal(units_of(data), units)
    assert np.array_equal(decode(data, "", HEAD, "uint8"), windowed(units, HEAD))


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES)
def test_signed_values_are_signed_in_every_syntax(syntax: str) -> None:
    assert np.array_equal(units_of(dicom_bytes(SIGNED, syntax, **SIGNED_ELEMENTS)), SIGNED)


def test_twelve_signed_bits_in_a_word_of_sixteen_have_their_sign_at_the_twelfth() -> None:
    words = SIGNED.view(np.uint16) & 0x0FFF  # the upper bits are not filled with the sign

    units = units_of(dicom_bytes(words, PixelRepresentation=1, RescaleIntercept=0))

    assert np.array_equal(units, SIGNED)


def test_what_lies_above_the_stored_bits_is_not_looked_at() -> None:
    assert np.array_equal(units_of(dicom_bytes(UNSIGNED | 0xF000)), UNITS)


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), ("0.5", "-1000.25"), (2, -2048), (-1, 100)])
def test_slope_and_intercept_are_applied_and_rounded_to_the_nearest(slope: Any, intercept: Any) -> None:
    data = dicom_bytes(SIGNED, **SIGNED_ELEMENTS | {"RescaleSlope": slope, "RescaleIntercept": intercept})
    exact = SIGNED * float(slope) + float(intercept)

    assert np.array_equal(units_of(data), np.rint(exact))
    assert np.array_equal(decode(data, "", HEAD, "uint8"), windowed(exact, HEAD))


def test_units_that_int16_does_not_hold_are_clipped() -> None:
    data = dicom_bytes(SIGNED, **SIGNED_ELEMENTS | {"RescaleSlope": 100})
    assert np.array_equal(units_of(data), np.clip(SIGNED * 100.0, -32768, 32767))


def test_padding_is_air() -> None:
    stored = np.maximum(SIGNED, -1989)
    stored[0], stored[1] = -2000, -1995

    one = units_of(dicom_bytes(stored, **SIGNED_ELEMENTS, PixelPaddingValue=-2000))
    several = units_of(
        dicom_bytes(stored, **SIGNED_ELEMENTS, PixelPaddingValue=-1990, PixelPaddingRangeLimit=-2000)
    )

    assert (one[0] == -1000).all()
    assert np.array_equal(one[1:], stored[1:])
    assert (several[:2] == -1000).all()
    assert np.array_equal(several[2:], stored[2:])


def test_padding_that_no_pixel_can_have_changes_nothing() -> None:
    data = dicom_bytes(UNSIGNED, PixelPaddingValue=0xF800 | 100)
    assert np.array_equal(units_of(data), UNITS)


def test_which_way_round_a_file_wants_to_be_seen_does_not_change_its_units() -> None:
    data = dicom_bytes(UNSIGNED, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(decode(data, "", HEAD, "uint8"), windowed(UNITS, HEAD))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_number_of_windows_makes_as_many_channels(count: int) -> None:
    windows = CTWindows([(40, 80), (80, 200), (40, 380), (600, 2800)][:count])
    found = decode(dicom_bytes(UNSIGNED), "", windows, "uint8")
    assert np.array_equal(found, windowed(UNITS, windows))


def test_a_ct_of_eight_bits_is_one_too() -> None:
    stored = UNSIGNED.astype(np.uint8)
    assert np.array_equal(units_of(dicom_bytes(stored, RescaleIntercept=-100)), stored.astype(int) - 100)
    expected = windowed(stored.astype(int) - 100, HEAD)
    assert np.array_equal(decode(dicom_bytes(stored, RescaleIntercept=-100), "", HEAD, "uint8"), expected)


def test_files_without_a_rescaling_are_not_taken_for_a_ct() -> None:
    with pytest.raises(DecodeError, match="no RescaleSlope and RescaleIntercept"):
        units_of(dicom_bytes(UNSIGNED, RescaleIntercept=None))


@pytest.mark.filterwarnings("ignore")  # of pydicom, about what is wrong with some of them
def test_units_are_those_of_pydicom_in_every_ct_that_it_brings() -> None:
    compared = 0
    for path in BUNDLED:
        dataset = pydicom.dcmread(path, force=True)
        if dataset.get("Modality") != "CT" or dataset.get("NumberOfFrames", 1) != 1:
            continue
        stored = dataset.pixel_array
        expected = apply_rescale(stored, dataset)
        if "PixelPaddingValue" in dataset:
            expected[stored == dataset.PixelPaddingValue] = -1000
        assert np.array_equal(units_of(path.read_bytes()), expected), path.name
        compared += 1
    assert compared > 5


def test_units_are_resized_as_numbers_and_padded_with_air() -> None:
    spec = ImageSpec(48, 48, "hounsfield", "bilinear", "pad", "int16")
    units = UNITS.astype(np.int16)

    found = load(dicom_bytes(UNSIGNED), "", spec)[:, :, 0]

    around = np.full((96, 96), -1000, np.int16)
    around[16:80] = units
    assert np.array_equal(found, cv2.resize(around, (48, 48), interpolation=cv2.INTER_LINEAR))


def test_windows_are_applied_before_the_resize() -> None:
    spec = ImageSpec(32, 48, HEAD)
    full = windowed(UNITS, HEAD)
    expected = cv2.resize(full, (48, 32), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(load(dicom_bytes(UNSIGNED), "", spec), expected)
