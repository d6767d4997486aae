"""The header of PBM, PGM and PPM files (Netpbm's own description of them)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from feedline.common.formats.data import Data

_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_HEADER = re.compile(rb"P([1-6])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)(?:" + _GAP + rb"(\d+))?")
_BLACK_AND_WHITE = frozenset({1, 4})


@dataclass(frozen=True, slots=True)
class Pnm:
    """What stands in front of the pixels.

    Attributes
    ----------
    kind : int
        1 to 6, the digit in the file's first two bytes: from 4 on pixels are no text.
    size : (int, int)
        (height, width) in pixels.
    most : int
        The value of white.
    """

    kind: int
    size: tuple[int, int]
    most: int


def read_pnm(data: Data) -> Pnm | None:
    """Read the header; None if it is not whole."""
    found = _HEADER.match(data[:4096])
    if found is None:
        return None
    kind, width, height, most = (int(part) if part else 0 for part in found.groups())
    if kind in _BLACK_AND_WHITE:
        most = 1
    return Pnm(kind, (height, width), most) if most else None
