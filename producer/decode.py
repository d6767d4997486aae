"""Bytes of a file → pixels of the size a job asks for.

`load` is what a producer calls; `read_bytes`, `decode` and `fit` are its parts. `DECODERS` says who
decodes which format. Colours are RGB, alpha comes last, and Exif orientation is applied in every mode.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import DecodeError, ReadError
from common.image import ColorMode, Fit, ImageSpec, Interpolation
from producer.formats import damage, format_of, orientation

Pixels = npt.NDArray[Any]
Decoder = Callable[[bytes, str, str], Pixels | None]
"""(bytes, color_mode, dtype) → pixels of shape (height, width[, channels]), or None: not decodable."""

_RESIZE = {
    # OpenCV's plain NEAREST looks up the pixel's corner; Keras, and this one, its centre.
    Interpolation.NEAREST: cv2.INTER_NEAREST_EXACT,
    Interpolation.BILINEAR: cv2.INTER_LINEAR,
    Interpolation.BICUBIC: cv2.INTER_CUBIC,
    Interpolation.AREA: cv2.INTER_AREA,
}


def read_bytes(path: str, file: str | os.PathLike[str] | None = None) -> bytes:
    """Read a whole file.

    Parameters
    ----------
    path : str
        The file as the dataset names it, for the message.
    file : path, optional
        Where it lies, if not at `path`.

    Raises
    ------
    ReadError
        If it cannot be read, or is empty.
    """
    try:
        data = Path(path if file is None else file).read_bytes()
    except OSError as error:
        raise ReadError(path, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ReadError(path, f"is not a path: {error}") from error
    if not data:
        raise ReadError(path, "is empty (0 bytes)")
    return data


def load(data: bytes, path: str, spec: ImageSpec, out: Pixels | None = None) -> Pixels:
    """Decode and fit: see `decode` and `fit`."""
    return fit(decode(data, path, spec.color_mode, spec.dtype), spec, out)


def decode(data: bytes, path: str, color_mode: str, dtype: str) -> Pixels:
    """Decode a whole image.

    Parameters
    ----------
    data : bytes
        Of the file.
    path : str
        The file as the dataset names it, for the message.
    color_mode : str
        A `ColorMode`. Alpha is dropped unless it is ``"rgba"``, and opaque where there is none.
    dtype : str
        ``"uint8"`` keeps the upper 8 of 16 bits. ``"uint16"`` keeps 16-bit values, and also keeps
        8-bit values as they are, in 0..255: a folder should not mix the two.

    Returns
    -------
    ndarray
        Shape (height, width, channels), of `dtype`, writable.

    Raises
    ------
    DecodeError
        If `data` is not a whole image of a known format; says what is known of it.
    """
    missing = damage(data)
    if missing:
        raise DecodeError(path, missing)
    try:
        pixels = DECODERS.get(format_of(data), decode_with_opencv)(data, color_mode, dtype)
    except cv2.error as error:
        raise DecodeError(path, f"{_description(data)} ({error.err or error})") from error
    if pixels is None:
        raise DecodeError(path, _description(data))
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DecodeError(path, f"holds {pixels.dtype} values; only 8 and 16 bits a channel can be used")
    return np.atleast_3d(pixels).astype(dtype, copy=False)


def decode_with_opencv(data: bytes, color_mode: str, dtype: str) -> Pixels | None:
    """Decode any format that OpenCV knows, with its transparency."""
    if color_mode == ColorMode.RGBA:
        return _decode_rgba(data, dtype)
    return _decode_opaque(data, color_mode, dtype)


def decode_jpeg(data: bytes, color_mode: str, dtype: str) -> Pixels | None:
    """Decode a JPEG, which has no transparency."""
    pixels = _decode_opaque(data, color_mode, dtype)
    if color_mode == ColorMode.RGBA and pixels is not None:
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    return pixels


DECODERS: dict[str | None, Decoder] = {"JPEG": decode_jpeg}
"""Who decodes a format, by its name in `producer.formats`; `decode_with_opencv` does all others."""


def fit(image: Pixels, spec: ImageSpec, out: Pixels | None = None) -> Pixels:
    """Resize to the size of `spec`, as Keras' ``image_dataset_from_directory`` does.

    Parameters
    ----------
    image : ndarray
        Shape (any height, any width, channels).
    spec : ImageSpec
        Size, interpolation and what happens to another ratio of sides.
    out : ndarray, optional
        Where to write, shape `spec.shape`, the dtype of `image`, C-contiguous.

    Returns
    -------
    ndarray
        `out` if it is given, else an array of its own, or `image` itself if it fits.
    """
    pixels = _with_ratio(_as_opencv(image), spec)
    if pixels.shape[:2] != spec.size:
        pixels = cv2.resize(
            pixels,
            (spec.width, spec.height),
            dst=None if out is None else _as_opencv(out),
            interpolation=_RESIZE[Interpolation(spec.interpolation)],
        )
    elif out is not None:
        np.copyto(_as_opencv(out), pixels)
    return np.ascontiguousarray(pixels).reshape(spec.shape) if out is None else out


def _with_ratio(pixels: Pixels, spec: ImageSpec) -> Pixels:
    """Crop or pad to the ratio of sides of `spec`; the arithmetic is that of Keras' ``smart_resize``."""
    height, width = pixels.shape[:2]
    right_height = int(width * spec.height / spec.width)
    right_width = int(height * spec.width / spec.height)
    if spec.fit == Fit.CROP:
        kept_height, kept_width = max(min(height, right_height), 1), max(min(width, right_width), 1)
        top, left = (height - kept_height) // 2, (width - kept_width) // 2
        return pixels[top : top + kept_height, left : left + kept_width]
    if spec.fit == Fit.PAD:
        # The same on both sides, as in Keras: an odd row or column is left out.
        above, before = max(right_height - height, 0) // 2, max(right_width - width, 0) // 2
        return cv2.copyMakeBorder(pixels, above, above, before, before, cv2.BORDER_CONSTANT, value=0)
    return pixels


def _decode_opaque(data: bytes, color_mode: str, dtype: str) -> Pixels | None:
    flags = cv2.IMREAD_GRAYSCALE if color_mode == ColorMode.GRAYSCALE else cv2.IMREAD_COLOR_RGB
    if dtype == "uint16":
        flags |= cv2.IMREAD_ANYDEPTH
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def _decode_rgba(data: bytes, dtype: str) -> Pixels | None:
    # Only IMREAD_UNCHANGED keeps alpha, and it ignores Exif orientation and the depth asked for.
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        opaque = _decode_opaque(data, ColorMode.RGB, dtype)
        return None if opaque is None else cv2.cvtColor(opaque, cv2.COLOR_RGB2RGBA)
    if dtype == "uint8" and pixels.dtype == np.uint16:
        pixels = np.right_shift(pixels, 8, dtype=np.uint16).astype(np.uint8)
    return _upright(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA), orientation(data))


def _upright(pixels: Pixels, turned: int) -> Pixels:
    # Exif: 5 to 8 have rows and columns exchanged, then the first row or column is at the far side.
    if turned >= 5:
        pixels = cv2.transpose(pixels)
    mirrored = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(turned)
    return pixels if mirrored is None else cv2.flip(pixels, mirrored)


def _description(data: bytes) -> str:
    name = format_of(data)
    if name is None:
        return f"is not an image OpenCV knows (first bytes {data[:12]!r})"
    return f"is a {name} file that OpenCV cannot decode: cut off, damaged, or of a kind it does not know"


def _as_opencv(image: Pixels) -> Pixels:
    return image[:, :, 0] if image.shape[2] == 1 else image
