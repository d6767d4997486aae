"""Look-up tables of a file are applied as pydicom applies them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from ct import HEAD, Array, units_of, windowed
from dicom_files import BUNDLED, SIGNED, UNSIGNED, dicom_bytes
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode

PLAIN: dict[str, Any] = {
    "WindowCenter": None, "WindowWidth": None, "RescaleSlope": None, "RescaleIntercept": None
}  # fmt: skip
"""A file that says nothing of its values."""

CURVE = np.rint(4095 * np.linspace(0, 1, 4096) ** 2).astype(int)
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]


def table(entries: Array, first: int, bits: int, kind: str | None = None, vr: str = "US") -> Sequence:
    """A sequence of one table."""
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    words = entries.astype("<u1" if vr == "OB" else "<u2")
    item.add_new("LUTData", "US" if vr == "US" else "OW", words.tolist() if vr == "US" else words.tobytes())
    if kind:
        item.ModalityLUTType = kind
    return Sequence([item])


def picture(data: bytes) -> Array:
    return decode(data, "slice.dcm", "grayscale", "uint8")[:, :, 0]


def by_pydicom(data: bytes, bits: int) -> Array:
    """The shades that come of pydicom's own functions."""
    dataset = pydicom.dcmread(BytesIO(data))
    seen = apply_voi(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    return np.rint(255 * (seen.astype(float) / ((1 << bits) - 1)))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_picture_with_a_voi_table_alone_is_seen_by_it(syntax: str) -> None:
    data = dicom_bytes(UNSIGNED, syntax, **PLAIN, VOILUTSequence=table(CURVE, 0, 12))

    assert np.array_equal(picture(data), np.rint(255 * (CURVE[UNSIGNED] / 4095)))
    assert np.array_equal(picture(data), by_pydicom(data, 12))


@pytest.mark.parametrize(
    ("first", "length", "bits", "vr"),
    [
        (100, 1000, 16, "US"),
        (100, 1000, 16, "OW"),
        (1000, 65536, 16, "OW"),
        (0, 256, 8, "US"),
        (0, 256, 8, "OB"),
    ],
)
def test_values_beyond_a_table_have_its_first_or_last_entry(
    first: int, length: int, bits: int, vr: str
) -> None:
    entries = np.linspace(0, (1 << bits) - 1, length).astype(int)
    data = dicom_bytes(UNSIGNED, **PLAIN, VOILUTSequence=table(entries, first, bits, vr=vr))

    expected = entries[np.clip(UNSIGNED.astype(int) - first, 0, length - 1)]

    assert np.array_equal(picture(data), np.rint(255 * (expected / ((1 << bits) - 1))))


def test_a_table_may_begin_below_zero() -> None:
    elements = PLAIN | {"RescaleSlope": 1, "RescaleIntercept": 0, "VOILUTSequence": table(CURVE, -2048, 12)}
    assert np.array_equal(picture(dicom_bytes(SIGNED, **elements)), np.rint(255 * (CURVE[UNSIGNED] / 4095)))


def test_a_modality_table_makes_what_is_seen_or_windowed() -> None:
    falling = 65535 - 16 * CURVE
    values, seen_by = table(falling, 0, 16, "US"), table(np.arange(65536) ** 2 >> 16, 0, 16, vr="OW")
    alone = dicom_bytes(UNSIGNED, **PLAIN, ModalityLUTSequence=values)
    both = dicom_bytes(UNSIGNED, **PLAIN, ModalityLUTSequence=values, VOILUTSequence=seen_by)
    window = PLAIN | {"WindowCenter": 32768, "WindowWidth": 65536}
    windowed = dicom_bytes(UNSIGNED, **window, ModalityLUTSequence=values)

    assert np.array_equal(picture(alone), by_pydicom(alone, 16))
    assert np.array_equal(picture(both), by_pydicom(both, 16))
    assert np.array_equal(picture(windowed), np.rint(255 * (falling[UNSIGNED] / 65535)))


def test_a_modality_table_of_hounsfield_units_makes_them_and_no_other_does() -> None:
    data = dicom_bytes(UNSIGNED, **PLAIN, ModalityLUTSequence=table(CURVE, 0, 12, "HU"))
    assert np.array_equal(units_of(data), CURVE[UNSIGNED])
    assert np.array_equal(units_of(data, repair="rsna"), CURVE[UNSIGNED])
    assert np.array_equal(decode(data, "", HEAD, "uint8"), windowed(CURVE[UNSIGNED], HEAD))

    for kind in ("US", None):
        with pytest.raises(DecodeError, match=f"modality look-up table of kind {kind or ''!r}.*'HU'"):
            units_of(dicom_bytes(UNSIGNED, **PLAIN, ModalityLUTSequence=table(CURVE, 0, 12, kind)))


def test_a_window_goes_before_a_voi_table() -> None:
    with_table = dicom_bytes(UNSIGNED, VOILUTSequence=table(CURVE, 0, 12))
    assert np.array_equal(picture(with_table), picture(dicom_bytes(UNSIGNED)))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (table(CURVE, 5000, 12), "for values from 5000 to 9095, and stores none of them"),
        (table(CURVE, 0, 17), "table of 4096 entries that says LUTDescriptor"),
        (table(CURVE, 0, 4), "table of 4096 entries that says LUTDescriptor"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(values: Sequence, text: str) -> None:
    with pytest.raises(DecodeError, match=text):
        picture(dicom_bytes(UNSIGNED, **PLAIN, VOILUTSequence=values))


def test_a_table_with_fewer_entries_than_it_says_is_refused() -> None:
    values = table(CURVE[:100], 0, 12)
    values[0].LUTDescriptor = [4096, 0, 12]
    with pytest.raises(DecodeError, match="table of 100 entries"):
        picture(dicom_bytes(UNSIGNED, **PLAIN, VOILUTSequence=values))


@pytest.mark.parametrize("name", ["vlut_04.dcm", "mlut_18.dcm"])
def test_scanners_files_with_tables_are_seen_as_by_pydicom(name: str) -> None:
    path = next(path for path in BUNDLED if path.name == name)
    item = next(
        pydicom.dcmread(path)[tag][0] for tag in (0x00283000, 0x00283010) if tag in pydicom.dcmread(path)
    )
    assert np.array_equal(
        picture(Path(path).read_bytes()), by_pydicom(path.read_bytes(), item.LUTDescriptor[2])
    )


def test_without_a_window_a_falling_rescaling_shows_the_highest_value_dark() -> None:
    data = dicom_bytes(UNSIGNED, **PLAIN | {"RescaleSlope": -1, "RescaleIntercept": 4095})
    assert np.array_equal(picture(data), np.rint(255 - 255 * (UNSIGNED / 4095)))
