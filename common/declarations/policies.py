"""Declarations that draw what they do from a set of operations: RandAugment and AugMix.

The sets, and what `factor` means for each operation, are those of the Keras layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from feedline.common.arguments import Pair, whole, yes_or_no
from feedline.common.declarations.base import (
    Check,
    Draws,
    Transform,
    above_zero,
    bounds_from_zero,
    declaration,
    factor_from,
)
from feedline.common.declarations.color import (
    RandomBrightness,
    RandomContrast,
    RandomPosterization,
    Solarization,
)
from feedline.common.declarations.compound import Compound, Pipeline, RandomChoice, Series
from feedline.common.declarations.detail import RandomSharpness
from feedline.common.declarations.geometry import RandomRotation, RandomShear, RandomTranslation
from feedline.common.declarations.histogram import AutoContrast, Equalization
from feedline.common.declarations.hue import RandomColorDegeneration
from feedline.common.draws import beta, dirichlet
from feedline.common.sample.image import Interpolation


def _at_least_one(label: str, value: Any) -> int:
    return whole(label, value, at_least=1)


@dataclass(frozen=True, slots=True)
class _Strength:
    """How strong operations are: the arguments that policies share."""

    factor: Pair
    value_range: Pair
    interpolation: str

    @property
    def moving(self) -> tuple[Transform, ...]:
        """Operations that move pixels."""
        return (
            RandomShear(self.factor, self.factor, self.interpolation),
            RandomTranslation(self.factor, self.factor, interpolation=self.interpolation),
            RandomRotation(self.factor, interpolation=self.interpolation),
        )

    @property
    def coloring(self) -> tuple[Transform, ...]:
        """Operations that AugMix may leave out, as they resemble corruptions that models are tested with."""
        return (
            RandomBrightness(self.factor, self.value_range),
            RandomColorDegeneration(self.factor, self.value_range),
            RandomContrast(self.factor, self.value_range),
            RandomSharpness(self.factor, self.value_range),
        )

    @property
    def toning(self) -> tuple[Transform, ...]:
        """Operations that change each value by itself, or by the image's histogram."""
        # Keras asks for 8 * factor bits, of which its layer then draws one less at most.
        bits = max(1, int(8 * self.factor[1]) - 1)
        # The range that Keras' layer draws from, which divides its lower end alone.
        solarized = self.factor[0] / 255.0, self.factor[1]
        return (
            RandomPosterization((1, bits), self.value_range),
            Solarization(solarized, solarized, self.value_range),
            AutoContrast(self.value_range),
            Equalization(self.value_range),
        )


@declaration
class RandAugment(Series):
    """Do a few operations, each drawn from eleven, as ``keras.layers.RandAugment`` (arXiv 1909.13719).

    Parameters
    ----------
    value_range : (float, float)
        See the top of the package.
    num_ops : int
        How many operations are done, one after another, at least 1; one may come again, with new draws.
    factor : float or (float, float)
        In [0, 1], how strong they are; a number ``f`` means ``(0, f)``.
    interpolation : str
        Of those that move pixels.
    """

    value_range: Pair = (0.0, 255.0)
    num_ops: int = 2
    factor: float | Pair = 0.5
    interpolation: str = Interpolation.BILINEAR

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 0.3}
    _CHECKS: ClassVar[Mapping[str, Check]] = {"num_ops": _at_least_one, "factor": factor_from(0.0)}

    @property
    def operations(self) -> tuple[Transform, ...]:
        """What there is to choose from, in the order of Keras."""
        strength = _Strength(bounds_from_zero(self.factor), self.value_range, self.interpolation)
        return (*strength.moving, *strength.coloring, *strength.toning)

    @property
    def inside(self) -> tuple[Transform, ...]:
        """See `Compound`."""
        return (RandomChoice(self.operations),) * self.num_ops


@declaration
class AugMix(Compound):
    """Blend an image with chains of operations done to it, as ``keras.layers.AugMix`` (arXiv 1912.02781).

    Parameters
    ----------
    value_range : (float, float)
        See the top of the package.
    num_chains : int
        How many chains are blended, at least 1.
    chain_depth : int
        Places of a chain, at least 1: each has one of the operations, or none, all as likely.
    factor : float or (float, float)
        In [0, 1], how strong operations are; a number ``f`` means ``(0, f)``.
    alpha : float
        Above 0: the shares of the chains are drawn from Dirichlet(alpha, ..., alpha), the share of the image
        itself from Beta(alpha, alpha).
    all_ops : bool
        Whether brightness, colour degeneration, contrast and sharpness are among the operations.
    interpolation : str
        Of those that move pixels.
    """

    value_range: Pair = (0.0, 255.0)
    num_chains: int = 3
    chain_depth: int = 3
    factor: float | Pair = 0.3
    alpha: float = 1.0
    all_ops: bool = True
    interpolation: str = Interpolation.BILINEAR

    _EXAMPLE: ClassVar[Mapping[str, Any]] = {"factor": 0.3}
    _NUM_DRAWS: ClassVar[int] = 2
    _CHECKS: ClassVar[Mapping[str, Check]] = {
        "num_chains": _at_least_one,
        "chain_depth": _at_least_one,
        "factor": factor_from(0.0),
        "alpha": above_zero,
        "all_ops": yes_or_no,
    }

    @property
    def operations(self) -> tuple[Transform, ...]:
        """What there is to choose from, in the order of Keras."""
        strength = _Strength(bounds_from_zero(self.factor), self.value_range, self.interpolation)
        return (*strength.moving, *strength.toning, *(strength.coloring if self.all_ops else ()))

    @property
    def inside(self) -> tuple[Pipeline, ...]:
        """Its chains, see `Compound`."""
        place = RandomChoice((*self.operations, Pipeline(())))
        return (Pipeline((place,) * self.chain_depth),) * self.num_chains

    @property
    def not_followed(self) -> tuple[str, str]:
        """See `Transform`."""
        return "AugMix blends images that it has moved in different ways", "leave it out, or use RandAugment"

    def output_dtype(self, dtype: str) -> str:
        """The same, which each chain must take."""
        return self.inside[0].output_dtype(Transform.output_dtype(self, dtype))

    def shares(self, draws: Draws) -> npt.NDArray[np.float64]:
        """How much of the image itself and of each chain is in the result, shape (1 + num_chains,)."""
        own = beta(self.alpha, draws[1])
        return np.array([own, *((1.0 - own) * dirichlet(self.alpha, self.num_chains, draws[0]))])
