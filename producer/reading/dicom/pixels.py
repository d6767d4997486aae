"""DICOM files -> pixels: windows or Hounsfield units of a CT, or the picture as the file wants to be seen.

What lies uncompressed in a little endian file is taken from it without pydicom, which is imported when the
first file comes that needs it.
"""

from __future__ import annotations

import logging
from functools import cache

import cv2
import numpy as np

from feedline.common.formats.dicom import (
    NATIVE,
    UNDEFINED,
    RawHeader,
    Tag,
    UnreadableHeaderError,
    read_header,
)
from feedline.common.sample.ct import CTWindows
from feedline.common.sample.dicom import AS_STORED, DicomReading, Repair, Seen
from feedline.common.sample.image import ColorMode
from feedline.producer.arrays import Pixels
from feedline.producer.reading.dicom import with_pydicom
from feedline.producer.reading.dicom.header import (
    PIXEL_TAGS,
    TABLE_TAGS,
    DicomError,
    Display,
    PixelHeader,
    pixel_header,
)
from feedline.producer.reading.dicom.tables import (
    ct_table,
    ends_of_values,
    grey_table,
    look_up,
    may_be_wrapped,
)

logger = logging.getLogger(__name__)

_FROM_GREY = {ColorMode.RGB: cv2.COLOR_GRAY2RGB, ColorMode.RGBA: cv2.COLOR_GRAY2RGBA}
_FROM_RGB = {ColorMode.GRAYSCALE: cv2.COLOR_RGB2GRAY, ColorMode.RGBA: cv2.COLOR_RGB2RGBA}


_GRID = 8
"""Wrapped values are looked for in one row and column of so many."""

_WRAPPED_AIR = 4096 - 1000


def decode_dicom(
    data: bytes, color_mode: str | CTWindows, dtype: str, _: int = 1, reading: DicomReading = AS_STORED
) -> Pixels:
    """Decode a DICOM file of one picture.

    Parameters
    ----------
    data : bytes
        Of the file.
    color_mode : CTWindows or str
        Windows, "hounsfield", or the colours of a picture.
    dtype : str
        "int16" for "hounsfield", else "uint8", or "uint16" of a grey picture.
    reading : DicomReading
        What is known beside the header.

    Returns
    -------
    ndarray
        Shape (rows, columns, channels), of `dtype`.

    Raises
    ------
    DicomError
        It is cut off or of a kind that cannot be used; or something is missing on this producer.
    """
    header, pixels = _read(data)
    if isinstance(color_mode, CTWindows) or color_mode == ColorMode.HOUNSFIELD:
        return _decode_ct(header, pixels, color_mode, reading.repair)
    if header.is_grey:
        display = _display(header, pixels, reading.window)
        grey = look_up(pixels, grey_table(header.words, display, dtype), 1)
        return _converted(grey, _FROM_GREY.get(ColorMode(color_mode)))
    if pixels.dtype != np.uint8:
        raise DicomError("has colours of more than 8 bits, which cannot be used")
    return _converted(pixels, _FROM_RGB.get(ColorMode(color_mode)))


def _display(header: PixelHeader, words: Pixels, window: str) -> Display:
    """How a grey file is to be seen."""
    if window != Seen.FILE:
        ends = ends_of_values(words, header.words, _SHARES[Seen(window)])
        return header.display._replace(window=ends, function="LINEAR_EXACT")
    is_known = header.display.window or header.display.table or header.words.table
    if not is_known and header.words.bits_stored > _BITS_OF_A_PICTURE:
        _warn_of_no_window(header.words.bits_stored)
    return header.display


_SHARES = {Seen.MINMAX: (0.0, 1.0), Seen.PERCENTILES: (0.01, 0.99)}

_BITS_OF_A_PICTURE = 8


@cache
def _warn_of_no_window(bits: int) -> None:
    """Once in a process for each number of bits."""
    logger.warning(
        f"a DICOM file of {bits} bits has no window, so all that they could hold is shown, which leaves few"
        " shades to what is there: dataset.with_dicom_reading(window='minmax'), or 'percentiles', goes by"
        " its values"
    )


def _decode_ct(header: PixelHeader, words: Pixels, color_mode: str | CTWindows, repair: str) -> Pixels:
    if not header.is_grey:
        raise DicomError(f"holds a picture of kind {header.photometric}: a CT has one value a pixel")
    channels = len(color_mode.windows) if isinstance(color_mode, CTWindows) else 1
    if repair == Repair.NONE and may_be_wrapped(header.words) and _look_wrapped(words):
        _warn_of_wrapped_values()
    return look_up(words, ct_table(header.words, color_mode, repair), channels)


def _look_wrapped(words: Pixels) -> bool:
    """Whether more than a tenth of the pixels is either metal or wrapped air."""
    some = words[::_GRID, ::_GRID] & 0x0FFF
    return int(np.count_nonzero(some >= _WRAPPED_AIR)) > some.size / 10


@cache
def _warn_of_wrapped_values() -> None:
    """Once in a process."""
    logger.warning(
        "a CT has values that look as if those below 0 were wrapped, as in some files of the RSNA haemorrhage"
        " competition: if it is of them, dataset.with_dicom_reading(repair='rsna') puts it right"
    )


def _read(data: bytes) -> tuple[PixelHeader, Pixels]:
    """The header, and the words of a grey picture, (rows, columns), or the RGB of others."""
    try:
        raw = read_header(data, PIXEL_TAGS | TABLE_TAGS)
    except UnreadableHeaderError as error:
        return with_pydicom.read(data, str(error))
    values = {tag: value for tag, value in raw.values.items() if tag in PIXEL_TAGS}
    header = pixel_header(values)
    if raw.syntax in NATIVE:
        _check_native(raw)
        if header.is_grey and not _needs_table(raw, header):
            return header, _native_words(data, raw, header)
    return with_pydicom.read(data, "has a look-up table" if _needs_table(raw, header) else "")


def _check_native(raw: RawHeader) -> None:
    if not raw.pixels_at:
        raise DicomError("has no PixelData, or is cut off in front of it")
    if raw.pixel_bytes == UNDEFINED:
        raise DicomError(
            f"says that its pixels are not compressed (TransferSyntaxUID {raw.syntax}), and has them in"
            " pieces, as if they were: one of the two is wrong"
        )


def _needs_table(raw: RawHeader, header: PixelHeader) -> bool:
    """Whether its values cannot be understood, or seen, without a table of its own."""
    has_window = header.display.window is not None
    return bool(raw.values.get(Tag.MODALITY_TABLE) or (raw.values.get(Tag.VOI_TABLE) and not has_window))


def _native_words(data: bytes, raw: RawHeader, header: PixelHeader) -> Pixels:
    kind = np.uint8 if header.words.bits_allocated == 8 else np.dtype("<u2")
    count = header.rows * header.columns
    wanted = count * np.dtype(kind).itemsize
    found = min(raw.pixel_bytes, len(data) - raw.pixels_at)
    if found < wanted:
        raise DicomError(f"is cut off: {found:,} of {wanted:,} bytes of pixels are there")
    if found >= 2 * wanted:
        raise DicomError(f"has {found:,} bytes of pixels where its header speaks of {wanted:,}")
    return np.frombuffer(data, kind, count, raw.pixels_at).reshape(header.rows, header.columns)


def _converted(pixels: Pixels, code: int | None) -> Pixels:
    return pixels if code is None else cv2.cvtColor(pixels, code)
