"""The split that Keras makes of a directory: scripts that come from there keep their validation files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feedline.common.errors import ConfigurationError
from feedline.trainer.datasets.splits import Codes, SplitRequest, both_sides

_SUBSETS = {
    "training": ["training"],
    "validation": ["validation"],
    "both": ["training", "validation"],
}
"""The sides of a split, by what they are asked for with."""


@dataclass(frozen=True, slots=True)
class KerasSplit:
    """The split of ``keras.utils.image_dataset_from_directory``, file by file.

    Files are shuffled by NumPy's legacy generator, whose stream is frozen (NEP 19), and the last of them are
    held out (Keras 3.15, `keras/src/utils/dataset_utils.py`).

    Attributes
    ----------
    validation_split : float
        Share of the files, strictly between 0 and 1.
    subset : {"training", "validation", "both"}
        Which sides to take.
    seed : int or None
        Of the shuffle; None: the files stay as they are.
    """

    validation_split: float
    subset: str
    seed: int | None

    @classmethod
    def of(
        cls, validation_split: float | None, subset: str | None, seed: int | None, *, shuffle: bool
    ) -> KerasSplit | None:
        """Check arguments as Keras does; None if no split is asked for."""
        if not validation_split and subset is None:
            return None
        if not validation_split or subset is None:
            raise ConfigurationError(
                f"validation_split and subset go together, got validation_split={validation_split!r} and"
                f" subset={subset!r}"
            )
        if subset not in _SUBSETS:
            raise ConfigurationError(f"subset must be one of {list(_SUBSETS)}, got {subset!r}")
        if shuffle and (not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 32):
            raise ConfigurationError(
                "a shuffled split needs a seed from 0 to 2**32 - 1, so that training and validation have no"
                f" file in common; got seed={seed!r}"
            )
        return cls(validation_split, subset, seed if shuffle else None)

    def sides(self, num_samples: int) -> list[Codes]:
        """Row numbers of the sides asked for, training first.

        Raises
        ------
        DatasetError
            A side would be empty. Keras then holds out all files.
        """
        request = SplitRequest(self.validation_split, self.seed or 0, num_samples)
        rows = np.arange(num_samples)
        both_sides(request, rows >= num_samples - request.num_wanted)
        if self.seed is not None:
            np.random.RandomState(self.seed).shuffle(rows)
        sides = {"training": rows[: -request.num_wanted], "validation": rows[-request.num_wanted :]}
        return [sides[name] for name in _SUBSETS[self.subset]]
