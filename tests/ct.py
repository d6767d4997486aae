"""Hounsfield units and windows of a DICOM file, and the formula of a window, for several tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.sample.ct import CTWindows
from feedline.common.sample.dicom import DicomReading
from feedline.producer.reading.decoders import decode

Array = npt.NDArray[Any]

HEAD = CTWindows([(40, 80), (80, 200), (40, 380)])


def units_of(data: bytes, **reading: Any) -> Array:
    """Hounsfield units, shape (rows, columns), int16."""
    return decode(data, "slice.dcm", "hounsfield", "int16", dicom=DicomReading(**reading))[:, :, 0]


def windowed(units: Array, windows: CTWindows) -> Array:
    """The documented formula, value by value."""
    out = np.empty((*units.shape, len(windows.windows)), np.uint8)
    for place, value in np.ndenumerate(units):
        for channel, (level, width) in enumerate(windows.windows):
            shade = 255 * (value - (level - width / 2)) / width
            out[(*place, channel)] = round(min(max(shade, 0), 255))
    return out
