"""What an index keeps of a DICOM file: whose it is, and where its slice lies.

Source: DICOM PS3.3, C.7.6.2.1.1 (position and orientation of a slice).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, MutableSequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from feedline.common.formats.dicom import (
    CutHeaderError,
    Tag,
    UnreadableHeaderError,
    is_dicom,
    read_header,
    with_preamble,
)
from feedline.common.regular import open_regular

HEAD_BYTES = 1 << 14
"""Headers are rarely longer; of those that are, the whole file is read."""

_TAGS = (
    Tag.SOP_INSTANCE,
    Tag.PATIENT,
    Tag.STUDY,
    Tag.SERIES,
    Tag.FRAME_OF_REFERENCE,
    Tag.INSTANCE_NUMBER,
    Tag.POSITION,
    Tag.ORIENTATION,
    Tag.ROWS,
    Tag.COLUMNS,
)
_WANTED = frozenset(_TAGS)


@dataclass(frozen=True, slots=True)
class DicomFacts:
    """One file.

    Attributes
    ----------
    sop, patient, study, series : str
        SOPInstanceUID, PatientID, StudyInstanceUID and SeriesInstanceUID; empty where there is none.
    instance : int or None
        InstanceNumber.
    position : float or None
        Millimetres along the normal of the slice: ImagePositionPatient, in the direction of the cross product
        of the rows' and columns' directions in ImageOrientationPatient.
    orientation : str
        ImageOrientationPatient: six numbers, divided by backslashes; empty where there is none.
    frame : str
        FrameOfReferenceUID: what positions are measured in; empty where there is none.
    rows, columns : int or None
        Pixels.
    reason : str
        Why nothing is known of the file; empty if it was read.
    """

    sop: str = ""
    patient: str = ""
    study: str = ""
    series: str = ""
    instance: int | None = None
    position: float | None = None
    orientation: str = ""
    frame: str = ""
    rows: int | None = None
    columns: int | None = None
    reason: str = ""


def read_facts(path: str) -> DicomFacts:
    """Read the header of a file; what is wrong with it becomes its `reason`."""
    try:
        return _facts(_values(path))
    except (OSError, ValueError) as error:
        return DicomFacts(reason=getattr(error, "strerror", None) or str(error))


def slice_position(position: str, orientation: str) -> float | None:
    """See `DicomFacts.position`; None where one of the two is missing."""
    if not position or not orientation:
        return None
    # Three numbers each: NumPy would take ten times as long.
    a, b, c, d, e, f = _numbers("ImageOrientationPatient", orientation, 6)
    x, y, z = _numbers("ImagePositionPatient", position, 3)
    return x * (b * f - c * e) + y * (c * d - a * f) + z * (a * e - b * d)


def _facts(values: Mapping[Tag, str]) -> DicomFacts:
    return DicomFacts(
        values[Tag.SOP_INSTANCE],
        values[Tag.PATIENT],
        values[Tag.STUDY],
        values[Tag.SERIES],
        _whole("InstanceNumber", values[Tag.INSTANCE_NUMBER]),
        slice_position(values[Tag.POSITION], values[Tag.ORIENTATION]),
        values[Tag.ORIENTATION],
        values[Tag.FRAME_OF_REFERENCE],
        _whole("Rows", values[Tag.ROWS]),
        _whole("Columns", values[Tag.COLUMNS]),
    )


def _whole(name: str, text: str) -> int | None:
    """A whole number, which some write as 1.0 or 1e1."""
    if not text:
        return None
    (value,) = _numbers(name, text, 1)
    if not value.is_integer():
        raise ValueError(f"has {name}={text!r}, which is not a whole number")
    return int(value)


def _numbers(name: str, text: str, count: int) -> list[float]:
    """So many finite numbers, divided by backslashes."""
    try:
        values = [float(part) for part in text.split("\\")]
    except ValueError:
        values = []
    if len(values) != count or not all(map(math.isfinite, values)):
        expected = "a number" if count == 1 else f"{count} numbers"
        raise ValueError(f"has {name}={text!r}: expected {expected}")
    return values


def _values(path: str) -> dict[Tag, str]:
    """The values of a file as text; several are divided by backslashes."""
    with open(open_regular(path), "rb") as file:  # noqa: PTH123 - Path takes as long as the reading
        head = file.read(HEAD_BYTES)
        if not is_dicom(head):
            raise ValueError("is not a DICOM file: no DICM mark at byte 128, and no element at the start")
        with suppress(UnreadableHeaderError, UnicodeDecodeError):
            values = _read(head)
            if values[Tag.COLUMNS]:  # the last of all: the header did not end beyond the head
                return values
        data = head + file.read()
    try:
        return _read(data)
    except CutHeaderError as error:
        raise ValueError(str(error)) from error
    except (UnreadableHeaderError, UnicodeDecodeError):
        return _read_by_pydicom(data)


def _read(data: bytes) -> dict[Tag, str]:
    values = read_header(data, _WANTED, last=Tag.COLUMNS).values
    return {tag: _text(tag, values.get(tag, b"")) for tag in _TAGS}


def _text(tag: Tag, raw: bytes) -> str:
    if tag in {Tag.ROWS, Tag.COLUMNS}:
        return str(int.from_bytes(raw, "little")) if raw else ""
    # Other alphabets are left to pydicom, which knows them.
    return raw.decode("ascii").strip(" \0")


def _read_by_pydicom(data: bytes) -> dict[Tag, str]:
    try:
        pydicom = importlib.import_module("pydicom")
    except ImportError:
        raise ValueError("takes pydicom, which is not installed: pip install 'feedline[dicom]'") from None
    try:
        file = BytesIO(with_preamble(data))
        dataset = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=list(_TAGS))
        return {tag: _joined(dataset[tag].value) if tag in dataset else "" for tag in _TAGS}
    except Exception as error:
        # pydicom raises whatever comes to pass in a damaged file.
        raise ValueError(f"cannot be read by pydicom ({type(error).__name__}: {error})") from error


def _joined(value: Any) -> str:
    if value is None:
        return ""
    return "\\".join(map(str, value)) if isinstance(value, MutableSequence) else str(value)
