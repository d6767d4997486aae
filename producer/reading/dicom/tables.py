"""What each possible word of a DICOM file becomes: 65,536 results at most, which every pixel looks up.

So the arithmetic is done in float64, exactly as it is written down, and costs nothing: the files of a series
share a table. Pixels are looked up by OpenCV, several windows in one go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.sample.ct import AIR, CTWindows, Window
from feedline.common.sample.dicom import Repair
from feedline.producer.arrays import Pixels
from feedline.producer.reading.dicom.header import DicomError, Display, Table, Words

Values = npt.NDArray[np.float64]
"""Shape (2 ** bits_allocated,): one for each word."""

MAX_TABLES = 32
"""Kept, of a quarter of a megabyte each: one for every way of storing values, and windows."""

_PACKED: dict[int, tuple[int, type[Any]]] = {
    1: (1, np.uint8),
    2: (2, np.uint16),
    3: (4, np.int32),
    4: (4, np.int32),
}
"""Channels: the bytes that one result takes, and the number that has as many."""


def look_up(words: Pixels, table: Pixels, channels: int) -> Pixels:
    """Look every pixel up.

    Parameters
    ----------
    words : ndarray of uint8 or uint16
        Shape (height, width).
    table : ndarray
        Of `ct_table` or `grey_table`.
    channels : int
        Of the table, 1 to 4.

    Returns
    -------
    ndarray
        Shape (height, width, channels).
    """
    found: Pixels = cv2.LUT(words, table)
    if channels == 1:
        return found[:, :, np.newaxis]
    pixels = found.view(np.uint8).reshape(*words.shape, -1)
    # Three of four bytes are copied together faster than three tables are looked up one after another.
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR) if channels == 3 else pixels


@lru_cache(MAX_TABLES)
def ct_table(words: Words, color_mode: str | CTWindows, repair: str = Repair.NONE) -> Pixels:
    """What words become in a job for a CT.

    Parameters
    ----------
    words : Words
        How values are stored.
    color_mode : CTWindows or "hounsfield"
        The channels.
    repair : str
        A `Repair`.

    Returns
    -------
    ndarray
        Shape (2 ** bits_allocated,): int16 Hounsfield units, rounded to the nearest; or the uint8 of all
        windows of a word, packed into one number.

    Raises
    ------
    DicomError
        The file does not say what Hounsfield units its values stand for.
    """
    units = hounsfield_units(words, repair)
    if not isinstance(color_mode, CTWindows):
        return np.rint(np.clip(units, -(1 << 15), (1 << 15) - 1)).astype(np.int16)
    size, packed = _PACKED[len(color_mode.windows)]
    table = np.zeros((len(units), size), np.uint8)
    for channel, window in enumerate(color_mode.windows):
        table[:, channel] = np.rint(linear_exact(units, window, 255))
    return table.reshape(-1).view(packed)


@lru_cache(MAX_TABLES)
def grey_table(words: Words, display: Display, dtype: str) -> Pixels:
    """What words become in a job for pictures: what the file's own window makes of them.

    Parameters
    ----------
    words : Words
        How values are stored.
    display : Display
        How the file wants to be seen; without a window or a table, all of its range is.
    dtype : {"uint8", "uint16"}
        White is its largest value.

    Returns
    -------
    ndarray of `dtype`
        Shape (2 ** bits_allocated,).

    Raises
    ------
    DicomError
        The window or the table cannot be used.
    """
    stored = stored_values(words)
    white = np.iinfo(dtype).max
    shades = _shown(stored, words, display, white)
    shades = white - shades if display.is_inverted else shades
    shades[_is_padding(stored, words)] = 0
    return np.rint(shades).astype(dtype)


def _shown(stored: Values, words: Words, display: Display, white: int) -> Values:
    if display.window is not None:
        return _windowed(_rescaled(stored, words), display, white)
    if display.table is not None:
        return _shades(_looked_up(_rescaled(stored, words), display.table), display.table, white)
    if words.table is not None:
        return _shades(_rescaled(stored, words), words.table, white)
    lowest, highest = words.limits
    shades = linear_exact(stored, ((lowest + highest) / 2, highest - lowest), white)
    return white - shades if words.slope is not None and words.slope < 0 else shades


def _windowed(values: Values, display: Display, white: int) -> Values:
    if display.function not in VOI_FUNCTIONS:
        known = ", ".join(VOI_FUNCTIONS)
        raise DicomError(f"wants to be seen by VOILUTFunction={display.function!r}; {known} are known here")
    window = display.window or (0.0, 0.0)
    if window[1] <= 0:
        raise DicomError(f"has WindowWidth={window[1]:g}: a window must be wider than 0")
    return VOI_FUNCTIONS[display.function](values, window, white)


def _looked_up(values: Values, table: Table) -> Values:
    """What a file's own table makes of values."""
    entries = np.frombuffer(table.entries, "<u2")
    last = table.first + len(entries) - 1
    if values.max() < table.first or values.min() > last:
        raise DicomError(
            f"has a look-up table for values from {table.first} to {last}, and stores none of them"
        )
    return entries[np.clip(values - table.first, 0, len(entries) - 1).astype(np.intp)].astype(np.float64)


def _shades(entries: Values, table: Table, white: int) -> Values:
    return linear_exact(entries, (((1 << table.bits) - 1) / 2, (1 << table.bits) - 1), white)


def ends_of_values(pixels: Pixels, words: Words, shares: tuple[float, float]) -> Window:
    """The window (level, width) between the values that two shares of all pixels lie below; without padding.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16
        Words.
    words : Words
        How values are stored.
    shares : (float, float)
        In [0, 1], as of `numpy.quantile`.
    """
    stored = stored_values(words)
    counts = np.bincount(pixels.reshape(-1), minlength=len(stored))
    counts[_is_padding(stored, words)] = 0
    values = _rescaled(stored, words)[counts > 0]
    if not len(values):
        return 0.0, 1.0
    order = np.argsort(values)
    places = np.cumsum(counts[counts > 0][order])
    # The value of the pixel at that place, if all stood in a row in their order.
    lowest, highest = (values[order][np.searchsorted(places, s * (places[-1] - 1), "right")] for s in shares)
    width = float(highest - lowest) or 1.0  # one value alone is black
    return float(lowest) + width / 2, width


def stored_values(words: Words) -> Values:
    """The value that each word stores; bits above the stored ones mean nothing."""
    values = np.arange(1 << words.bits_allocated) & ((1 << words.bits_stored) - 1)
    if words.is_signed:
        values -= (values >> (words.bits_stored - 1)) << words.bits_stored
    return values.astype(np.float64)


def hounsfield_units(words: Words, repair: str = Repair.NONE) -> Values:
    """The Hounsfield units that each word stands for; padding is air.

    Raises
    ------
    DicomError
        Slope or intercept are missing, or a table is of something else.
    """
    if words.table is not None:
        _check_kind(words.table)
    elif words.slope is None or words.intercept is None:
        raise DicomError("has no RescaleSlope and RescaleIntercept: its values may not be Hounsfield units")
    stored = stored_values(words)
    is_wrapped = repair == Repair.RSNA and may_be_wrapped(words)
    units = _unwrapped(stored) if is_wrapped else _rescaled(stored, words)
    units[_is_padding(stored, words)] = AIR
    return units


def _check_kind(table: Table) -> None:
    if table.kind != "HU":
        raise DicomError(
            f"has a modality look-up table of kind {table.kind!r}, which is not of Hounsfield units ('HU')"
        )


def may_be_wrapped(words: Words) -> bool:
    """Whether values are stored as in those files of the RSNA haemorrhage competition that are wrong.

    Their headers say: unsigned, 12 bits, slope 1, and an intercept near 0 in place of -1024. Headers of sound
    files may say the same.
    """
    is_of_their_kind = words.bits_stored == 12 and not words.is_signed and words.slope == 1
    return is_of_their_kind and words.table is None and (words.intercept or 0) > -100


def _unwrapped(stored: Values) -> Values:
    """Undo the wrapping of values below 0 into the upper end of the 12 bits.

    The repair that competitors found ("Cleaning the data for rapid prototyping" by Jeremy Howard on Kaggle,
    and many after it): 1000 is added to values, those that reach 4096 start again at 0, and the intercept
    is -1000.
    """
    return (stored + 1000) % 4096 - 1000


def linear_exact(values: Values, window: Window, white: int) -> Values:
    """Shades from 0 to `white`: DICOM PS3.3, C.11.2.1.3.2."""
    center, width = window
    # Multiplied first, so that what lies just between two shades is not moved by a rounding in between.
    return np.clip(white * (values - (center - width / 2)) / width, 0, white)


def _linear(values: Values, window: Window, white: int) -> Values:
    """C.11.2.1.2.1: a window of width 1 is a threshold."""
    center, width = window
    if width <= 1:
        return white * (values > center - 0.5).astype(np.float64)
    return linear_exact(values, (center - 0.5, width - 1), white)


def _sigmoid(values: Values, window: Window, white: int) -> Values:
    """C.11.2.1.3.1."""
    center, width = window
    return white / (1.0 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))


VOI_FUNCTIONS: dict[str, Callable[[Values, Window, int], Values]] = {
    "LINEAR": _linear,
    "LINEAR_EXACT": linear_exact,
    "SIGMOID": _sigmoid,
}


def _rescaled(stored: Values, words: Words) -> Values:
    if words.table is not None:
        return _looked_up(stored, words.table)
    slope = 1.0 if words.slope is None else words.slope
    return slope * stored + (words.intercept or 0.0)


def _is_padding(stored: Values, words: Words) -> npt.NDArray[np.bool_]:
    lower, upper = words.padding or (1, 0)
    return (stored >= lower) & (stored <= upper)
