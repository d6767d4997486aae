"""RandAugment and AugMix: what they come to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from feedline.common.declarations.base import Transform
from feedline.common.declarations.policies import AugMix, RandAugment
from feedline.producer.arrays import Draws
from feedline.producer.transforms.registry import blend_of, series_of


@series_of(RandAugment)
def choices(declaration: RandAugment) -> tuple[Transform, ...]:
    """One of its operations, several times."""
    return declaration.inside


@blend_of(AugMix)
def shares(declaration: AugMix, draws: Draws) -> npt.NDArray[np.float64]:
    """Draw the share of the image, and what is left for each chain."""
    return declaration.shares(draws)
