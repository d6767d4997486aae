"""Samples that have nothing but labels, and samplers to draw from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.samplers import BalancedSampler, KeepProbabilitySampler, WeightedSampler

RARE = [0, 0, 0, 0, 1, 0, 0, 1, 0, 0]

SAMPLERS = [
    BalancedSampler("any"),
    BalancedSampler(num_samples=23),
    KeepProbabilitySampler({0: 0.5, 1: 0.75, 2: 0.25, 3: 1}, by="any"),
    KeepProbabilitySampler({0: 1, 1: 0.9, 2: 0.7, 3: 0.5}),
    WeightedSampler("w"),
    WeightedSampler("w", num_samples=7),
    WeightedSampler({0: 1.0, 1: 2.0, 2: 0.5, 3: 4.0}),
]
"""Each kind of sampler, for samples of classes 0 to 3."""


@dataclass
class Samples:
    """As much of a dataset as samplers read."""

    columns: dict[Any, npt.NDArray[Any]]
    targets: tuple[npt.NDArray[Any], ...] = field(default=())
    class_names: list[str] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def labelled(labels: list[Any]) -> Samples:
    """Samples with a column "any", a column "w" of growing weights, and labels that are classes."""
    column = np.array(labels)
    return Samples({"any": column, "w": np.arange(1.0, len(labels) + 1)}, (column,))
