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

DEPTHS = {"hounsfield": "int16", "grayscale": "uint8", "rgb": "uint8"}


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
        ({"RescaleSlope": 0}, "RescaleSlope=0, which makes all values one"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel=3, which does not go with MONOCHROME2"),
    ],
)
def test_what_cannot_be_used_is_named(elements: dict[str, Any], text: str) -> None:
    with pytest.raises(DecodeError, match=f"slice.dcm: the DICOM file .*{text}"):
        units_of(dicom_bytes(UNSIGNED, **elements))


@pytest.mark.parametrize("text", [b"nan", b"inf", b"1,5", b"1e9999"])
@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"])
def test_numbers_that_are_none_are_quoted(keyword: str, text: bytes) -> None:
    data = dicom_bytes(UNSIGNED, **{keyword: "7.7777777"}).replace(b"7.7777777 ", text.ljust(10))
    for color_mode, dtype in DEPTHS.items():
        with pytest.raises(
            DecodeError, match=f"the DICOM file has {keyword}='{text.decode()}', which is not a"
        ):
            decode(data, "", color_mode, dtype)


@pytest.mark.filterwarnings("ignore:A value of '0'")
def test_no_pictures_in_a_file_are_one() -> None:
    """As pydicom reads it."""
    for syntax in (ExplicitVRLittleEndian, RLELossless):
        assert np.array_equal(units_of(dicom_bytes(UNSIGNED, syntax, NumberOfFrames=0)), UNITS)


def test_a_picture_that_wants_an_unknown_window_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"VOILUTFunction='CUBIC'; LINEAR, LINEAR_EXACT, SIGMOID are known"):
        decode(dicom_bytes(UNSIGNED, VOILUTFunction="CUBIC"), "", "rgb", "uint8")


@pytest.mark.parametrize("width", ["0", "-1"])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_a_picture_that_wants_an_empty_window_is_refused(width: str, function: str) -> None:
    data = dicom_bytes(UNSIGNED, WindowWidth=width, VOILUTFunction=function)
    with pytest.raises(DecodeError, match=f"has WindowWidth={width}: a window must be wider than 0"):
        decode(data, "", "rgb", "uint8")


@pytest.mark.parametrize("color_mode", ["hounsfield", "grayscale", "rgb"])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "RGB"])
def test_pixels_in_pieces_that_are_said_to_be_uncompressed_are_refused(
    color_mode: str, photometric: str
) -> None:
    """The bytes that divide the pieces would become pixels."""
    stored = UNSIGNED if photometric == "MONOCHROME2" else np.zeros((16, 24, 3), np.uint8)
    data = dicom_bytes(stored, RLELossless)
    with pytest.raises(
        DecodeError, match=r"not compressed \(TransferSyntaxUID 1.2.840.10008.1.2.1\).* in pieces"
    ):
        decode(said_to_be_uncompressed(data), "", color_mode, DEPTHS[color_mode])


def said_to_be_uncompressed(data: bytes) -> bytes:
    """An explicit little endian file under the UID of one whose pixels lie as they are."""
    compressed, plain = RLELossless.encode(), ExplicitVRLittleEndian.encode()
    assert data.count(compressed) == 1
    return data.replace(compressed, plain.ljust(len(compressed), b"\0"))


def test_pixels_that_are_twice_as_many_as_promised_are_refused() -> None:
    with pytest.raises(DecodeError, match="has 12,288 bytes of pixels where its header speaks of 6,144"):
        units_of(dicom_bytes(UNSIGNED, Rows=32))


@pytest.mark.parametrize("color_mode", ["hounsfield", "grayscale"])
def test_a_file_without_pixels_says_so(color_mode: str) -> None:
    data = dicom_bytes(UNSIGNED)
    without = data[: len(data) - UNSIGNED.nbytes - 12]
    with pytest.raises(DecodeError, match="has no PixelData, or is cut off in front of it"):
        decode(without, "", color_mode, DEPTHS[color_mode])


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


SIZ = b"\xff\x51\0\x29"


def test_a_jpeg_2000_that_says_what_cannot_be_is_refused_and_ends_no_producer() -> None:
    """Of 65,535 channels, beside a picture that begins below its own end: GDCM called abort()."""
    data = bytearray(dicom_bytes(UNSIGNED, JPEG2000Lossless))
    at = data.index(SIZ) + len(SIZ)
    data[at + 30 : at + 36] = b"\0\0\0\xff\xff\xff"
    _, text = said_without([], bytes(data))
    assert text.startswith("slice.dcm: the DICOM file holds a compressed picture of unknown size")


def test_a_jpeg_2000_is_decoded_by_openjpeg_alone_where_that_is_there() -> None:
    data = dicom_bytes(UNSIGNED, JPEG2000Lossless)
    _, text = said_without([], data.replace(b"\xff\x52\0", b"\xff\x5c\0", 1))
    assert text.startswith("slice.dcm: the DICOM file cannot be read by pydicom")
    assert "pylibjpeg" in text
    assert "gdcm" not in text
