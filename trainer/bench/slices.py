"""DICOM slices for the bench: how they are made, and the bare work of windowing one.

The bare work knows where the pixels lie and what they stand for, and reads no header.
"""

from __future__ import annotations

import importlib
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError
from feedline.common.sample.ct import AIR, CTWindows

Pixels = npt.NDArray[Any]

WINDOWS = CTWindows(["brain", "subdural", "soft"])
INTERCEPT = -1024
_UID = "1.2.826.0.1.3680043.8.498.1.{}"


def slice_bytes(grey: npt.NDArray[np.uint8], number: int) -> bytes:
    """A CT slice as a DICOM file with the elements that the haemorrhage competition's files have.

    Parameters
    ----------
    grey : ndarray
        Shape (height, width): 0 becomes air, 1..255 tissue of -20 to 107 Hounsfield units.
    number : int
        Of the slice.

    Raises
    ------
    ConfigurationError
        pydicom is not installed.
    """
    try:
        dataset: Any = importlib.import_module("pydicom.dataset").Dataset()
    except ImportError:
        raise ConfigurationError("making DICOM files takes pydicom: pip install 'feedline[dicom]'") from None
    units = np.where(grey == 0, AIR, -20 + grey.astype(np.int16) // 2)
    dataset.file_meta = importlib.import_module("pydicom.dataset").FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    for keyword, value in _elements(grey.shape, number).items():
        setattr(dataset, keyword, value)
    dataset.PixelData = (units - INTERCEPT).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _elements(shape: tuple[int, ...], number: int) -> dict[str, Any]:
    return {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "SOPInstanceUID": _UID.format(f"3.{number}"),
        "Modality": "CT",
        "PatientID": f"ID_{number // 30:08x}",
        "StudyInstanceUID": _UID.format(f"1.{number // 30}"),
        "SeriesInstanceUID": _UID.format(f"2.{number // 30}"),
        "StudyID": "",
        "ImagePositionPatient": [-125.0, -125.0, 5.0 * (number % 30)],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": shape[0],
        "Columns": shape[1],
        "PixelSpacing": [0.488281, 0.488281],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "WindowCenter": [40, 40],
        "WindowWidth": [80, 80],
        "RescaleIntercept": INTERCEPT,
        "RescaleSlope": 1,
    }


class BareWindows:
    """Windows of one slice after another, into the same memory: a look-up for each, by OpenCV.

    Parameters
    ----------
    height, width : int
        Of a slice.
    """

    def __init__(self, height: int, width: int) -> None:
        self._shape = height, width
        self._tables = [_table(*window) for window in WINDOWS.windows]
        self._channels = [np.empty((height, width), np.uint8) for _ in self._tables]
        self._pixels = np.empty((height, width, len(self._tables)), np.uint8)

    def __call__(self, data: bytes) -> Pixels:
        """The windows of a file, shape (height, width, 3); overwritten by the next call."""
        start = len(data) - 2 * self._shape[0] * self._shape[1]
        words = np.frombuffer(data, np.uint16, offset=start).reshape(self._shape)
        for table, channel in zip(self._tables, self._channels, strict=True):
            cv2.LUT(words, table, dst=channel)
        return cv2.merge(self._channels, dst=self._pixels)


def _table(level: float, width: float) -> Pixels:
    """One window of every word, shape (65536,)."""
    units = np.arange(1 << 16, dtype=np.float64) + INTERCEPT
    return np.rint(np.clip(255 * (units - level + width / 2) / width, 0, 255)).astype(np.uint8)
