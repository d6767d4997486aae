"""Draw the picture of docs/dicom.md: ``python -m docs.make_ct_pictures`` in the repository's root.

A slice of a head from pydicom-data, seen through each named window, and through three of them as colours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.data import get_testdata_file

from common.ct import NAMED_WINDOWS, CTWindows
from common.image import ImageSpec
from producer.decode import load

Pixels = npt.NDArray[Any]

SIDE = 176
GAP = 6
LINE = 20
PICTURES = Path(__file__).parent / "pictures" / "dicom"
HEAD = "693_UNCR.dcm"
TOP, LEFT, CUT = 75, 85, 370
"""Where the head lies in its slice of 512 x 512."""


def head(*windows: str) -> Pixels:
    """Decode the slice through some windows, shape (SIDE, SIDE, windows), uint8."""
    path = str(get_testdata_file(HEAD, download=False))
    image = load(Path(path).read_bytes(), path, ImageSpec(512, 512, CTWindows(windows)))
    part = np.ascontiguousarray(image[TOP : TOP + CUT, LEFT : LEFT + CUT])
    return cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(SIDE, SIDE, -1)


def titled(image: Pixels, title: str) -> Pixels:
    """Put a title above an image of one or three channels, RGB."""
    panel = np.full((SIDE + LINE, SIDE, 3), 255, np.uint8)
    cv2.putText(panel, title, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    panel[LINE:] = image
    return panel


def main() -> None:
    """Write the picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    panels = [
        titled(head(name), f"{name} ({level:g}, {width:g})") for name, (level, width) in NAMED_WINDOWS.items()
    ]
    panels.append(titled(head("brain", "subdural", "soft"), "the first three as RGB"))
    gap = np.full((SIDE + LINE, GAP, 3), 255, np.uint8)
    picture = np.hstack([part for panel in panels for part in (panel, gap)][:-1])
    cv2.imwrite(
        str(PICTURES / "windows.png"),
        np.bitwise_or(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), 7),
        [cv2.IMWRITE_PNG_COMPRESSION, 9],
    )


if __name__ == "__main__":
    main()
