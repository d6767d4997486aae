"""Bytes of a file → pixels of the size a job asks for.

`load` is what a producer calls; `decode` and `fit` are its parts. `DECODERS` says who decodes which
format. Colours are RGB, alpha comes last, and every image is turned upright.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np

from feedline.common.errors import DecodeError
from feedline.common.formats.chunks import has_transparent_shade, without_animation
from feedline.common.formats.images import damage, orientation, size_of, stored_size_of, too_large
from feedline.common.formats.names import format_of
from feedline.common.sample.ct import CTWindows
from feedline.common.sample.dicom import AS_STORED, DicomReading
from feedline.common.sample.image import ColorMode, Fit, ImageSpec, Mode, Size, channels_of
from feedline.common.sample.mask_values import MaskValues
from feedline.producer.arrays import Pixels
from feedline.producer.reading import png
from feedline.producer.reading.dicom.header import DicomError
from feedline.producer.reading.dicom.pixels import decode_dicom
from feedline.producer.reading.fitting import fit, size_with_ratio
from feedline.producer.reading.jpeg import completed, decode_jpeg
from feedline.producer.reading.masks import classes_of, decode_mask
from feedline.producer.reading.opencv import UndecodableError, decode_with_opencv, upright
from feedline.producer.reading.pictures import (
    decode_avif,
    decode_gif,
    decode_jpeg2000,
    decode_plain,
    decode_pnm,
)
from feedline.producer.reading.tiff import decode_tiff

Decoder = Callable[[bytes, Any, str, int], Pixels | None]
"""(bytes, color_mode, dtype, reduction) → pixels of shape (height, width[, channels]) as they are stored, not
turned, or None: not decodable. What comes back is checked by `decode`, whoever made it."""


def load(data: bytes, path: str, spec: ImageSpec, out: Pixels | None = None) -> Pixels:
    """Decode and fit: see `decode` and `fit`."""
    return load_sized(data, path, spec, out)[0]


def load_sized(
    data: bytes, path: str, spec: ImageSpec, out: Pixels | None = None, scratch: Pixels | None = None
) -> tuple[Pixels, Size]:
    """As `load`; also returns the (height, width) of the file's image."""
    reduction = jpeg_reduction(data, spec) if spec.jpeg_scaling else 1
    whole = decode(data, path, spec.color_mode, spec.dtype, reduction, spec.dicom)
    size = whole.shape[:2] if reduction == 1 else size_of(data)
    return fit(whole, spec, out, scratch), size or whole.shape[:2]


def decode(
    data: bytes,
    path: str,
    color_mode: Mode,
    dtype: str,
    reduction: int = 1,
    dicom: DicomReading = AS_STORED,
) -> Pixels:
    """Decode a whole image.

    Parameters
    ----------
    data : bytes
        Of the file.
    path : str
        The file as the dataset names it, for the message.
    color_mode : str, CTWindows or MaskValues
        A `ColorMode`. Alpha is dropped unless it is ``"rgba"``, and opaque where there is none. Windows and
        ``"hounsfield"`` are for DICOM files alone, ``"classes"`` and `MaskValues` are for masks: see
        `feedline.producer.reading.masks`.
    dtype : str
        ``"uint8"`` keeps the upper 8 bits of more. ``"uint16"`` keeps 10 to 16-bit values, and also keeps
        8-bit values as they are, in 0..255: a folder should not mix them. ``"int16"`` is for
        ``"hounsfield"``.
    reduction : int
        2, 4 or 8 decodes a JPEG at that part of its height and width, rounded up; 1 leaves it.
    dicom : DicomReading
        What is known of a DICOM file beside its header.

    Returns
    -------
    ndarray
        Shape (height, width, channels), of `dtype`, writable.

    Raises
    ------
    DecodeError
        If `data` is not a whole image of a known format, or cannot be made such an array; says what is
        known of it.
    """
    try:
        name = _checked_format(data, color_mode)
        size = None if name == "DICOM" else _checked_size(data)
        decoder = partial(decode_dicom, reading=dicom) if name == "DICOM" else DECODERS[name]
        whole = _MENDED[name](data) if name in _MENDED else data
        stored = _stored(whole, decoder, color_mode, dtype, reduction)
        pixels = _as_asked(stored, data, _reduced(size, reduction), color_mode, dtype)
    except UndecodableError as error:
        raise DecodeError(path, str(error)) from error
    except DicomError as error:
        raise DecodeError(path, f"the DICOM file {error}") from error
    except MemoryError as error:
        raise DecodeError(path, "takes more memory to decode than there is") from error
    except cv2.error as error:
        raise DecodeError(path, f"{_description(data)} ({error.err or error})") from error
    turned = upright(pixels, orientation(data))
    return turned if turned.ndim == 3 else turned[:, :, np.newaxis]


def _checked_format(data: bytes, color_mode: Mode) -> str:
    """The format of a file that is whole, and can have what is asked for."""
    name = format_of(data)
    missing = damage(data)
    if missing:
        raise UndecodableError(missing)
    if name is None or name not in DECODERS:
        raise UndecodableError(_description(data))
    if name != "DICOM" and (isinstance(color_mode, CTWindows) or color_mode == ColorMode.HOUNSFIELD):
        raise UndecodableError(f"is {_kind(data)}, and Hounsfield units are found in DICOM files only")
    return name


def _stored(data: bytes, decoder: Decoder, color_mode: Any, dtype: str, reduction: int) -> Pixels | None:
    """What the decoder of a format, or that of masks, makes of a file."""
    if color_mode == ColorMode.CLASSES:
        return decode_mask(data, dtype)
    if not isinstance(color_mode, MaskValues):
        return decoder(data, color_mode, dtype, reduction)
    if not color_mode.are_colours:
        return decode_mask(data, dtype, color_mode)
    colours = decoder(data, ColorMode.RGB, "uint8", 1)
    return None if colours is None else classes_of(colours, color_mode, dtype)


def _checked_size(data: bytes) -> Size:
    """(height, width) as its header has them; refused before memory is taken for it."""
    size = stored_size_of(data)
    if size is None:
        raise UndecodableError(_description(data))
    refusal = too_large(size)
    if refusal is not None:
        raise UndecodableError(refusal)
    return size


def _reduced(size: Size | None, reduction: int) -> Size | None:
    return None if size is None else (-(-size[0] // reduction), -(-size[1] // reduction))


def _as_asked(stored: Pixels | None, data: bytes, size: Size | None, color_mode: Mode, dtype: str) -> Pixels:
    """Check what a decoder made: the one place through which all of them go."""
    if stored is None:
        raise UndecodableError(_description(data))
    pixels = stored
    if pixels.dtype == np.uint8 and dtype == "uint16":
        pixels = pixels.astype(np.uint16)
    shape = pixels.shape if pixels.ndim == 3 else (*pixels.shape, 1)
    # The decoder of DICOM files looks at their size itself.
    wanted = (*(size or shape[:2]), channels_of(color_mode))
    if shape != wanted or min(shape) < 1 or pixels.dtype != dtype:
        raise UndecodableError(
            f"was decoded to {_told(shape)} values of {pixels.dtype}, and {_told(wanted)} of {dtype} were"
            " expected: save it in another format"
        )
    return pixels


def _told(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def decode_png(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode a PNG, by Wuffs if it vouches for the pixels."""
    if color_mode == ColorMode.RGBA and has_transparent_shade(data):
        raise UndecodableError(
            "is a grey PNG file one of whose shades is transparent, which is not decoded as rgba: save it"
            " with an alpha channel, or ask for another color_mode"
        )
    pixels = png.decode_png(data, color_mode, dtype) if png.AVAILABLE else None
    return decode_with_opencv(data, color_mode, dtype) if pixels is None else pixels


DECODERS: dict[str | None, Decoder] = {
    "JPEG": decode_jpeg,
    "PNG": decode_png,
    "WebP": decode_plain,
    "BMP": decode_plain,
    "GIF": decode_gif,
    "TIFF": decode_tiff,
    "AVIF": decode_avif,
    "JPEG 2000": decode_jpeg2000,
    "PNM": decode_pnm,
    "DICOM": decode_dicom,
}
"""Who decodes a format, by its name in `common.formats.names`; all others are refused."""

_MENDED: dict[str | None, Callable[[bytes], bytes]] = {"JPEG": completed, "PNG": without_animation}
"""What is done to the bytes of a format before its decoder, and that of masks, gets them."""


def jpeg_reduction(data: bytes, spec: ImageSpec) -> int:
    """By how much a JPEG can be reduced while it is decoded: 8, 4, 2, or 1 for not at all.

    What is then resized has at least the height and the width of `spec`.
    """
    size = size_of(data) if format_of(data) == "JPEG" else None
    if size is None or spec.fit == Fit.FRAMED:
        return 1
    for reduction in (8, 4, 2):
        height, width = size_with_ratio(-(-size[0] // reduction), -(-size[1] // reduction), spec)
        if height >= spec.height and width >= spec.width:
            return reduction
    return 1


def _kind(data: bytes) -> str:
    name = format_of(data)
    return f"not an image OpenCV knows (first bytes {data[:12]!r})" if name is None else f"a {name} file"


def _description(data: bytes) -> str:
    name = format_of(data)
    if name is None:
        return f"is {_kind(data)}"
    if name not in DECODERS:
        return f"is {_kind(data)}, which is not decoded: save it as PNG, JPEG or TIFF"
    return f"is {_kind(data)} that OpenCV cannot decode: cut off, damaged, or of a kind it does not know"
