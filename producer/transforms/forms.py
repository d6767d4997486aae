"""The forms of what transforms come to: what the functions of each family of `registry` answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.sample.boxes import Boxes
from feedline.producer.arrays import Pixels

Action: TypeAlias = Callable[[Pixels, Pixels], Pixels]
"""(pixels, out) → the result, which is `out` after it was written to, or (a part of) `pixels`."""

Means: TypeAlias = Callable[[], npt.NDArray[np.float64]]
"""Computes the mean of each channel, shape (channels,): asked for only where it is needed."""

Function: TypeAlias = Callable[[npt.NDArray[Any], np.random.Generator], Any]
"""(image, generator) -> image, shape (height, width, channels)."""


@dataclass(frozen=True, slots=True)
class Line:
    """``clip(scale * value + offset, lowest, highest)``.

    Attributes
    ----------
    scale : float or ndarray
        The slope; an array of shape (channels,) where channels differ.
    offset : float or ndarray
        Added after scaling; as `scale`.
    lowest, highest : float
        Results are clipped to these.
    """

    scale: float | npt.NDArray[np.float64]
    offset: float | npt.NDArray[np.float64]
    lowest: float = -np.inf
    highest: float = np.inf


class Mix(Protocol):
    """What the mixing of one sample came to."""

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """How much of each sample the labels get, shape (samples,); they add up to 1."""

    def write_image(self, sources: Sequence[Pixels], out: Pixels) -> None:
        """Make one image of several of its shape and dtype."""

    def boxes(self, sources: Sequence[Boxes]) -> Boxes:
        """The boxes of that image."""
