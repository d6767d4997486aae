"""Files that lack the preamble, the mark or the meta information are read all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ct import units_of
from dicom_files import BUNDLED, UNITS, UNSIGNED, dicom_bytes
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from feedline.common.formats.images import format_of
from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode
from feedline.trainer.datasets.dicom.facts import read_facts

SYNTAXES = {"explicit": ExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian}
COLOURS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


def without_meta(data: bytes) -> bytes:
    """What comes after the preamble and group 2, whose first element says how long the rest of it is."""
    return data[144 + int.from_bytes(data[140:144], "little") :]


LESS = {
    "no preamble": lambda data: data[132:],
    "the mark at the start": lambda data: data[128:],
    "the mark without meta information": lambda data: data[:132] + without_meta(data),
    "nothing but elements": without_meta,
}


@pytest.mark.parametrize("less", LESS)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_slice_without_what_goes_before_it_is_read(tmp_path: Path, syntax: str, less: str) -> None:
    data = LESS[less](dicom_bytes(UNSIGNED, SYNTAXES[syntax]))
    (tmp_path / "a.dcm").write_bytes(data)

    facts = read_facts(str(tmp_path / "a.dcm"))

    assert np.array_equal(units_of(data), UNITS)
    assert (facts.reason, facts.patient, facts.position, facts.columns) == ("", "ID_patient", 10.0, 96)


@pytest.mark.parametrize("less", LESS)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_pydicom_has_to_read_needs_no_meta_information_either(syntax: str, less: str) -> None:
    data = LESS[less](dicom_bytes(COLOURS, SYNTAXES[syntax], BitsStored=8, HighBit=7))
    assert np.array_equal(decode(data, "", "rgb", "uint8"), COLOURS)


def test_a_big_endian_file_without_meta_information_is_refused_in_words(tmp_path: Path) -> None:
    data = dicom_bytes(UNSIGNED, ExplicitVRBigEndian)
    marked = LESS["the mark without meta information"](data)
    (tmp_path / "a.dcm").write_bytes(without_meta(data))

    assert np.array_equal(units_of(marked), UNITS)
    with pytest.raises(DecodeError, match="is not an image"):
        units_of(without_meta(data))
    assert "is not a DICOM file: no DICM mark at byte 128" in read_facts(str(tmp_path / "a.dcm")).reason


def test_no_other_file_is_taken_for_one() -> None:
    for start in (b"\x08\x00", b"\x02\x00\x00\x00", b"\x08\x00\x05\x00", b"\x00\x08", b"BM\x08\x00", b"DIC"):
        assert format_of(start + b"\xff" * 200) != "DICOM"


@pytest.mark.filterwarnings("ignore")  # of pydicom, about what is wrong with some of them
@pytest.mark.parametrize(("color_mode", "dtype"), [("hounsfield", "int16"), ("grayscale", "uint8")])
def test_what_is_wrong_with_a_file_is_never_an_attribute_of_pydicoms(color_mode: str, dtype: str) -> None:
    reasons = [reason_of(path, color_mode, dtype) for path in BUNDLED]
    assert [reason for reason in reasons if "AttributeError" in reason] == []


def reason_of(path: Path, color_mode: str, dtype: str) -> str:
    """Why a file cannot be used; empty if it can."""
    try:
        decode(path.read_bytes(), path.name, color_mode, dtype)
    except DecodeError as error:
        return str(error)
    return ""
