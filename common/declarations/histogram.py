"""Declarations that look at how the values of an image are distributed: contrast that adapts to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from feedline.common.arguments import Pair, number, whole
from feedline.common.declarations.base import Check, Transform, declaration
from feedline.common.errors import ConfigurationError

MOST_BINS = 65536
"""As many as there are values of 16 bits."""


def _bins(label: str, value: Any) -> int:
    """Read how many bins a histogram has; ConfigurationError if it is no number, or not 2 to `MOST_BINS`."""
    count = whole(label, value)
    if not 2 <= count <= MOST_BINS:
        raise ConfigurationError(f"{label} must be a whole number from 2 to {MOST_BINS}, got {value!r}")
    return count


def _grid(label: str, value: Any) -> tuple[int, int]:
    """Read (rows, columns); ConfigurationError if they are not two whole numbers of at least 1."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ConfigurationError(f"{label} must be (rows, columns), got {value!r}")
    return whole(label, value[0], at_least=1), whole(label, value[1], at_least=1)


@declaration
class AutoContrast(Transform):
    """Stretch each channel until it fills the value range, as ``keras.layers.AutoContrast``.

    Parameters
    ----------
    value_range : (float, float)
        Where the lowest and the highest value of each channel come to lie; a channel of one value stays.
    """

    value_range: Pair = (0.0, 255.0)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {}
    _NUM_DRAWS: ClassVar[int] = 0


@declaration
class Equalization(Transform):
    """Make all values of a channel about as frequent, as ``keras.layers.Equalization``.

    Parameters
    ----------
    value_range : (float, float)
        See the top of the file.
    bins : int
        Into how many equal parts the range is divided, 2 to 65,536. Whatever it is, at most 256 values come
        out, as in Keras.
    """

    value_range: Pair = (0.0, 255.0)
    bins: int = 256

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {}
    _NUM_DRAWS: ClassVar[int] = 0
    _CHECKS: ClassVar[Mapping[str, Check]] = {"bins": _bins}


@declaration
class ContrastLimitedAdaptiveHistogramEqualization(Transform):
    """Equalize by tiles, as ``keras.layers.ContrastLimitedAdaptiveHistogramEqualization``.

    Parameters
    ----------
    value_range : (float, float)
        It is divided into 256 levels.
    clip_limit : float
        How many times as frequent as on average a level of a tile may be; what is above is spread over
        all levels. 0 or less: no limit.
    tile_grid_size : (int, int)
        Rows and columns of tiles.
    """

    value_range: Pair = (0.0, 255.0)
    clip_limit: float = 4.0
    tile_grid_size: tuple[int, int] = (8, 8)

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {}
    _NUM_DRAWS: ClassVar[int] = 0
    _CHECKS: ClassVar[Mapping[str, Check]] = {"clip_limit": number, "tile_grid_size": _grid}
