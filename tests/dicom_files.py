"""DICOM files of every kind, written by pydicom."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import data_store
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

Array = npt.NDArray[Any]

PREFIX = "1.2.826.0.1.3680043.8.498."
"""pydicom's own root for UIDs."""

BUNDLED = [
    *sorted(Path(pydicom.__file__).parent.glob("data/test_files/*.dcm")),
    *sorted(Path(next(iter(data_store.__path__)), "data").glob("*.dcm")),
]
"""The files of pydicom and pydicom-data: more than a hundred, of many makers, and faulty ones, too."""


def dicom_bytes(stored: Array, syntax: str = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    """A file of the values `stored`, shape (rows, columns[, 3]), 8 or 16 bits, as a CT of 12 bits.

    Parameters
    ----------
    stored : ndarray
        Signed or not.
    syntax : str
        UID of the transfer syntax: uncompressed, RLE or JPEG 2000.
    **elements
        By keyword, in place of the usual ones; None leaves an element out.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if is_big(syntax) else ExplicitVRLittleEndian
    for keyword, value in (_usual(stored) | elements).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.SOPClassUID = CTImageStorage
    dataset.PixelData = stored.astype(stored.dtype.newbyteorder(">" if is_big(syntax) else "<")).tobytes()
    dataset["PixelData"].VR = "OB" if stored.itemsize == 1 else "OW"
    _compress(dataset, syntax)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def is_big(syntax: str) -> bool:
    """Whether the high byte comes first."""
    return syntax == ExplicitVRBigEndian


def _usual(stored: Array) -> dict[str, Any]:
    bits = 8 * stored.itemsize
    return {
        "SOPInstanceUID": generate_uid(PREFIX),
        "PatientID": "ID_patient",
        "StudyInstanceUID": PREFIX + "1",
        "SeriesInstanceUID": PREFIX + "2",
        "InstanceNumber": 1,
        "ImagePositionPatient": [-125.0, -125.0, 10.0],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "Modality": "CT",
        "SamplesPerPixel": 1 if stored.ndim == 2 else 3,
        "PlanarConfiguration": None if stored.ndim == 2 else 0,
        "PhotometricInterpretation": "MONOCHROME2" if stored.ndim == 2 else "RGB",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "BitsAllocated": bits,
        "BitsStored": min(bits, 12),
        "HighBit": min(bits, 12) - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "WindowCenter": 40,
        "WindowWidth": 80,
        "RescaleIntercept": -1024,
        "RescaleSlope": 1,
    }


def _compress(dataset: Dataset, syntax: str) -> None:
    if syntax in {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"}:
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax not in {ExplicitVRLittleEndian, ExplicitVRBigEndian}:
        dataset.compress(syntax, generate_instance_uid=False)


UNSIGNED: Array = np.random.default_rng(0).integers(0, 4096, (64, 96)).astype(np.uint16)
SIGNED: Array = (UNSIGNED.astype(np.int32) - 2048).astype(np.int16)
"""What files may store: 12 bits."""

UNITS: Array = UNSIGNED.astype(np.int32) - 1024
"""What `UNSIGNED` stands for, unless a file says otherwise."""
