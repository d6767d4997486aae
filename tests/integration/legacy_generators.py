"""Generators of old scripts whose images say which row they are, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from children import PATIENCE_S
from images import SIZE, write_images

from feedline import BatchSequence
from feedline.legacy import DataGenerator, fit_generator
from feedline.transforms import RandomBrightness

NUM_ROWS = 27
BATCH_SIZE = 5
LENGTH = 6  # the last batch has two samples
EPOCH = list(range(NUM_ROWS))
DARKER = RandomBrightness((-0.5, -0.4))  # so that rows cannot be read any more


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images whose colour is their row, named 0000.png and so on."""
    folder = tmp_path_factory.mktemp("rows")
    write_images(folder, NUM_ROWS)
    return folder


def generator_of(folder: Path, rows: Sequence[int] = range(NUM_ROWS), **options: Any) -> DataGenerator:
    """Images in batches of five, the row as label."""
    settings = {"batch_size": BATCH_SIZE, "img_size": SIZE, "n_channels": 3, "scale": "uint8"}
    settings |= {"img_dir": str(folder), "timeout_s": PATIENCE_S, **options}
    return DataGenerator([f"{row:04}" for row in rows], np.array(rows), **settings)


@pytest.fixture
def generator(folder: Path) -> Iterator[DataGenerator]:
    """All rows, shuffled."""
    with generator_of(folder) as generator:
        yield generator


@pytest.fixture
def ordered(folder: Path) -> Iterator[DataGenerator]:
    """All rows, in order."""
    with generator_of(folder, shuffle=False) as generator:
        yield generator


def fit(model: keras.Model, generator: Any, **options: Any) -> Any:
    """`fit_generator` without a progress bar."""
    return fit_generator(model, generator, verbose=0, **options)


def epochs_in(rows: list[int]) -> list[list[int]]:
    """Rows of one sweep after the other."""
    return [rows[start : start + NUM_ROWS] for start in range(0, len(rows), NUM_ROWS)]


def num_slots(generator: BatchSequence) -> int:
    """Batches that all producers together may have in hand for a generator."""
    slots = generator.pool._thread.exchange._dispatcher._books.slots
    return generator.pool._call(lambda _: sum(slot.job_id == generator._job_id for slot, _ in slots))


class Counter(keras.callbacks.LambdaCallback):  # type: ignore[misc]  # Keras has no types
    """Counts the batches of every Keras epoch, and of every evaluation or prediction."""

    def __init__(self) -> None:
        self.trained: list[int] = []
        self.judged: list[int] = []
        super().__init__(
            on_epoch_begin=lambda *_: self.trained.append(0),
            on_train_batch_end=lambda *_, **__: _count_up(self.trained),
            on_test_begin=lambda *_: self.judged.append(0),
            on_test_batch_end=lambda *_, **__: _count_up(self.judged),
            on_predict_begin=lambda *_: self.judged.append(0),
            on_predict_batch_end=lambda *_, **__: _count_up(self.judged),
        )


def _count_up(counts: list[int]) -> None:
    counts[-1] += 1
