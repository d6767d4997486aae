"""Keras' own `PyDataset`, with threads or with processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from feedline.trainer.bench import work
from feedline.trainer.bench.case import Case
from feedline.trainer.bench.contenders.base import Contender


class Photos(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """A dataset as its users write them."""

    def __init__(self, case: Case, *, use_multiprocessing: bool) -> None:
        super().__init__(workers=case.workers, use_multiprocessing=use_multiprocessing, max_queue_size=10)
        self._case = case

    def __len__(self) -> int:
        return self._case.num_steps

    def __getitem__(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        size, rng = self._case.batch_size, np.random.default_rng()
        files = self._case.files[index * size : (index + 1) * size]
        images = np.stack([work.augmented(path, self._case, rng) for path in files])
        return images, np.arange(len(files)) % 10


class KerasThreads(Contender):
    """``workers=N``."""

    packages: ClassVar[tuple[str, ...]] = ("keras", "tensorflow")
    use_multiprocessing: ClassVar[bool] = False

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._dataset = Photos(case, use_multiprocessing=self.use_multiprocessing)
        self._adapter = PyDatasetAdapter(self._dataset, shuffle=False)

    @property
    def fit_source(self) -> Any:
        """The dataset."""
        return self._dataset

    def epoch(self) -> Iterator[Any]:
        """One epoch, as `fit` goes about it."""
        self._adapter.on_epoch_begin()
        yield from self._adapter.get_numpy_iterator()
        self._adapter.on_epoch_end()

    def plain(self, num: int) -> npt.NDArray[Any]:
        """By OpenCV."""
        return np.stack([work.plain(path, self.case) for path in self.case.files[:num]])


class KerasProcesses(KerasThreads):
    """``workers=N, use_multiprocessing=True``."""

    use_multiprocessing: ClassVar[bool] = True
