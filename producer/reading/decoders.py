"""Bytes of a file → pixels of the size a job asks for.

`load` is what a producer calls; `decode` and `fit` are its parts. `DECODERS` says who decodes which
format. Colours are RGB, alpha comes last, and Exif orientation is applied in every mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.errors import DecodeError
from feedline.common.formats.images import damage, format_of, jpeg_size, orientation
from feedline.common.sample.ct import CTWindows
from feedline.common.sample.dicom import AS_STORED, DicomReading
from feedline.common.sample.image import ColorMode, Fit, ImageSpec, Interpolation, Size
from feedline.producer.arrays import Pixels
from feedline.producer.reading import png
from feedline.producer.reading.dicom.header import DicomError
from feedline.producer.reading.dicom.pixels import decode_dicom
from feedline.producer.reading.masks import decode_mask

Decoder = Callable[[bytes, Any, str, int], Pixels | None]
"""(bytes, color_mode, dtype, reduction) → pixels of shape (height, width[, channels]), or None: not
decodable."""

_OF_PICTURES = (ColorMode.GRAYSCALE, ColorMode.RGB, ColorMode.RGBA, ColorMode.CLASSES)

_RESIZE: dict[str, int] = {
    # OpenCV's plain NEAREST looks up the pixel's corner; Keras, and this one, its centre.
    Interpolation.NEAREST: cv2.INTER_NEAREST_EXACT,
    Interpolation.BILINEAR: cv2.INTER_LINEAR,
    Interpolation.BICUBIC: cv2.INTER_CUBIC,
    Interpolation.AREA: cv2.INTER_AREA,
}


_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
"""OpenCV's flag to reduce a JPEG while decoding; despite their names, in colour if that is asked for."""


def load(data: bytes, path: str, spec: ImageSpec, out: Pixels | None = None) -> Pixels:
    """Decode and fit: see `decode` and `fit`."""
    return load_sized(data, path, spec, out)[0]


def load_sized(
    data: bytes, path: str, spec: ImageSpec, out: Pixels | None = None, scratch: Pixels | None = None
) -> tuple[Pixels, Size]:
    """As `load`; also returns the (height, width) of the file's image."""
    reduction = jpeg_reduction(data, spec) if spec.jpeg_scaling else 1
    whole = decode(data, path, spec.color_mode, spec.dtype, reduction, spec.dicom)
    size = whole.shape[:2] if reduction == 1 else jpeg_size(data)
    return fit(whole, spec, out, scratch), size or whole.shape[:2]


def matrix_of_fit(size: Size, spec: ImageSpec) -> npt.NDArray[np.float64]:
    """Where `fit` takes points (x, y, 1) of an image of `size`, shape (3, 3); pixels end at whole numbers."""
    if spec.fit == Fit.FRAMED:
        return np.eye(3)
    # Negative where it is cut off, positive where something is added: the same on both sides.
    height, width = _size_with_ratio(*size, spec)
    down, right = int((height - size[0]) / 2), int((width - size[1]) / 2)
    if spec.fit == Fit.CROP:
        down, right = -((size[0] - height) // 2), -((size[1] - width) // 2)
    y, x = spec.height / height, spec.width / width
    return np.array([[x, 0.0, right * x], [0.0, y, down * y], [0.0, 0.0, 1.0]])


def decode(
    data: bytes,
    path: str,
    color_mode: str | CTWindows,
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
    color_mode : str or CTWindows
        A `ColorMode`. Alpha is dropped unless it is ``"rgba"``, and opaque where there is none. Windows and
        ``"hounsfield"`` are for DICOM files alone, and ``"classes"`` is for masks: see
        `feedline.producer.reading.masks`.
    dtype : str
        ``"uint8"`` keeps the upper 8 of 16 bits. ``"uint16"`` keeps 16-bit values, and also keeps
        8-bit values as they are, in 0..255: a folder should not mix the two. ``"int16"`` is for
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
        If `data` is not a whole image of a known format; says what is known of it.
    """
    name = format_of(data)
    missing = damage(data)
    if missing:
        raise DecodeError(path, missing)
    if name != "DICOM" and color_mode not in _OF_PICTURES:
        raise DecodeError(path, f"is {_kind(data)}, and Hounsfield units are found in DICOM files only")
    try:
        if color_mode == ColorMode.CLASSES:
            pixels = decode_mask(data, path, dtype)
        elif name == "DICOM":
            pixels = decode_dicom(data, color_mode, dtype, dicom)
        else:
            pixels = DECODERS.get(name, decode_with_opencv)(data, color_mode, dtype, reduction)
    except DicomError as error:
        raise DecodeError(path, f"the DICOM file {error}") from error
    except cv2.error as error:
        raise DecodeError(path, f"{_description(data)} ({error.err or error})") from error
    if pixels is None:
        raise DecodeError(path, _description(data))
    if pixels.dtype not in (np.uint8, np.uint16, dtype):
        raise DecodeError(path, f"holds {pixels.dtype} values; only 8 and 16 bits a channel can be used")
    if pixels.dtype != dtype:
        pixels = pixels.astype(dtype)
    return pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]


def decode_with_opencv(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode any format that OpenCV knows, with its transparency, at full size."""
    if color_mode == ColorMode.RGBA:
        return _decode_rgba(data, dtype)
    return _decode_opaque(data, color_mode, dtype)


def decode_jpeg(data: bytes, color_mode: str, dtype: str, reduction: int = 1) -> Pixels | None:
    """Decode a JPEG, which has no transparency."""
    pixels = _decode_opaque(data, color_mode, dtype, reduction)
    if color_mode == ColorMode.RGBA and pixels is not None:
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    return pixels


def decode_png(data: bytes, color_mode: str, dtype: str, _: int = 1) -> Pixels | None:
    """Decode a PNG, by Wuffs if it vouches for the pixels."""
    pixels = png.decode_png(data, color_mode, dtype)
    return decode_with_opencv(data, color_mode, dtype) if pixels is None else pixels


DECODERS: dict[str | None, Decoder] = {"JPEG": decode_jpeg}
"""Who decodes a format, by its name in `common.formats.images`; `decode_dicom` does DICOM, and
`decode_with_opencv` all others."""

if png.AVAILABLE:
    DECODERS["PNG"] = decode_png


def jpeg_reduction(data: bytes, spec: ImageSpec) -> int:
    """By how much a JPEG can be reduced while it is decoded: 8, 4, 2, or 1 for not at all.

    What is then resized has at least the height and the width of `spec`.
    """
    size = jpeg_size(data) if format_of(data) == "JPEG" else None
    if size is None or spec.fit == Fit.FRAMED:
        return 1
    for reduction in (8, 4, 2):
        height, width = _size_with_ratio(-(-size[0] // reduction), -(-size[1] // reduction), spec)
        if height >= spec.height and width >= spec.width:
            return reduction
    return 1


def fit(image: Pixels, spec: ImageSpec, out: Pixels | None = None, scratch: Pixels | None = None) -> Pixels:
    """Resize to the size of `spec`, as Keras' ``image_dataset_from_directory`` does.

    Parameters
    ----------
    image : ndarray
        Shape (any height, any width, channels).
    spec : ImageSpec
        Size, interpolation and what happens to another ratio of sides.
    out : ndarray, optional
        Where to write, shape `spec.shape`, the dtype of `image`, C-contiguous.
    scratch : ndarray, optional
        As `out`, but only written to if `image` must be resized: saves memory of its own, and the copy
        of an image that fits.

    Returns
    -------
    ndarray
        Shape `spec.shape`, C-contiguous: `out` if it is given; else `scratch`, `image` itself if it fits,
        or an array of its own. An image that is to be framed is returned as it is.
    """
    if spec.fit == Fit.FRAMED:
        return image
    pixels = _with_ratio(_as_opencv(image), spec)
    place = scratch if out is None else out
    if pixels.shape[:2] != spec.size:
        dst = None if place is None else _as_opencv(place)
        pixels = cv2.resize(
            pixels, (spec.width, spec.height), dst=dst, interpolation=_RESIZE[spec.interpolation]
        )
        if place is not None:
            return place
    elif out is not None:
        np.copyto(_as_opencv(out), pixels)
        return out
    return np.ascontiguousarray(pixels).reshape(spec.shape)


def _with_ratio(pixels: Pixels, spec: ImageSpec) -> Pixels:
    """Crop or pad to the ratio of sides of `spec`."""
    if spec.fit == Fit.STRETCH:
        return pixels
    height, width = pixels.shape[:2]
    new_height, new_width = _size_with_ratio(height, width, spec)
    if spec.fit == Fit.CROP:
        top, left = (height - new_height) // 2, (width - new_width) // 2
        return pixels[top : top + new_height, left : left + new_width]
    above, before = (new_height - height) // 2, (new_width - width) // 2
    fill = (*(spec.background or ()), 0, 0, 0, 0)[:4]
    return cv2.copyMakeBorder(pixels, above, above, before, before, cv2.BORDER_CONSTANT, value=fill)


def _size_with_ratio(height: int, width: int, spec: ImageSpec) -> tuple[int, int]:
    """(height, width) after cropping or padding; the arithmetic is that of Keras' ``smart_resize``."""
    right_height = int(width * spec.height / spec.width)
    right_width = int(height * spec.width / spec.height)
    if spec.fit == Fit.CROP:
        return max(min(height, right_height), 1), max(min(width, right_width), 1)
    if spec.fit == Fit.PAD:
        # The same on both sides, as in Keras: an odd row or column is left out.
        above, before = max(right_height - height, 0) // 2, max(right_width - width, 0) // 2
        return height + 2 * above, width + 2 * before
    return height, width


def _decode_opaque(data: bytes, color_mode: str, dtype: str, reduction: int = 1) -> Pixels | None:
    flags = cv2.IMREAD_GRAYSCALE if color_mode == ColorMode.GRAYSCALE else cv2.IMREAD_COLOR_RGB
    if dtype == "uint16":
        flags |= cv2.IMREAD_ANYDEPTH
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags | _REDUCED[reduction])


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


def _kind(data: bytes) -> str:
    name = format_of(data)
    return f"not an image OpenCV knows (first bytes {data[:12]!r})" if name is None else f"a {name} file"


def _description(data: bytes) -> str:
    if format_of(data) is None:
        return f"is {_kind(data)}"
    return f"is {_kind(data)} that OpenCV cannot decode: cut off, damaged, or of a kind it does not know"


def _as_opencv(image: Pixels) -> Pixels:
    return image[:, :, 0] if image.shape[2] == 1 else image
