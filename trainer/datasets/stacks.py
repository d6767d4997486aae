"""Which files make one sample, where each sample is a stack of neighbouring slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Stacks:
    """The files of stacks; those of neighbouring samples are largely the same.

    Attributes
    ----------
    files : sequence of str
        Each file once.
    numbers : ndarray of int32
        Shape (num_samples, num_slices): places in `files`, in the order of the slices.
    """

    files: Sequence[str]
    numbers: npt.NDArray[np.int32]

    @property
    def num_slices(self) -> int:
        """Files of a sample."""
        return int(self.numbers.shape[1])

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.numbers)

    def __getitem__(self, row: int) -> tuple[str, ...]:
        """The files of a sample."""
        return tuple(self.files[number] for number in self.numbers[row].tolist())

    def subset(self, rows: Any) -> Stacks:
        """Those of some samples."""
        return replace(self, numbers=self.numbers[rows])
