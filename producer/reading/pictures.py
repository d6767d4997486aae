"""Formats by OpenCV, each with what must be looked at so that its pixels are right."""

from __future__ import annotations

import numpy as np

from feedline.common.formats.boxes import read_avif, read_jpeg2000
from feedline.common.formats.gif import transparency_at, without_transparency
from feedline.common.formats.pnm import read_pnm
from feedline.common.sample.image import ColorMode
from feedline.producer.arrays import Pixels
from feedline.producer.reading.opencv import UndecodableError, as_stored, in_mode

_MOST_CHANNELS = 4
"""Of a JPEG 2000, which may say that it has 16,384, and its decoder makes room for all of them."""


def decode_plain(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode a BMP or a WebP, whose pixels are right as they are stored."""
    return in_mode(as_stored(data), color_mode, dtype)


def decode_gif(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode the first picture of a GIF; colours are there where they are transparent, too."""
    at = transparency_at(data)
    if at is None:
        return in_mode(as_stored(data), color_mode, dtype)
    pixels = in_mode(as_stored(without_transparency(data, at)), color_mode, dtype)
    if color_mode == ColorMode.RGBA and pixels is not None:
        transparent = as_stored(data)
        if transparent is None or transparent.shape != pixels.shape:
            return None
        pixels[:, :, 3] = transparent[:, :, 3]
    return pixels


def decode_avif(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode the first picture of an AVIF of 8, 10 or 12 bits."""
    return in_mode(as_stored(data), color_mode, dtype, read_avif(data).bits)


def decode_jpeg2000(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode JPEG 2000 of 8 to 16 bits a channel."""
    header = read_jpeg2000(data)
    if header is None:
        return None
    if header.is_signed or len(set(header.bits)) != 1 or not 8 <= header.bits[0] <= 16:
        sign = "signed " if header.is_signed else ""
        depths = ", ".join(map(str, sorted(set(header.bits))))
        raise UndecodableError(f"is a JPEG 2000 file of {sign}{depths} bits; 8 to 16, from 0 on, can be used")
    if header.is_subsampled or not header.is_plain or len(header.bits) > _MOST_CHANNELS:
        raise UndecodableError("is a JPEG 2000 file whose channels are not grey or red, green and blue")
    return in_mode(as_stored(data), color_mode, dtype, header.bits[0])


def decode_pnm(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode PBM, PGM or PPM of 1, 8 or 16 bits."""
    header = read_pnm(data)
    if header is None:
        return None
    if header.most not in {1, np.iinfo(np.uint8).max, np.iinfo(np.uint16).max}:
        raise UndecodableError(f"is a PNM file whose white is {header.most}; 255 or 65535 can be used")
    if header.most == 1 and header.kind not in {1, 4}:
        raise UndecodableError("is a PNM file whose white is 1; save it as PBM, or with 255")
    return in_mode(as_stored(data), color_mode, dtype)
