"""Single figures, each taken in a fresh process: ``python -P -m feedline.trainer.bench.probes WHAT CASE``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from feedline.common.batch.layout import empty_buffer
from feedline.trainer.bench.case import Case
from feedline.trainer.bench.fitting import trivial_model
from feedline.trainer.bench.processes import descendants, memory_mb
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.sequences.batch_sequence import BatchSequence

NUM_BATCHES = 100


class Ready(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Hands out one aligned batch again and again: what `fit` takes then is its own."""

    def __init__(self, case: Case) -> None:
        super().__init__(workers=1)
        shape = (case.batch_size, *case.shape)
        self._batch = empty_buffer(int(np.prod(shape))).reshape(shape)
        self._labels = np.zeros(case.batch_size, np.int64)

    def __len__(self) -> int:
        return NUM_BATCHES

    def __getitem__(self, index: int) -> Any:
        return self._batch, self._labels


class EpochTimes(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Notes when each batch ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note it."""
        del batch, logs
        self.ends.append(time.perf_counter())


def keras_overhead(case: Case) -> dict[str, Any]:
    """Milliseconds that `fit` takes for a batch that is ready, with a model that does next to nothing."""
    times = EpochTimes()
    trivial_model(case.shape).fit(Ready(case), epochs=2, verbose=0, shuffle=False, callbacks=[times])
    second = times.ends[NUM_BATCHES:]
    return {"ms": float(np.median(np.diff(second))) * 1e3}


def first_batch(case: Case) -> dict[str, Any]:
    """Seconds from making a sequence to its first batch; and what a producer weighs."""
    data = ImageDataset.from_lists(case.files, np.arange(len(case.files)) % 10)
    began = time.perf_counter()
    with BatchSequence(
        data,
        batch_size=case.batch_size,
        image_size=(case.height, case.width),
        color_mode=case.color_mode,
        workers=case.workers,
    ) as sequence:
        _ = sequence[0]
        seconds = time.perf_counter() - began
        for index in range(len(sequence)):
            _ = sequence[index]
        sizes = [memory_mb(pid) for pid in descendants(os.getpid())]
    return {"seconds": seconds, "memory_mb": sizes}


PROBES: dict[str, Callable[[Case], dict[str, Any]]] = {
    "keras-overhead": keras_overhead,
    "first-batch": first_batch,
}


if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](Case.from_json(sys.argv[2]))))  # noqa: T201 - the answer
