"""Feedline itself."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from feedline.common.declarations.color import RandomBrightness
from feedline.common.declarations.geometry import RandomFlip
from feedline.common.errors import ConfigurationError
from feedline.trainer.bench.case import DELTA, Case
from feedline.trainer.bench.contenders.base import Contender
from feedline.trainer.bench.links import open_pool
from feedline.trainer.bench.processes import memory_mb
from feedline.trainer.bench.slices import WINDOWS
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.sequences.batch_sequence import BatchSequence

TRANSFORMS = (RandomFlip("horizontal"), RandomBrightness(DELTA))
MAX_QUEUE_SIZE = 6


class Feedline(Contender):
    """`BatchSequence` over embedded producers."""

    packages: ClassVar[tuple[str, ...]] = ("keras", "pyzmq", "msgpack", "feedline")

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        if not case.fast:
            os.environ["FEEDLINE_FAST"] = "0"
        self._names = [os.path.relpath(path, case.folder) for path in case.files]
        self._open = ExitStack()
        self._pool = self._open.enter_context(open_pool(case))
        labels = np.arange(len(case.files)) % 10
        self._data = ImageDataset.from_lists(self._names, labels, directory=case.folder)
        self._sequence = self._make(self._data, TRANSFORMS, shuffle=True)

    @property
    def queue_batches(self) -> int:
        """Every slot of every producer may hold a batch, and two more may have been idled over."""
        filling = self.case.num_steps if self.case.cache else 0
        return filling + (MAX_QUEUE_SIZE + 2) * self.case.workers

    @property
    def fit_source(self) -> Any:
        """Itself."""
        return self._sequence

    def epoch(self) -> Iterator[Any]:
        """One epoch."""
        return iter(self._sequence)

    def plain(self, num: int) -> npt.NDArray[Any]:
        """The first images, by a sequence of their own."""
        some = ImageDataset.from_lists(self._names[:num], directory=self.case.folder)
        with self._make(some, (), shuffle=False) as sequence:
            return np.concatenate(list(sequence))

    def details(self) -> dict[str, Any]:
        """Where the time went, and what the producers weigh."""
        stats = asdict(self._pool.counters())
        stats["memory_mb"] = [memory_mb(producer["pid"]) for producer in stats["producers"]]
        return stats

    def close(self) -> None:
        """End the producers."""
        self._sequence.close()
        self._open.close()

    def _make(self, data: ImageDataset, transforms: Any, *, shuffle: bool) -> BatchSequence:
        case = self.case
        return BatchSequence(
            data,
            batch_size=case.batch_size,
            image_size=(case.height, case.width),
            color_mode=WINDOWS if case.color_mode == "windows" else case.color_mode,
            transforms=transforms,
            shuffle=shuffle,
            pool=self._pool,
            max_queue_size=MAX_QUEUE_SIZE,
            **self._newer_options(),
        )

    def _newer_options(self) -> dict[str, Any]:
        """Options that not every version has."""
        wanted = {"cache": self.case.cache, "jpeg_scaling": self.case.jpeg_scaling}
        chosen = {name: value for name, value in wanted.items() if value}
        for name in chosen:
            if not has_option(name):
                raise ConfigurationError(f"this version of Feedline has no {name}=: leave it out")
        return chosen


def has_option(name: str) -> bool:
    """Whether `BatchSequence` takes an argument of this name."""
    return name in inspect.signature(BatchSequence.__init__).parameters
