"""A whole image -> the size a job asks for, and where its points go."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.sample.image import Fit, ImageSpec, Interpolation, Size
from feedline.producer.arrays import MOST_PADDED_PIXELS, Pixels

_RESIZE: dict[str, int] = {
    # OpenCV's plain NEAREST looks up the pixel's corner; Keras, and this one, its centre.
    Interpolation.NEAREST: cv2.INTER_NEAREST_EXACT,
    Interpolation.BILINEAR: cv2.INTER_LINEAR,
    Interpolation.BICUBIC: cv2.INTER_CUBIC,
    Interpolation.AREA: cv2.INTER_AREA,
}


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
        resized = _resized(pixels, spec.size, spec, place)
        return place if place is not None else resized.reshape(spec.shape)
    if out is not None:
        np.copyto(_as_opencv(out), pixels)
        return out
    return np.ascontiguousarray(pixels).reshape(spec.shape)


def matrix_of_fit(size: Size, spec: ImageSpec) -> npt.NDArray[np.float64]:
    """Where `fit` takes points (x, y, 1) of an image of `size`, shape (3, 3); pixels end at whole numbers."""
    if spec.fit == Fit.FRAMED:
        return np.eye(3)
    # Negative where it is cut off, positive where something is added: the same on both sides.
    height, width = size_with_ratio(*size, spec)
    down, right = int((height - size[0]) / 2), int((width - size[1]) / 2)
    if spec.fit == Fit.CROP:
        down, right = -((size[0] - height) // 2), -((size[1] - width) // 2)
    y, x = spec.height / height, spec.width / width
    return np.array([[x, 0.0, right * x], [0.0, y, down * y], [0.0, 0.0, 1.0]])


def size_with_ratio(height: int, width: int, spec: ImageSpec) -> Size:
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


def _resized(pixels: Pixels, size: Size, spec: ImageSpec, place: Pixels | None) -> Pixels:
    """Resize, into `place` if there is one; where that differs OpenCV makes an array, without a word."""
    dst = None if place is None else _as_opencv(place)
    resized = cv2.resize(pixels, size[::-1], dst=dst, interpolation=_RESIZE[spec.interpolation])
    if dst is not None and not np.may_share_memory(resized, dst):
        np.copyto(dst, resized, casting="no")
    return resized


def _with_ratio(pixels: Pixels, spec: ImageSpec) -> Pixels:
    """Crop or pad to the ratio of sides of `spec`."""
    if spec.fit == Fit.STRETCH:
        return pixels
    height, width = pixels.shape[:2]
    new_height, new_width = size_with_ratio(height, width, spec)
    if spec.fit == Fit.CROP:
        top, left = (height - new_height) // 2, (width - new_width) // 2
        return pixels[top : top + new_height, left : left + new_width]
    if new_height * new_width > MOST_PADDED_PIXELS:
        return _resized_and_padded(pixels, spec)
    return _padded(pixels, (new_height, new_width), spec)


def _padded(pixels: Pixels, size: Size, spec: ImageSpec) -> Pixels:
    down, right = size[0] - pixels.shape[0], size[1] - pixels.shape[1]
    above, before = down // 2, right // 2
    fill = (*(spec.background or ()), 0, 0, 0, 0)[:4]
    return cv2.copyMakeBorder(
        pixels, above, down - above, before, right - before, cv2.BORDER_CONSTANT, value=fill
    )


def _resized_and_padded(pixels: Pixels, spec: ImageSpec) -> Pixels:
    """As padding and then resizing, but for the edge, which comes to lie at whole pixels."""
    corners = matrix_of_fit(pixels.shape[:2], spec) @ np.array([0.0, 0.0, 1.0])
    sides = (spec.width - 2 * corners[0], spec.height - 2 * corners[1])
    width, height = (max(1, round(float(side))) for side in sides)
    return _padded(_resized(pixels, (height, width), spec, None), spec.size, spec)


def _as_opencv(image: Pixels) -> Pixels:
    return image[:, :, 0] if image.shape[2] == 1 else image
