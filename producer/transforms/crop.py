"""Crops: which part of an image is kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.transforms import CenterCrop, RandomCrop

Draws = npt.NDArray[np.float64]


def corner(declaration: RandomCrop | CenterCrop, draws: Draws, size: tuple[int, int]) -> tuple[int, int]:
    """(top, left) of the window, in pixels."""
    return declaration.corner(draws, size)
