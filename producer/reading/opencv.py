"""What OpenCV decodes, as it is stored; and from there to the colours and the depth of a job.

OpenCV's own conversions while it decodes are not used: from one format to the next they scale, wrap, exchange
red and blue or leave memory as it was. The one exception is PNG, whose conversions are libpng's.
"""

from __future__ import annotations

import cv2
import numpy as np

from feedline.common.sample.image import ColorMode
from feedline.producer.arrays import Pixels


class UndecodableError(Exception):
    """A file is refused; says why, in a clause that can follow its name and a colon."""


_CONVERSIONS = {
    # (channels as OpenCV has them, blue first; color mode): None for nothing
    (1, ColorMode.GRAYSCALE): None,
    (1, ColorMode.RGB): cv2.COLOR_GRAY2RGB,
    (1, ColorMode.RGBA): cv2.COLOR_GRAY2RGBA,
    (3, ColorMode.GRAYSCALE): cv2.COLOR_BGR2GRAY,
    (3, ColorMode.RGB): cv2.COLOR_BGR2RGB,
    (3, ColorMode.RGBA): cv2.COLOR_BGR2RGBA,
    (4, ColorMode.GRAYSCALE): cv2.COLOR_BGRA2GRAY,
    (4, ColorMode.RGB): cv2.COLOR_BGRA2RGB,
    (4, ColorMode.RGBA): cv2.COLOR_BGRA2RGBA,
}


def as_stored(data: bytes) -> Pixels | None:
    """Decode a file to its own channels, blue first, and its own depth; None if OpenCV cannot.

    Exif orientation is not applied.
    """
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def in_mode(stored: Pixels | None, color_mode: str, dtype: str, bits: int | None = None) -> Pixels | None:
    """Bring what `as_stored` returned to the colours and the depth that are asked for.

    Parameters
    ----------
    stored : ndarray or None
        Shape (height, width[, 3 or 4]), uint8 or uint16.
    color_mode : str
        ``"grayscale"``, ``"rgb"`` or ``"rgba"``.
    dtype : str
        ``"uint8"`` keeps the upper 8 bits, ``"uint16"`` all of them.
    bits : int, optional
        Of a channel, if those are not all that `stored` has room for.

    Returns
    -------
    ndarray or None
        Shape (height, width[, channels]), red first; None if `stored` is.

    Raises
    ------
    UndecodableError
        If its values have another depth, or its channels are none of these.
    """
    if stored is None:
        return None
    channels = stored.shape[2] if stored.ndim == 3 else 1
    if stored.dtype not in (np.uint8, np.uint16):
        raise UndecodableError(f"holds {stored.dtype} values; only 8 and 16 bits a channel can be used")
    if (channels, color_mode) not in _CONVERSIONS:
        raise UndecodableError(f"has {channels} channels a pixel, and {color_mode!r} cannot be made of them")
    conversion = _CONVERSIONS[channels, ColorMode(color_mode)]
    pixels = stored if conversion is None else cv2.cvtColor(stored, conversion)
    depth = bits or 8 * stored.dtype.itemsize
    if color_mode == ColorMode.RGBA and channels < 4:
        pixels[:, :, 3] = (1 << depth) - 1
    if dtype == "uint8" and pixels.dtype == np.uint16:
        return np.right_shift(pixels, depth - 8, dtype=np.uint16).astype(np.uint8)
    return pixels


def decode_with_opencv(data: bytes, color_mode: str, dtype: str, reduction: int = 1) -> Pixels | None:
    """Decode a PNG or a JPEG, and convert it as libpng and libjpeg do, not turned; None if OpenCV cannot."""
    if color_mode == ColorMode.RGBA:
        pixels = as_stored(data) if reduction == 1 else None
        if pixels is not None and pixels.ndim == 3 and pixels.shape[2] == 4:
            return in_mode(pixels, color_mode, dtype)
        opaque = decode_with_opencv(data, ColorMode.RGB, dtype, reduction)
        return None if opaque is None else cv2.cvtColor(opaque, cv2.COLOR_RGB2RGBA)
    flags = cv2.IMREAD_GRAYSCALE if color_mode == ColorMode.GRAYSCALE else cv2.IMREAD_COLOR_RGB
    flags |= cv2.IMREAD_IGNORE_ORIENTATION | _REDUCED[reduction]
    if dtype == "uint16":
        flags |= cv2.IMREAD_ANYDEPTH
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
"""OpenCV's flag to reduce a JPEG while decoding; despite their names, in colour if that is asked for."""


def upright(pixels: Pixels, turned: int) -> Pixels:
    """Turn an image as Exif's orientation, 1 to 8, wants it."""
    # 5 to 8 have rows and columns exchanged, then the first row or column is at the far side.
    if turned >= 5:
        pixels = cv2.transpose(pixels)
    mirrored = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(turned)
    return pixels if mirrored is None else cv2.flip(pixels, mirrored)
