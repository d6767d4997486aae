"""Draw the picture of docs/dicom.md: ``python -m docs.figures.make_ct_pictures`` in the repository's root.

A drawn slice of a head, seen through each named window, and through three of them as colours.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from feedline.common.sample.ct import NAMED_WINDOWS, CTWindows
from feedline.common.sample.image import ImageSpec
from feedline.producer.reading.decoders import load

Pixels = npt.NDArray[Any]

SIDE = 176
GAP = 6
LINE = 20
PICTURES = Path(__file__).parents[1] / "pictures" / "dicom"
ROWS = 352
ELLIPSES = [
    # Hounsfield units, centre (x, y), half axes, degrees
    (40, (176, 176), (128, 164), 0),  # skin
    (1100, (176, 176), (121, 157), 0),  # skull
    (10, (176, 176), (108, 144), 0),  # cerebrospinal fluid
    (38, (176, 176), (105, 141), 0),  # grey matter
    (29, (176, 176), (84, 118), 0),  # white matter
    (6, (152, 160), (12, 44), 12),  # ventricles
    (6, (200, 160), (12, 44), -12),
    (37, (140, 220), (17, 24), 20),  # basal ganglia
    (37, (212, 220), (17, 24), -20),
    (68, (232, 128), (19, 27), 35),  # a haemorrhage
    (62, (76, 196), (7, 62), -8),  # another, under the skull
]


def phantom() -> Pixels:
    """Draw a slice in Hounsfield units, shape (ROWS, ROWS), int16."""
    slice_ = np.full((ROWS, ROWS), -1000, np.float32)
    for units, centre, axes, degrees in ELLIPSES:
        cv2.ellipse(slice_, centre, axes, degrees, 0, 360, units, cv2.FILLED)
    noise = np.random.default_rng(0).normal(0, 5, slice_.shape).astype(np.float32)
    return (cv2.GaussianBlur(slice_, (0, 0), 1.2) + cv2.GaussianBlur(noise, (0, 0), 0.7)).astype(np.int16)


def dicom_file() -> bytes:
    """Make the slice a file such as a scanner writes."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, "1.2.3"
    data.Rows = data.Columns = ROWS
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = (phantom() + 1024).tobytes()
    file = BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def head(file: bytes, *windows: str) -> Pixels:
    """Decode the slice through some windows, shape (SIDE, SIDE, windows), uint8."""
    image = load(file, "phantom.dcm", ImageSpec(ROWS, ROWS, CTWindows(windows)))
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(SIDE, SIDE, -1)


def titled(image: Pixels, title: str) -> Pixels:
    """Put a title above an image of one or three channels, RGB."""
    panel = np.full((SIDE + LINE, SIDE, 3), 255, np.uint8)
    cv2.putText(panel, title, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    panel[LINE:] = image
    return panel


def main() -> None:
    """Write the picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = dicom_file()
    panels = [
        titled(head(file, name), f"{name} ({level:g}, {width:g})")
        for name, (level, width) in NAMED_WINDOWS.items()
    ]
    panels.append(titled(head(file, "brain", "subdural", "soft"), "the first three as RGB"))
    gap = np.full((SIDE + LINE, GAP, 3), 255, np.uint8)
    picture = np.hstack([part for panel in panels for part in (panel, gap)][:-1])
    cv2.imwrite(
        str(PICTURES / "windows.png"),
        np.bitwise_or(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), 7),
        [cv2.IMWRITE_PNG_COMPRESSION, 9],
    )


if __name__ == "__main__":
    main()
