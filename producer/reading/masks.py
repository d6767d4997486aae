"""Bytes of a mask -> class numbers: as the file stores them, or as the job's `MaskValues` say.

Nothing is scaled, blended or made grey. Of a palette the numbers of its colours are meant, as Pascal VOC has
them; of one bit a pixel black is 0 and white is 1, whatever the format.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.formats.chunks import chunks
from feedline.common.formats.data import little
from feedline.common.formats.directory import Directory, Field, Tag
from feedline.common.formats.names import PNG_SIGNATURE, format_of
from feedline.common.formats.pnm import read_pnm
from feedline.common.sample.mask_values import MaskValues
from feedline.producer.reading.opencv import UndecodableError, as_stored
from feedline.producer.reading.tiff import Photometric, Tiff, possible_directory

Mask = npt.NDArray[Any]

_BITS_AT, _COLOUR_TYPE_AT, _END_OF_HEADER = 24, 25, 29
"""Where a PNG's header says how deep it is and of which kind; its checksum follows."""

_GREY, _PALETTE = 0, 3


def decode_mask(data: bytes, dtype: str, values: MaskValues | None = None) -> Mask | None:
    """Decode a whole mask.

    Parameters
    ----------
    data : bytes
        Of the file.
    dtype : str
        ``"uint8"`` or ``"uint16"``; the classes must fit.
    values : MaskValues, optional
        Which class each number of the file is; without, they are the classes.

    Returns
    -------
    ndarray or None
        Shape (height, width), of `dtype`, not turned; None if OpenCV cannot decode it.

    Raises
    ------
    UndecodableError
        Its pixels are colours, a number is no class, or `values` does not name it.
    """
    name = format_of(data)
    pixels = _READERS.get(name, as_stored)(data)
    if pixels is None:
        return None
    numbers = _one_channel(pixels) if pixels.ndim == 3 else pixels
    return _fitting(numbers if values is None else _looked_up(numbers, values), dtype)


def classes_of(colours: Mask, values: MaskValues, dtype: str) -> Mask:
    """Turn colours, shape (height, width, 3), uint8, into classes, shape (height, width), of `dtype`."""
    packed = colours.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    return _fitting(_looked_up(packed, values), dtype)


def _looked_up(numbers: Mask, values: MaskValues) -> Mask:
    known = np.array([_packed(value) for value, _ in values.classes])
    places = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    unknown = known[places] != numbers
    if unknown.any():
        first = numbers[unknown][0]
        raise UndecodableError(
            f"is a mask with {_named(first, values)}, which mask_values={values} does not name"
        )
    return np.array([number for _, number in values.classes])[places]


def _packed(value: int | tuple[int, int, int]) -> int:
    return value if isinstance(value, int) else value[0] << 16 | value[1] << 8 | value[2]


def _named(number: Any, values: MaskValues) -> str:
    if not values.are_colours:
        return f"the value {number}"
    return f"the colour {tuple(int(number) >> shift & 255 for shift in (16, 8, 0))}"


def _read_png(data: bytes) -> Mask | None:
    if len(data) <= _END_OF_HEADER:
        return None
    pixels = as_stored(_without_palette(data))
    few = data[_COLOUR_TYPE_AT] in {_GREY, _PALETTE} and data[_BITS_AT] < 8
    return _as_numbers(pixels, data[_BITS_AT]) if few else pixels


def _without_palette(data: bytes) -> bytes:
    """The same PNG, with the numbers of its colours as shades of grey."""
    if data[_COLOUR_TYPE_AT] != _PALETTE:
        return data
    header = data[12:_COLOUR_TYPE_AT] + bytes([_GREY]) + data[_COLOUR_TYPE_AT + 1 : _END_OF_HEADER]
    parts = [PNG_SIGNATURE, data[8:12], header, zlib.crc32(header).to_bytes(4, "big")]
    # Eight bytes of length and name come before the content of a chunk, four of checksum after it.
    parts += [data[a - 8 : b + 4] for name, a, b in chunks(data) if name not in {b"IHDR", b"PLTE", b"tRNS"}]
    return b"".join(parts)


def _as_numbers(pixels: Mask | None, bits: int) -> Mask | None:
    """Undo that OpenCV spreads few bits over 0..255."""
    return None if pixels is None else pixels // np.uint8(255 // ((1 << bits) - 1))


def _read_tiff(data: bytes) -> Mask | None:
    directory = possible_directory(data)
    if directory is None:
        return None
    tiff = Tiff.of(directory)
    tiff.check_as_mask()
    if Tag.ORIENTATION in directory.fields:
        data = directory.edited(data, {Tag.ORIENTATION: 1})
    if tiff.photometric == Photometric.PALETTE:
        colours = directory.fields.get(Tag.COLOUR_MAP)
        if colours is None or colours.end - colours.at != 6 << tiff.bits[0] or colours.end > len(data):
            return None
        return as_stored(_with_shades(data, directory, colours))
    pixels = as_stored(data)
    return _as_numbers(pixels, 1) if tiff.bits[0] == 1 else pixels


def _with_shades(data: bytes, directory: Directory, colours: Field) -> bytes:
    """The same TIFF, each of whose colours, of 16 bits a channel, is as bright as its number."""
    shades = np.arange((colours.end - colours.at) // 6) * 257
    kind = "<u2" if directory.order == "little" else ">u2"
    return data[: colours.at] + np.tile(shades, 3).astype(kind).tobytes() + data[colours.end :]


def _read_bmp(data: bytes) -> Mask | None:
    """A BMP of at most 8 bits has a palette, of which shades of grey are made here."""
    header = little(data, 14, 4)
    bits = little(data, 24 if header == 12 else 28, 2)
    if bits > 8:
        return as_stored(data)
    entry = 3 if header == 12 else 4
    start, end = 14 + header, min(little(data, 10, 4), 14 + header + entry * (1 << bits))
    shades = b"".join(bytes([nth] * 3 + [0] * (entry - 3)) for nth in range((end - start) // entry))
    return as_stored(data[:start] + shades + data[start + len(shades) :])


def _read_pnm(data: bytes) -> Mask | None:
    header, pixels = read_pnm(data), as_stored(data)
    return _as_numbers(pixels, 1) if header is not None and header.kind in {1, 4} else pixels


def _read_gif(_: bytes) -> Mask | None:
    raise UndecodableError(
        "is a GIF file, whose writers number colours as they like: save masks as PNG, or name colours in"
        " mask_values"
    )


_READERS: dict[str | None, Callable[[bytes], Mask | None]] = {
    "PNG": _read_png,
    "TIFF": _read_tiff,
    "BMP": _read_bmp,
    "PNM": _read_pnm,
    "GIF": _read_gif,
}
"""Who reads the numbers of a format's pixels; of others they are as OpenCV has them."""


def _one_channel(pixels: Mask) -> Mask:
    first = pixels[:, :, 0]
    if not (pixels[:, :, 1:3] == first[:, :, np.newaxis]).all():
        raise UndecodableError(
            "is a mask of colours: expected one class number a pixel, in a grey or a palette PNG. Turn"
            " colours into class numbers first, or name them: mask_values={(128, 0, 0): 1}"
        )
    return np.ascontiguousarray(first)


def _fitting(pixels: Mask, dtype: str) -> Mask:
    """Class numbers of `dtype`, or a refusal that says which is none."""
    wrong = ~(pixels >= 0) if pixels.dtype.kind != "f" else ~((pixels >= 0) & (pixels == np.floor(pixels)))
    if wrong.any():
        raise UndecodableError(
            f"is a mask with the value {pixels[wrong][0]!s}: classes are whole numbers from 0 on. Name the"
            " class of each value: mask_values={255: 1}"
        )
    highest, most = pixels.max(), np.iinfo(dtype).max
    if highest > most:
        raise UndecodableError(
            f"is a mask with class {highest}, and {dtype} ends at {most}: number classes from 0 on without"
            ' gaps, or pass dtype="uint16"'
        )
    return pixels.astype(dtype, copy=False)
