"""Contrast limited adaptive histogram equalization: equalization by tiles, with smooth seams.

K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994, as
Keras has it: what is clipped is spread once, and in parts of a value, which OpenCV does in whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.declarations.histogram import ContrastLimitedAdaptiveHistogramEqualization as Clahe
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.transforms.color import round_into
from feedline.producer.transforms.filters import strip_rows
from feedline.producer.transforms.forms import Action
from feedline.producer.transforms.histogram import Whole, levels_of
from feedline.producer.transforms.registry import filter_of

Floats = npt.NDArray[np.float32]

LEVELS = 256


@dataclass(frozen=True, slots=True)
class Side:
    """How the pixels along one side of an image lie between the middles of tiles.

    Attributes
    ----------
    before, after : ndarray
        For each pixel the tile whose middle is not after it, and the next one; near an edge both are the
        outermost.
    share : ndarray
        How much the tile `after` counts, in [0, 1).
    """

    before: Whole
    after: Whole
    share: Floats

    @classmethod
    def of(cls, pixels: int, tiles: int) -> Side:
        """Of so many pixels that are in so many tiles."""
        tile = pixels_in_tile(pixels, tiles)
        places = np.arange(pixels) / tile - 0.5
        before = np.floor(places).astype(np.int64)
        share = (places - before).astype(np.float32)
        return cls(np.clip(before, 0, tiles - 1), np.clip(before + 1, 0, tiles - 1), share)

    def part(self, part: slice) -> Side:
        """Some of its pixels."""
        return Side(self.before[part], self.after[part], self.share[part])


def pixels_in_tile(pixels: int, tiles: int) -> int:
    """How many pixels one of so many tiles has along a side; the last tile may reach beyond the image."""
    return -(-pixels // tiles)


@filter_of(Clahe)
def adaptive_equalization(declaration: Clahe, _: Draws, size: Size) -> Action:
    """Equalize by the four tiles whose middles are around a pixel, each as much as it is near."""
    down, across = map(Side.of, size, declaration.tile_grid_size)
    return partial(_equalize, declaration, down, across)


def _equalize(declaration: Clahe, down: Side, across: Side, pixels: Pixels, out: Pixels) -> Pixels:
    tables = _tables(declaration, pixels)
    step = strip_rows(pixels)
    for top in range(0, len(pixels), step):
        part = slice(top, top + step)
        levels = levels_of(_by_channel(pixels[part]), declaration.value_range)
        between = _look_up(tables, levels, down.part(part), across)
        round_into(out[part], between.reshape(out[part].shape))
    return out


def _look_up(tables: Floats, levels: Whole, down: Side, across: Side) -> Floats:
    """What the tables of four tiles have for each level, (height, width, channels), weighted."""
    per_tile = tables[0, 0].size
    own = levels + LEVELS * np.arange(levels.shape[2])
    left, right = (own + per_tile * tile[:, np.newaxis] for tile in (across.before, across.after))
    rows = [
        tables.shape[1] * per_tile * tile[:, np.newaxis, np.newaxis] for tile in (down.before, down.after)
    ]
    upper, lower = (
        _between(tables.take(left + row), tables.take(right + row), across.share[:, np.newaxis])
        for row in rows
    )
    return _between(upper, lower, down.share[:, np.newaxis, np.newaxis])


def _between(first: Floats, second: Floats, share: Floats) -> Floats:
    second -= first
    second *= share
    first += second
    return first


def _tables(declaration: Clahe, pixels: Pixels) -> Floats:
    """What a level becomes by the histogram of a tile alone, shape (rows, columns, channels, LEVELS)."""
    height, width = map(pixels_in_tile, pixels.shape[:2], declaration.tile_grid_size)
    rows, columns = declaration.tile_grid_size
    below, beside = rows * height - pixels.shape[0], columns * width - pixels.shape[1]
    full = _by_channel(cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REFLECT))
    histograms = [
        _histograms(levels_of(full[top : top + height], declaration.value_range), columns)
        for top in range(0, len(full), height)
    ]
    curves = _equalizing(np.array(histograms, np.float64), height * width, declaration.clip_limit)
    lowest, highest = declaration.value_range
    return np.asarray(curves * (highest - lowest) / 255.0 + lowest, np.float32)


def _histograms(levels: Whole, columns: int) -> Whole:
    """How many values of each tile of a row are in each level, shape (columns, channels, LEVELS)."""
    _, width, channels = levels.shape
    tile = np.arange(width) // (width // columns)
    places = levels + LEVELS * (channels * tile[:, np.newaxis] + np.arange(channels))
    counts = np.bincount(places.ravel(), minlength=columns * channels * LEVELS)
    return counts.reshape(columns, channels, LEVELS)


def _equalizing(
    histograms: npt.NDArray[np.float64], pixels: int, clip_limit: float
) -> npt.NDArray[np.float64]:
    """The curve, 0 to 255, of each histogram of so many pixels, along the last axis."""
    if clip_limit > 0.0:
        clipped = np.minimum(histograms, clip_limit * pixels / LEVELS)
        spread = (histograms - clipped).sum(axis=-1, keepdims=True) / LEVELS
        histograms = clipped + spread
    up_to = np.cumsum(histograms, axis=-1)
    fewest = up_to[..., :1]
    others = pixels - fewest
    curves = (up_to - fewest) * 255.0 / np.where(others == 0.0, 1.0, others)
    return np.asarray(np.clip(curves, 0.0, 255.0))


def _by_channel(pixels: Pixels) -> Pixels:
    """The same pixels, as (height, width, channels)."""
    return pixels.reshape(*pixels.shape[:2], -1)
