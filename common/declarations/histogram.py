"""Declarations that look at how the values of an image are distributed: contrast that adapts to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from feedline.common.arguments import Pair, whole
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
