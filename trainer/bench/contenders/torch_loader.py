"""PyTorch's `DataLoader` with worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from feedline.trainer.bench import work
from feedline.trainer.bench.case import Case
from feedline.trainer.bench.contenders.base import Contender


class Photos(Dataset):  # type: ignore[misc]  # not looked into: it may not be installed
    """A dataset as its users write them."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def __len__(self) -> int:
        return len(self._case.files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        rng = np.random.default_rng()
        return torch.from_numpy(work.augmented(self._case.files[index], self._case, rng)), index % 10


class TorchLoader(Contender):
    """``num_workers=N``, workers kept over epochs."""

    packages: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._loader = DataLoader(
            Photos(case),
            case.batch_size,
            shuffle=True,
            num_workers=case.workers,
            persistent_workers=True,
            worker_init_fn=_alone,
        )

    @property
    def fit_source(self) -> Any:
        """The loader."""
        return self._loader

    def epoch(self) -> Iterator[Any]:
        """One epoch."""
        return iter(self._loader)

    def plain(self, num: int) -> npt.NDArray[Any]:
        """By OpenCV."""
        return np.stack([work.plain(path, self.case) for path in self.case.files[:num]])


def _alone(_: int) -> None:
    cv2.setNumThreads(0)
