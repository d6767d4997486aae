"""Bytes of a mask -> class numbers, as the file stores them: nothing is scaled, blended or made grey."""

from __future__ import annotations

import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.errors import DecodeError
from feedline.common.formats.images import PNG_SIGNATURE, chunks, format_of

Mask = npt.NDArray[Any]

_BITS_AT, _COLOUR_TYPE_AT, _END_OF_HEADER = 24, 25, 29
"""Where a PNG's header says how deep it is and of which kind; its checksum follows."""

_GREY, _PALETTE = 0, 3


def decode_mask(data: bytes, path: str, dtype: str) -> Mask | None:
    """Decode a whole mask.

    Parameters
    ----------
    data : bytes
        Of the file. Of a palette PNG, as Pascal VOC has them, the numbers of the colours are the classes.
    path : str
        The file as the dataset names it, for the message.
    dtype : str
        ``"uint8"`` or ``"uint16"``; the classes must fit.

    Returns
    -------
    ndarray or None
        Shape (height, width), of `dtype`; None if OpenCV cannot decode it.

    Raises
    ------
    DecodeError
        Its pixels are colours, or a number is too large.
    """
    is_png = format_of(data) == "PNG" and len(data) > _END_OF_HEADER
    pixels = cv2.imdecode(
        np.frombuffer(_without_palette(data) if is_png else data, np.uint8),
        cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR,
    )
    if pixels is None:
        return None
    if pixels.ndim == 3:
        pixels = _one_channel(pixels, path)
    if is_png and data[_COLOUR_TYPE_AT] in {_GREY, _PALETTE} and data[_BITS_AT] < 8:
        # OpenCV spreads few bits over 0..255.
        pixels //= 255 // ((1 << data[_BITS_AT]) - 1)
    return _fitting(pixels, path, dtype)


def _without_palette(data: bytes) -> bytes:
    """The same PNG, with the numbers of its colours as shades of grey."""
    if data[_COLOUR_TYPE_AT] != _PALETTE:
        return data
    header = data[12:_COLOUR_TYPE_AT] + bytes([_GREY]) + data[_COLOUR_TYPE_AT + 1 : _END_OF_HEADER]
    parts = [PNG_SIGNATURE, data[8:12], header, zlib.crc32(header).to_bytes(4, "big")]
    # Eight bytes of length and name come before the content of a chunk, four of checksum after it.
    parts += [data[a - 8 : b + 4] for name, a, b in chunks(data) if name not in {b"IHDR", b"PLTE", b"tRNS"}]
    return b"".join(parts)


def _one_channel(pixels: Mask, path: str) -> Mask:
    first = pixels[:, :, 0]
    if not (pixels[:, :, 1:3] == first[:, :, np.newaxis]).all():
        raise DecodeError(
            path,
            "is a mask of colours: expected one class number a pixel, in a grey or a palette PNG. Turn"
            " colours into class numbers first",
        )
    return np.ascontiguousarray(first)


def _fitting(pixels: Mask, path: str, dtype: str) -> Mask:
    highest, most = pixels.max(), np.iinfo(dtype).max
    if highest > most:
        raise DecodeError(
            path,
            f"is a mask with class {highest}, and {dtype} ends at {most}: number classes from 0 on without"
            ' gaps, or pass dtype="uint16"',
        )
    return pixels.astype(dtype, copy=False)
