"""The header reader finds what pydicom finds, or says that it cannot."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import BUNDLED, dicom_bytes
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from feedline.common.formats.dicom import UNDEFINED, RawHeader, Tag, UnreadableHeaderError, read_header

NOT_COMPARED = {Tag.TRANSFER_SYNTAX, Tag.PIXEL_DATA, Tag.MODALITY_TABLE, Tag.VOI_TABLE}
"""pydicom has no bytes of them."""

VALUES = np.arange(24, dtype=np.uint16).reshape(4, 6)


def found_in(data: bytes) -> RawHeader | None:
    try:
        return read_header(data, frozenset(Tag))
    except UnreadableHeaderError:
        return None


def read_by_pydicom(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, stop_before_pixels=True, force=True)


def test_every_element_is_what_pydicom_reads_in_every_bundled_file() -> None:
    compared = 0
    for path in BUNDLED:
        header = found_in(path.read_bytes())
        if header is None:
            continue
        dataset = read_by_pydicom(path)
        assert header.syntax == dataset.file_meta.get("TransferSyntaxUID", header.syntax)
        for tag in set(Tag) - NOT_COMPARED:
            assert (tag in header.values) == (tag in dataset), (path.name, tag)
            if tag in dataset:
                assert header.values[tag] == (dataset.get_item(tag).value or b""), (path.name, tag)
                compared += 1
    assert compared > 1000


def test_most_little_endian_files_need_no_pydicom() -> None:
    assert sum(found_in(path.read_bytes()) is not None for path in BUNDLED) > 0.6 * len(BUNDLED)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_the_pixels_are_found(syntax: str) -> None:
    data = dicom_bytes(VALUES, syntax)

    header = read_header(data, {Tag.ROWS, Tag.PATIENT})

    assert header.values == {Tag.ROWS: b"\x04\x00", Tag.PATIENT: b"ID_patient"}
    assert header.pixel_bytes == VALUES.nbytes
    assert data[header.pixels_at :] == VALUES.tobytes()


def test_compressed_pixels_have_no_length() -> None:
    assert read_header(dicom_bytes(VALUES, RLELossless), ()).pixel_bytes == UNDEFINED


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("is_undefined", [False, True])
def test_sequences_in_sequences_are_stepped_over(syntax: str, is_undefined: bool) -> None:
    """What is inside, such as the pixels of an icon, is not the file's own."""
    icon = Dataset()
    icon.Rows, icon.PixelData = 99, b"\0\0"
    icon["PixelData"].VR = "OW"
    outer = Dataset()
    outer.IconImageSequence = Sequence([icon, icon])
    icon.is_undefined_length_sequence_item = is_undefined
    outer["IconImageSequence"].is_undefined_length = is_undefined
    sequence = Sequence([outer])
    outer.is_undefined_length_sequence_item = is_undefined
    data = dicom_bytes(VALUES, syntax, ReferencedImageSequence=sequence)
    assert data.count(b"\xfe\xff\xdd\xe0") == is_undefined

    header = read_header(data, {Tag.ROWS})

    assert header.values[Tag.ROWS] == b"\x04\x00"
    assert data[header.pixels_at :] == VALUES.tobytes()


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_what_is_not_little_endian_is_left_to_pydicom(syntax: str) -> None:
    with pytest.raises(UnreadableHeaderError, match=syntax.replace(".", r"\.")):
        read_header(dicom_bytes(VALUES, syntax), ())


def test_reading_stops_at_the_last_element_that_is_asked_for() -> None:
    data = dicom_bytes(VALUES)
    head = data[: data.index(b"\x28\x00\x00\x01") + 12]  # up to BitsAllocated

    assert read_header(head, {Tag.ROWS}, last=Tag.COLUMNS).values == {Tag.ROWS: b"\x04\x00"}
    with pytest.raises(UnreadableHeaderError, match="cut off"):
        read_header(head, {Tag.ROWS})


def test_no_cut_within_an_element_is_taken_for_a_whole_header() -> None:
    """A cut between two elements looks like a file without pixels."""
    whole = dicom_bytes(VALUES)
    header = read_header(whole, frozenset(Tag))
    found = [found_in(whole[:length]) for length in range(header.pixels_at)]
    known = [cut for cut in found if cut is not None]
    assert 20 < len(known) < 50  # as many as there are elements
    assert not any(cut.pixels_at for cut in known)
    assert found_in(whole[: header.pixels_at]) == header


def test_a_file_without_pixels_has_a_header_all_the_same() -> None:
    data = dicom_bytes(VALUES)
    end = read_header(data, ()).pixels_at - 12
    assert read_header(data[:end], {Tag.ROWS}) == RawHeader(ExplicitVRLittleEndian, {Tag.ROWS: b"\x04\x00"})


@pytest.mark.parametrize("data", [b"", b"DICM", b"\0" * 128 + b"DICM", b"\x89PNG" + b"\0" * 300])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableHeaderError):
        read_header(data, ())
