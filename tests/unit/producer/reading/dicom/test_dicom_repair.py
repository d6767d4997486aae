"""Wrapped values, as some of the RSNA haemorrhage competition, are repaired where that is asked for."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from ct import HEAD, Array, units_of, windowed
from dicom_files import SIGNED, UNSIGNED, dicom_bytes

from feedline.common.sample.dicom import DicomReading
from feedline.producer.reading.decoders import decode
from feedline.producer.reading.dicom import pixels

RSNA = DicomReading(repair="rsna")


@pytest.fixture(autouse=True)
def _not_yet_warned() -> None:
    pixels._warn_of_wrapped_values.cache_clear()  # otherwise once in a process


def unwrapped(stored: Array) -> Array:
    shifted = stored.astype(int) + 1000
    return np.where(shifted >= 4096, shifted - 4096, shifted) - 1000


@pytest.mark.parametrize(("slope", "intercept"), [(2, 0), (1, 0), (1, 50), (2, 50), (1, -99)])
def test_headers_are_believed_unless_a_repair_is_asked_for(slope: int, intercept: int) -> None:
    stored = np.array([[0, 100], [1000, 3200]], np.uint16)
    data = dicom_bytes(stored, RescaleSlope=slope, RescaleIntercept=intercept)
    exact = slope * stored.astype(int) + intercept

    assert np.array_equal(units_of(data), exact)
    assert np.array_equal(decode(data, "", HEAD, "uint8"), windowed(exact, HEAD))


@pytest.mark.parametrize("intercept", [0, 1, -99, "-99.5"])
def test_wrapped_values_are_repaired_where_that_is_asked_for(intercept: Any) -> None:
    data = dicom_bytes(UNSIGNED, RescaleIntercept=intercept)

    assert np.array_equal(units_of(data, repair="rsna"), unwrapped(UNSIGNED))
    found = decode(data, "", HEAD, "uint8", dicom=RSNA)
    assert np.array_equal(found, windowed(unwrapped(UNSIGNED), HEAD))


@pytest.mark.parametrize(
    ("stored", "elements"),
    [
        (UNSIGNED, {"RescaleIntercept": -100}),
        (UNSIGNED, {"RescaleIntercept": 0, "BitsStored": 16, "HighBit": 15}),
        (UNSIGNED, {"RescaleIntercept": 0, "RescaleSlope": 2}),
        (SIGNED, {"RescaleIntercept": 0}),
    ],
    ids=["intercept of -100", "16 bits", "slope of 2", "signed"],
)
def test_files_that_are_not_of_that_kind_are_not_repaired(stored: Array, elements: dict[str, Any]) -> None:
    expected = stored.astype(int) * elements.get("RescaleSlope", 1) + elements["RescaleIntercept"]
    assert np.array_equal(units_of(dicom_bytes(stored, **elements), repair="rsna"), expected)


def test_values_that_look_wrapped_are_spoken_of_once(caplog: pytest.LogCaptureFixture) -> None:
    head = np.full((64, 64), 3096, np.uint16)  # air, if it is wrapped
    head[16:48, 16:48] = 40
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (units_of(dicom_bytes(head, RescaleIntercept=0))[0] == 3096).all()
    assert [record.getMessage().count("with_dicom_reading(repair='rsna')") for record in caplog.records] == [
        1
    ]


def test_what_is_repaired_or_has_little_metal_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    metal = np.full((64, 64), 40, np.uint16)
    metal[:16, :16] = 3096
    with caplog.at_level(logging.WARNING):
        units_of(dicom_bytes(metal, RescaleIntercept=0))
        units_of(dicom_bytes(np.full_like(metal, 3096), RescaleIntercept=0), repair="rsna")
    assert not caplog.records
