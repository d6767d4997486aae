"""DICOM files that cannot be used are refused with a reason and, where there is one, the remedy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from ct import HEAD, units_of
from dicom_files import UNITS, UNSIGNED, dicom_bytes
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_missing_pixels_are_counted(syntax: str) -> None:
    """As in the file of the competition that has 153,710 of 524,288."""
    data = dicom_bytes(np.zeros((512, 512), np.uint16), syntax)[: 153_710 - 524_288]
    with pytest.raises(DecodeError, match="cut off: 153,710 of 524,288 bytes of pixels"):
        units_of(data)


def test_pixels_that_the_file_itself_promises_too_few_of_are_counted() -> None:
    data = dicom_bytes(UNSIGNED, Rows=65)
    with pytest.raises(DecodeError, match="12,288 of 12,480 bytes"):
        units_of(data)


@pytest.mark.parametrize(
    ("elements", "text"),
    [
        ({"NumberOfFrames": 2}, "holds 2 pictures: a sample is one"),
        ({"Rows": None}, "has no Rows"),
        ({"Columns": 0}, "has Columns=0"),
        ({"PhotometricInterpretation": None}, "holds no pixels"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "'PALETTE COLOR'.*can be used"),
        ({"BitsAllocated": 32}, "BitsAllocated=32"),
        ({"HighBit": 15}, "HighBit=15"),
    ],
)
def test_what_cannot_be_used_is_named(elements: dict[str, Any], text: str) -> None:
    with pytest.raises(DecodeError, match=f"slice.dcm: the DICOM file .*{text}"):
        units_of(dicom_bytes(UNSIGNED, **elements))


def test_a_picture_that_wants_an_unknown_window_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"a window that is not known here.*'CUBIC'"):
        decode(dicom_bytes(UNSIGNED, VOILUTFunction="CUBIC"), "", "rgb", "uint8")


def test_other_formats_have_no_hounsfield_units() -> None:
    png = cv2.imencode(".png", UNSIGNED.astype(np.uint8))[1].tobytes()
    for color_mode, dtype in ((HEAD, "uint8"), ("hounsfield", "int16")):
        with pytest.raises(DecodeError, match=r"a\.png: is a PNG file, and Hounsfield units are .* DICOM"):
            decode(png, "a.png", color_mode, dtype)


def test_a_cut_off_compressed_file_is_refused() -> None:
    data = dicom_bytes(UNSIGNED, RLELossless)
    with pytest.raises(DecodeError, match=r"slice\.dcm: the DICOM file"):
        units_of(data[: len(data) // 2])


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from feedline.producer.reading.decoders import decode
from feedline.errors import DecodeError
print("pydicom" in sys.modules and sys.modules["pydicom"] is not None)
try:
    print(decode(sys.stdin.buffer.read(), "slice.dcm", "hounsfield", "int16").sum())
except DecodeError as error:
    print(error)
"""


def said_without(missing: list[str], data: bytes) -> tuple[str, str]:
    """Whether pydicom was imported at the start, and what comes of a file where modules are missing."""
    command = [sys.executable, "-c", WITHOUT.format(missing=missing)]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    imported, outcome = done.stdout.decode().splitlines()
    return imported, outcome


def test_uncompressed_files_need_no_pydicom() -> None:
    total = str(UNITS.sum())
    assert said_without(["pydicom"], dicom_bytes(UNSIGNED)) == ("False", total)


def test_a_producer_without_pydicom_says_what_to_install() -> None:
    _, text = said_without(["pydicom"], dicom_bytes(UNSIGNED, RLELossless))
    assert text.startswith("slice.dcm: the DICOM file is compressed")
    assert "pydicom, which is not installed: pip install 'feedline[dicom]'" in text


def test_a_producer_without_a_decoder_says_what_to_install() -> None:
    _, text = said_without(["gdcm", "pylibjpeg", "PIL"], dicom_bytes(UNSIGNED, JPEG2000Lossless))
    assert "is compressed by JPEG 2000" in text
    assert "no decoder for it is installed: pip install 'feedline[dicom]'" in text


def test_pydicom_is_imported_only_when_it_is_needed() -> None:
    assert said_without([], dicom_bytes(UNSIGNED, RLELossless))[0] == "False"
