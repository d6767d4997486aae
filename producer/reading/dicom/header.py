"""What the header of a DICOM file says of its pixels, checked.

Source: DICOM PS3.3, C.7.6.3 (pixels), C.7.5.1.1.2 (padding), C.11.1 (rescaling), C.11.2 (windows).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from feedline.common.formats.dicom import Tag
from feedline.common.formats.images import too_large

PIXEL_TAGS = frozenset(
    (
        Tag.SAMPLES,
        Tag.PHOTOMETRIC,
        Tag.FRAMES,
        Tag.ROWS,
        Tag.COLUMNS,
        Tag.BITS_ALLOCATED,
        Tag.BITS_STORED,
        Tag.HIGH_BIT,
        Tag.IS_SIGNED,
        Tag.PADDING,
        Tag.PADDING_LIMIT,
        Tag.WINDOW_CENTER,
        Tag.WINDOW_WIDTH,
        Tag.INTERCEPT,
        Tag.SLOPE,
        Tag.VOI_FUNCTION,
    )
)
"""All that `PixelHeader` is made of."""

TABLE_TAGS = frozenset((Tag.MODALITY_TABLE, Tag.VOI_TABLE))
"""Sequences that hold look-up tables, in place of a rescaling or a window."""

GREY = frozenset(("MONOCHROME1", "MONOCHROME2"))
COLOUR = frozenset(("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"))


MAX_HEADERS = 256
"""Remembered: the slices of a series say the same of their pixels."""


class DicomError(ValueError):
    """A DICOM file cannot be used; the text is a clause that can follow its name and a colon."""


class Table(NamedTuple):
    """A look-up table of a file (PS3.3, C.11.1.1 and C.11.2.1.1).

    Attributes
    ----------
    first : int
        The value that the first entry is for; those below are taken for it, those above the last for that.
    bits : int
        Of an entry, 8 to 16.
    entries : bytes
        Numbers of 16 bits, little endian.
    kind : str
        What the entries are: "HU" for Hounsfield units; empty if it is not said.
    """

    first: int
    bits: int
    entries: bytes
    kind: str = ""


class Words(NamedTuple):
    """How values are stored: all that Hounsfield units depend on.

    Attributes
    ----------
    bits_allocated : int
        8 or 16: bits of a word.
    bits_stored : int
        The lowest so many bits of a word are the value.
    is_signed : bool
        In two's complement.
    slope, intercept : float or None
        ``slope * value + intercept`` is in Hounsfield units, in a CT.
    padding : (int, int) or None
        Values from the first to the last mean that there is no picture.
    table : Table or None
        In place of slope and intercept.
    """

    bits_allocated: int
    bits_stored: int
    is_signed: bool
    slope: float | None
    intercept: float | None
    padding: tuple[int, int] | None
    table: Table | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest value there can be."""
        return value_limits(self.bits_stored, is_signed=self.is_signed)


def value_limits(bits: int, *, is_signed: bool) -> tuple[int, int]:
    """The lowest and the highest value of so many bits."""
    lowest = -(1 << bits - 1) if is_signed else 0
    return lowest, lowest + (1 << bits) - 1


class Display(NamedTuple):
    """How the file wants to be seen.

    Attributes
    ----------
    window : (float, float) or None
        Center and width of its first window, after rescaling.
    function : str
        ``"LINEAR"``, ``"LINEAR_EXACT"`` or ``"SIGMOID"``.
    is_inverted : bool
        The lowest value is white (MONOCHROME1).
    table : Table or None
        What is seen where there is no window.
    """

    window: tuple[float, float] | None
    function: str
    is_inverted: bool
    table: Table | None = None


class PixelHeader(NamedTuple):
    """The pixels of a file: one picture of shape (rows, columns), with 1 or 3 samples each."""

    rows: int
    columns: int
    samples: int
    photometric: str
    words: Words
    display: Display

    @property
    def is_grey(self) -> bool:
        """Whether there is one value a pixel."""
        return self.photometric in GREY


class _Values:
    """The values of a header as Python has them; of several the first."""

    def __init__(self, values: Mapping[int, bytes]) -> None:
        self._values = values

    def text(self, tag: Tag) -> str:
        """The first, without what fills it up; empty if there is none."""
        return self._values.get(tag, b"").partition(b"\\")[0].strip(b" \0").decode("ascii", "replace")

    def binary(self, tag: Tag, default: int | None = None) -> int:
        raw = self._values.get(tag)
        if raw:
            return int.from_bytes(raw[:2], "little")
        if default is None:
            raise DicomError(f"has no {_name(tag)}")
        return default

    def decimal(self, tag: Tag) -> float | None:
        text = self.text(tag)
        try:
            value = float(text) if text else None
        except ValueError:
            value = math.nan
        if value is not None and not math.isfinite(value):
            raise DicomError(f"has {_name(tag)}={text!r}, which is not a number")
        return value


def pixel_header(values: Mapping[int, bytes]) -> PixelHeader:
    """Make sense of the elements of `PIXEL_TAGS`.

    Raises
    ------
    DicomError
        One is missing, or is of a kind that cannot be used.
    """
    return _pixel_header(tuple(values.items()))


@lru_cache(MAX_HEADERS)
def _pixel_header(values: tuple[tuple[int, bytes], ...]) -> PixelHeader:
    found = _Values(dict(values))
    photometric = found.text(Tag.PHOTOMETRIC)
    if not photometric:
        raise DicomError("holds no pixels")
    if photometric not in GREY | COLOUR:
        raise DicomError(f"has pixels of kind {photometric!r}; {sorted(GREY | COLOUR)} can be used")
    frames = found.decimal(Tag.FRAMES) or 1  # some write 0 for one, which pydicom takes for it, too
    if frames != 1:
        raise DicomError(f"holds {frames:g} pictures: a sample is one")
    samples = found.binary(Tag.SAMPLES, 1)
    if (samples == 1) != (photometric in GREY):
        raise DicomError(f"has SamplesPerPixel={samples}, which does not go with {photometric}")
    size = _side(found, Tag.ROWS), _side(found, Tag.COLUMNS)
    refusal = too_large(size)
    if refusal is not None:
        raise DicomError(refusal)
    return PixelHeader(
        *size,
        samples,
        photometric,
        _words(found),
        _display(found, photometric),
    )


def _side(found: _Values, tag: Tag) -> int:
    side = found.binary(tag)
    if not side:
        raise DicomError(f"has {_name(tag)}=0")
    return side


def _words(found: _Values) -> Words:
    allocated = found.binary(Tag.BITS_ALLOCATED)
    stored = found.binary(Tag.BITS_STORED, allocated)
    high = found.binary(Tag.HIGH_BIT, stored - 1)
    if allocated not in {8, 16} or not 1 <= stored <= allocated or high != stored - 1:
        raise DicomError(
            f"has BitsAllocated={allocated}, BitsStored={stored}, HighBit={high}: expected words of 8 or 16"
            " bits with the value in the lowest"
        )
    is_signed = found.binary(Tag.IS_SIGNED, 0) == 1
    slope, intercept = found.decimal(Tag.SLOPE), found.decimal(Tag.INTERCEPT)
    if slope == 0:
        raise DicomError("has RescaleSlope=0, which makes all values one")
    return Words(allocated, stored, is_signed, slope, intercept, _padding(found, stored, is_signed))


def _padding(found: _Values, bits: int, is_signed: bool) -> tuple[int, int] | None:
    words = found.binary(Tag.PADDING, -1), found.binary(Tag.PADDING_LIMIT, -1)
    values = [word - (word >> 15 << 16) if is_signed else word for word in words if word >= 0]
    lowest, highest = value_limits(bits, is_signed=is_signed)
    if words[0] < 0 or not all(lowest <= value <= highest for value in values):
        return None  # none, or one that no pixel can have
    return min(values), max(values)


def _display(found: _Values, photometric: str) -> Display:
    center, width = found.decimal(Tag.WINDOW_CENTER), found.decimal(Tag.WINDOW_WIDTH)
    window = None if center is None or width is None else (center, width)
    function = found.text(Tag.VOI_FUNCTION) or "LINEAR"
    return Display(window, function, photometric == "MONOCHROME1")


def _name(tag: Tag) -> str:
    return _KEYWORDS.get(tag, tag.name)


_KEYWORDS = {
    Tag.ROWS: "Rows",
    Tag.COLUMNS: "Columns",
    Tag.FRAMES: "NumberOfFrames",
    Tag.BITS_ALLOCATED: "BitsAllocated",
    Tag.WINDOW_CENTER: "WindowCenter",
    Tag.WINDOW_WIDTH: "WindowWidth",
    Tag.INTERCEPT: "RescaleIntercept",
    Tag.SLOPE: "RescaleSlope",
}
"""What the standard calls those that an error may name."""
