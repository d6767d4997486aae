"""A glimpse of a batch as a picture."""

from __future__ import annotations

import cv2
import numpy as np

from feedline.trainer.monitor.glimpses import SIDE, Glimpse
from feedline.trainer.preview.shades import Pixels, Shades, planes_of

GAP = 4
"""White between two images, in pixels."""

COLOURS = 3
"""Images of so many channels or one more are red, green and blue."""


def png_of(glimpse: Glimpse) -> bytes:
    """Its images side by side, as a PNG file; of other channels than RGB, the first."""
    images = glimpse.images
    shades = Shades.of(images)
    is_colour = images.shape[-1] >= COLOURS
    tiles = [_tile(shades.pixels(image), is_colour=is_colour) for image in images]
    written, data = cv2.imencode(".png", cv2.cvtColor(_row(tiles), cv2.COLOR_RGB2BGR))
    if not written:
        raise ValueError("OpenCV could not write a PNG file")
    return bytes(data)


def _tile(pixels: Pixels, *, is_colour: bool) -> Pixels:
    plane = planes_of(pixels, is_colour=is_colour)[0]
    height, width = plane.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(plane, size, interpolation=smaller), np.uint8)


def _row(tiles: list[Pixels]) -> Pixels:
    """Beside one another, which all have one size, with white between."""
    height, width = tiles[0].shape[:2]
    row = np.full((height, len(tiles) * (width + GAP) - GAP, 3), 255, np.uint8)
    for nth, tile in enumerate(tiles):
        row[:, nth * (width + GAP) : nth * (width + GAP) + width] = tile
    return row
