"""Flip, rotation, translation, zoom, shear, perspective: where each output pixel is looked up in the image.

Each is a 3 x 3 matrix from output to input coordinates, (x, y, 1) with pixel centres at whole
numbers, as in the ``affine_transform`` that Keras' layers call. So "first A, then B" is ``A @ B``,
and any number of them is one look-up per pixel: one interpolation instead of several, and nothing
is lost at an edge in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np

from feedline.common.declarations.base import Fill, FillMode
from feedline.common.declarations.geometry import (
    Flip,
    FlipMode,
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from feedline.common.sample.image import Interpolation
from feedline.producer.arrays import Draws, Matrix, Pixels
from feedline.producer.transforms.boxes import Field, Motion
from feedline.producer.transforms.filters import clip_to
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.registry import mapping_of

_IDENTITY = np.eye(3)

_BORDERS = {
    FillMode.CONSTANT: cv2.BORDER_CONSTANT,
    FillMode.NEAREST: cv2.BORDER_REPLICATE,
    FillMode.REFLECT: cv2.BORDER_REFLECT,
    FillMode.WRAP: cv2.BORDER_WRAP,
}

_SAMPLING = {Interpolation.NEAREST: cv2.INTER_NEAREST, Interpolation.BILINEAR: cv2.INTER_LINEAR}


def mirror(declarations: Sequence[RandomFlip], draws: Draws) -> Action:
    """What flips alone come to: no matrix is needed."""
    reversed_x = reversed_y = False
    for declaration, draw in zip(declarations, draws[:, np.newaxis], strict=True):
        flips = declaration.flips(draw)
        reversed_x ^= flips and declaration.mode != FlipMode.VERTICAL
        reversed_y ^= flips and declaration.mode != FlipMode.HORIZONTAL
    code = _FLIP_CODES.get((reversed_x, reversed_y))
    return _unchanged if code is None else partial(_flip, code)


@mapping_of(RandomFlip, Flip)
def flip(declaration: RandomFlip, draws: Draws, size: tuple[int, int]) -> Matrix:
    """Look up x at width - 1 - x, y at height - 1 - y, or both, in one sample of two."""
    if not declaration.flips(draws):
        return _IDENTITY
    height, width = size
    matrix = np.eye(3)
    if declaration.mode != FlipMode.VERTICAL:
        matrix[0] = (-1.0, 0.0, width - 1.0)
    if declaration.mode != FlipMode.HORIZONTAL:
        matrix[1] = (0.0, -1.0, height - 1.0)
    return matrix


@mapping_of(RandomRotation)
def rotation(declaration: RandomRotation, draws: Draws, size: tuple[int, int]) -> Matrix:
    """Rotate by the angle about the centre of the image, ((width - 1) / 2, (height - 1) / 2)."""
    angle = math.radians(declaration.angle(draws))
    cos, sin = math.cos(angle), math.sin(angle)
    return _about_centre(np.array([[cos, -sin], [sin, cos]]), size)


@mapping_of(RandomTranslation)
def translation(declaration: RandomTranslation, draws: Draws, size: tuple[int, int]) -> Matrix:
    """Look up as many pixels back as the image is shifted."""
    down, right = declaration.shift(draws)
    return np.array([[1.0, 0.0, -right * size[1]], [0.0, 1.0, -down * size[0]], [0.0, 0.0, 1.0]])


@mapping_of(RandomZoom)
def zoom(declaration: RandomZoom, draws: Draws, size: tuple[int, int]) -> Matrix:
    """Scale distances from the centre of the image."""
    height, width = declaration.zoom(draws)
    return _about_centre(np.array([[width, 0.0], [0.0, height]]), size)


@mapping_of(RandomShear)
def shear(declaration: RandomShear, draws: Draws, _: tuple[int, int]) -> Matrix:
    """Slant from the top left corner, where Keras leaves the origin."""
    x, y = declaration.shear(draws)
    return np.array([[1.0, x, 0.0], [y, 1.0, 0.0], [0.0, 0.0, 1.0]])


@mapping_of(RandomPerspective)
def perspective(declaration: RandomPerspective, draws: Draws, size: tuple[int, int]) -> Matrix:
    """Look up corners where they were before they moved; a strip of one pixel has no four corners."""
    if not declaration.applies(draws) or min(size) < 2:
        return _IDENTITY
    bottom, right = size[0] - 1.0, size[1] - 1.0
    corners = np.array([(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)])
    return _homography(corners * declaration.times(draws), corners)


def _homography(points: Matrix, images: Matrix) -> Matrix:
    """The matrix that takes four points, shape (4, 2), to four others."""
    rows = [
        equation
        for (x, y), (u, v) in zip(points, images, strict=True)
        for equation in ((x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y))
    ]
    return np.append(np.linalg.solve(np.array(rows), images.ravel()), 1.0).reshape(3, 3)


def _about_centre(linear: Matrix, size: tuple[int, int]) -> Matrix:
    centre = np.array([size[1] - 1.0, size[0] - 1.0]) / 2.0
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - linear @ centre
    return matrix


def motion_of(lookup: Matrix, size: tuple[int, int]) -> Motion:
    """How boxes move when each pixel of a result of `size` is looked up through `lookup`."""
    if not lookup[2, :2].any():
        return edges_moved_by(lookup)
    height, width = size
    depths = lookup[2] @ np.array([(0, width, 0, width), (0, 0, height, height), (1, 1, 1, 1)])
    # Both sides of a horizon in one image: what lies at it is in two places.
    return edges_moved_by(lookup) if (depths > 0).all() else Field.of(lookup, size)


def edges_moved_by(lookup: Matrix) -> Matrix:
    """Where points go when each pixel of the result is looked up through `lookup`.

    A look-up starts at the result, and counts from the centre of the first pixel; this starts at the image,
    and counts from its edge.
    """
    moved: Matrix = _TO_EDGES @ np.linalg.inv(lookup) @ _TO_CENTRES
    return moved


def lookup_of(matrix: Matrix) -> Matrix:
    """Undo `edges_moved_by`."""
    lookup: Matrix = _TO_CENTRES @ np.linalg.inv(matrix) @ _TO_EDGES
    return lookup


def look_up_classes(
    pixels: Pixels, lookup: Matrix, size: tuple[int, int], fill: float, out: Pixels
) -> Pixels:
    """Look each pixel of `out`, of height and width `size`, up in `pixels`; beyond the edge is `fill`."""
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, lookup[:2], (size[1], size[0]), dst=out, flags=flags, borderValue=fill)


def for_four_channels(fill: Fill) -> tuple[float, ...]:
    """A fill value as OpenCV wants it, whatever channels there are; of None, 0."""
    if isinstance(fill, tuple):
        return (*fill, 0.0, 0.0, 0.0)[:4]
    return (fill or 0.0,) * 4


_TO_EDGES = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
_TO_CENTRES = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])


class Sampler:
    """Looks pixels up through a matrix, or a field.

    Parameters
    ----------
    declaration : Transform
        Any that has `fill_mode`, `fill_value` and `interpolation`; only flips have none, and need none.
    of_classes : bool
        The values of pixels are classes: none is computed.
    """

    def __init__(self, declaration: Any, *, of_classes: bool = False) -> None:
        interpolation = getattr(declaration, "interpolation", Interpolation.BILINEAR)
        self._border = _BORDERS[getattr(declaration, "fill_mode", FillMode.REFLECT)]
        self._range = None if of_classes else getattr(declaration, "value_range", None)
        self._flags = _SAMPLING[Interpolation.NEAREST if of_classes else interpolation]
        self._fill = for_four_channels(getattr(declaration, "fill_value", None))

    def prepare(self, matrix: Matrix, size: tuple[int, int]) -> Action:
        """What looks up, in images of `size`, the pixels that `matrix` says; see `Action`."""
        if matrix[2, :2].any():
            return partial(self._warp_perspective, matrix, (size[1], size[0]))
        mirrored = _mirrored_axes(matrix, *size)
        if mirrored is None:
            return partial(self._warp, matrix[:2], (size[1], size[0]))
        if mirrored == (False, False):
            return _unchanged
        return partial(_flip, _FLIP_CODES[mirrored])

    def prepare_field(self, field: Field) -> Action:
        """What looks up the pixels that a field says; see `Action`."""
        return partial(self._remap, field)

    def _remap(self, field: Field, pixels: Pixels, out: Pixels) -> Pixels:
        moved = cv2.remap(
            pixels,
            field.x,
            field.y,
            self._flags,
            dst=out,
            borderMode=self._border,
            borderValue=self._fill,
        )
        return moved if self._range is None else clip_to(self._range, moved)

    def _warp_perspective(self, matrix: Matrix, size: tuple[int, int], pixels: Pixels, out: Pixels) -> Pixels:
        return cv2.warpPerspective(
            pixels,
            matrix,
            size,
            dst=out,
            flags=self._flags | cv2.WARP_INVERSE_MAP,
            borderMode=self._border,
            borderValue=self._fill,
        )

    def _warp(self, matrix: Matrix, size: tuple[int, int], pixels: Pixels, out: Pixels) -> Pixels:
        return cv2.warpAffine(
            pixels,
            matrix,
            size,
            dst=out,
            flags=self._flags | cv2.WARP_INVERSE_MAP,
            borderMode=self._border,
            borderValue=self._fill,
        )


def _unchanged(pixels: Pixels, _: Pixels) -> Pixels:
    return pixels


def _flip(code: int, pixels: Pixels, out: Pixels) -> Pixels:
    return cv2.flip(pixels, code, dst=out)


_FLIP_CODES = {(True, False): 1, (False, True): 0, (True, True): -1}
"""OpenCV's name of a flip, by the axes (x, y) it reverses."""


def _mirrored_axes(matrix: Matrix, height: int, width: int) -> tuple[bool, bool] | None:
    # Products of flips are whole numbers, so equality is exact.
    (a, b, x), (c, d, y), _ = matrix.tolist()
    mirrored_x, mirrored_y = (a, x) == (-1.0, width - 1.0), (d, y) == (-1.0, height - 1.0)
    kept_x, kept_y = (a, x) == (1.0, 0.0), (d, y) == (1.0, 0.0)
    if b or c or not (mirrored_x or kept_x) or not (mirrored_y or kept_y):
        return None
    return mirrored_x, mirrored_y
