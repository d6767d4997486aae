"""Grain with worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import grain
import numpy as np
import numpy.typing as npt
from absl import flags

from feedline.trainer.bench import work
from feedline.trainer.bench.case import Case
from feedline.trainer.bench.contenders.base import Contender


class GrainLoader(Contender):
    """``shuffle``, ``map``, ``batch``, ``mp_prefetch(N)``."""

    packages: ClassVar[tuple[str, ...]] = ("grain",)

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        # Its workers read absl's flags, which nobody parses here.
        flags.FLAGS.mark_as_parsed()
        dataset = grain.MapDataset.range(len(case.files)).shuffle(seed=7)
        # Endless: workers are not started anew for each epoch.
        dataset = dataset.repeat().random_map(lambda row, rng: (_image(case, row, rng), row % 10), seed=7)
        batches = dataset.batch(case.batch_size).to_iter_dataset()
        if case.workers:
            batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=case.workers))
        self._batches = iter(batches)

    def epoch(self) -> Iterator[Any]:
        """As many batches as an epoch has."""
        return (next(self._batches) for _ in range(self.case.num_steps))

    def plain(self, num: int) -> npt.NDArray[Any]:
        """By OpenCV."""
        return np.stack([work.plain(path, self.case) for path in self.case.files[:num]])


def _image(case: Case, row: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    return work.augmented(case.files[int(row)], case, rng)
