"""PNG by Wuffs, faster than OpenCV, for the kinds of file where the pixels are the same.

Optional: `pywuffs` comes with the extra ``fast``, and so does what `feedline.producer.reading.inflate` needs,
which does the larger half of the work; ``FEEDLINE_FAST=0`` does without both. `decode_png` answers None for
whatever it does not vouch for, damaged files included, and OpenCV then has its say: a file is accepted or
refused by the same rules on every producer.
``tests/unit/producer/test_png.py`` compares the two over all kinds of PNG.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.formats.chunks import chunks
from feedline.common.formats.names import PNG_SIGNATURE
from feedline.common.sample.image import ColorMode
from feedline.producer.reading import inflate

try:
    import pywuffs
    from pywuffs import aux
except ImportError:
    pywuffs = aux = None

AVAILABLE = pywuffs is not None and os.environ.get("FEEDLINE_FAST") != "0"
"""Whether `decode_png` can be called."""

_HEADER_END = 33
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type, as the header has it."""

_MAX_PIXELS = 1 << 28
"""Larger images are left to OpenCV, which has a limit of its own."""

_MAX_WINDOW = 1 << 15
"""RFC 1950: no match goes back farther."""

_COMMENTS = frozenset(b"bKGD cHRM gAMA hIST iCCP iTXt oFFs pHYs sBIT sRGB tEXt tIME zTXt".split())
"""Chunks that change no pixel in OpenCV; with any other that is unknown here the file is left to it."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a kind of PNG is decoded.

    Attributes
    ----------
    pixel_format : str
        What Wuffs makes of it.
    conversions : mapping of str to int or None
        What OpenCV then does to get to a color mode; None for nothing. Color modes that are not named are
        left to OpenCV alone: its grey of a colour PNG is rounded as no conversion of its own is.
    parts : set of tuple of bytes
        The chunks that make pixels, as they may follow each other. tRNS without a palette names one
        transparent colour, of which the libraries think differently.
    """

    pixel_format: str
    conversions: Mapping[str, int | None]
    parts: frozenset[tuple[bytes, ...]] = frozenset({(b"IHDR", b"IDAT", b"IEND")})


_PALETTE = frozenset({(b"IHDR", b"PLTE", b"IDAT", b"IEND"), (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")})
_Conversions: TypeAlias = Mapping[str, int | None]
_GREY: _Conversions = {
    ColorMode.GRAYSCALE: None,
    ColorMode.RGB: cv2.COLOR_GRAY2RGB,
    ColorMode.RGBA: cv2.COLOR_GRAY2RGBA,
}
_COLOUR: _Conversions = {ColorMode.RGB: None, ColorMode.RGBA: cv2.COLOR_RGB2RGBA}
_WITH_ALPHA: _Conversions = {ColorMode.RGB: cv2.COLOR_RGBA2RGB, ColorMode.RGBA: None}

_WAYS = {
    # (bits, colour type) of the PNG's header. Kinds that are missing are slower, or not equal.
    (8, 0): _Way("Y", _GREY),
    (16, 0): _Way("Y_16LE", _GREY),
    (8, 2): _Way("RGB", _COLOUR),
    (8, 3): _Way("RGBA_NONPREMUL", _WITH_ALPHA, _PALETTE),
    (8, 4): _Way("RGBA_NONPREMUL", {**_WITH_ALPHA, ColorMode.GRAYSCALE: cv2.COLOR_RGBA2GRAY}),
    (8, 6): _Way("RGBA_NONPREMUL", _WITH_ALPHA),
}


class _Decoders(dict[tuple[str, bool], Any]):
    """A Wuffs decoder per pixel format, made when it is first needed. They belong to one thread.

    The second part of a key says whether checksums are looked at.
    """

    def __missing__(self, key: tuple[str, bool]) -> Any:
        pixel_format, checks = key
        config = aux.ImageDecoderConfig()
        config.enabled_decoders = [pywuffs.ImageDecoderType.PNG]
        config.pixel_format = getattr(pywuffs.PixelFormat, pixel_format)
        # pywuffs does not look at checksums unless it is told to; OpenCV refuses a file with a wrong one.
        config.quirks = {pywuffs.ImageDecoderQuirks.IGNORE_CHECKSUM: int(not checks)}
        self[key] = aux.ImageDecoder(config)
        return self[key]


_DECODERS = _Decoders()


def decode_png(data: bytes, color_mode: str, dtype: str) -> npt.NDArray[Any] | None:
    """Decode a PNG of a kind that is proven equal to OpenCV's, or return None.

    Called by the one thread of a producer that decodes.

    Parameters
    ----------
    data : bytes
        Of the file, with a PNG's signature.
    color_mode : str
        A `ColorMode`.
    dtype : str
        Of the job; 8 bits of a file stay 8 bits, whatever it says.

    Returns
    -------
    ndarray or None
        Shape (height, width[, channels]), uint8 or uint16, writable, of its own.
    """
    way = _way(data, dtype)
    if way is None or color_mode not in way.conversions:
        return None
    parts = _essence(data, way.parts)
    num_bytes = _num_bytes(data)
    if parts is None or not _reaches_back(parts[b"IDAT"], num_bytes):
        return None
    file, has_checksums = _for_wuffs(data, parts, num_bytes)
    result = _DECODERS[way.pixel_format, has_checksums].decode(file)
    if result.error_message:
        return None
    pixels: npt.NDArray[Any] = result.pixbuf.view(np.uint16 if way.pixel_format == "Y_16LE" else np.uint8)
    conversion = way.conversions[color_mode]
    return pixels if conversion is None else cv2.cvtColor(pixels, conversion)


def _way(data: bytes, dtype: str) -> _Way | None:
    """How to decode a file, by its header; None if Wuffs shall not."""
    if len(data) < _HEADER_END:
        return None
    width, height, *kind_of = _shape(data)
    if not 0 < width * height <= _MAX_PIXELS:
        return None
    kind = kind_of[0], kind_of[1]
    # Of 16 bits both libraries keep the upper 8.
    return _WAYS.get((8, 0) if kind == (16, 0) and dtype == "uint8" else kind)


def _essence(data: bytes, orders: AbstractSet[tuple[bytes, ...]]) -> dict[bytes, bytes] | None:
    """What makes a PNG's pixels: the contents of its chunks by name, joined; None if it is unusual."""
    parts: dict[bytes, list[memoryview]] = {}
    view = memoryview(data)
    last = b""
    for name, start, end in chunks(data):
        if zlib.crc32(view[start - 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return None
        if name not in _COMMENTS:
            if name in parts and not name == last == b"IDAT":
                return None
            parts.setdefault(name, []).append(view[start:end])
        last = name
        if name == b"IEND":
            break
    if tuple(parts) not in orders or _has_unused_alphas(parts):
        return None
    return {name: b"".join(contents) for name, contents in parts.items()}


def _has_unused_alphas(parts: Mapping[bytes, list[memoryview]]) -> bool:
    # OpenCV ignores them all then, Wuffs only those of colours that there are not.
    return b"tRNS" in parts and len(parts[b"tRNS"][0]) * 3 > len(parts[b"PLTE"][0])


def _num_bytes(data: bytes) -> int:
    """Bytes of all rows with their filters' names, if there is one pass."""
    width, height, bits, kind = _shape(data)
    return height * (1 + -(-width * bits * _CHANNELS[kind] // 8))


def _reaches_back(stream: bytes, num_bytes: int) -> bool:
    """Whether no match can go back farther than the stream says: only zlib looks, and refuses it.

    Several passes have at most twice as many bytes as one.
    """
    window = 1 << ((stream[0] >> 4) + 8) if stream else 0
    return window >= min(2 * num_bytes, _MAX_WINDOW)


def _for_wuffs(data: bytes, parts: Mapping[bytes, bytes], num_bytes: int) -> tuple[bytes, bool]:
    """The file that Wuffs gets, inflated if that can be done faster; and whether it has checksums still."""
    is_interlaced = data[28] != 0
    can_be_stored = inflate.AVAILABLE and not is_interlaced
    stored = inflate.stored(parts[b"IDAT"], num_bytes) if can_be_stored else None
    if stored is None:
        return _joined(parts), True
    return _joined({**parts, b"IDAT": stored}, with_checksums=False), False


def _shape(data: bytes) -> tuple[int, int, int, int]:
    """Width, height, bits and colour type, as a PNG's header has them."""
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"), data[24], data[25]


def _joined(parts: Mapping[bytes, bytes], *, with_checksums: bool = True) -> bytes:
    """A PNG of these chunks.

    All pixel data are in one of them: Wuffs takes five times as long over the checksums of the second and
    further chunks as over those of the first, and OpenCV and libpng write chunks of 8 KiB.
    """
    written = [PNG_SIGNATURE]
    for name, content in parts.items():
        checksum = zlib.crc32(content, zlib.crc32(name)) if with_checksums else 0
        written += (len(content).to_bytes(4, "big"), name, content, checksum.to_bytes(4, "big"))
    return b"".join(written)
