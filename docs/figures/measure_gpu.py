"""Measure a ResNet-50 on a GPU by its feed: ``python docs/figures/measure_gpu.py jax 14``.

The arguments are Keras' backend and the number of producers or threads. What feeds the model are JPEG
photographs, made up, of 500 x 375 pixels, decoded and resized to 224 x 224 and half of them mirrored, in
batches of 256; next to them one batch that is in memory already, over and over: no feed can be faster. Prints
images per second of each epoch of 40 batches.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = sys.argv[1]

import cv2
import keras
import numpy as np

from feedline import BatchSequence, ImageDataset
from feedline.callbacks import FeedMonitor
from feedline.transforms import RandomFlip

NUM_FILES, BATCH_SIZE, NUM_STEPS, SIDE = 1024, 256, 40, 224

RNG = np.random.default_rng(1)
NAMES = [f"{nth}.jpg" for nth in RNG.integers(0, NUM_FILES, BATCH_SIZE * NUM_STEPS)]
LABELS = RNG.integers(0, 1000, len(NAMES))


class InMemory(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """The same batch again and again."""

    x, y = RNG.integers(0, 256, (BATCH_SIZE, SIDE, SIDE, 3), np.uint8), LABELS[:BATCH_SIZE]

    def __len__(self) -> int:
        return NUM_STEPS

    def __getitem__(self, index: int) -> Any:
        return self.x, self.y


class Generator(keras.utils.PyDataset):  # type: ignore[misc]
    """What people write: everything in ``__getitem__``."""

    def __init__(self, folder: Path, **options: int) -> None:
        super().__init__(**options)
        self._folder = folder

    def __len__(self) -> int:
        return NUM_STEPS

    def __getitem__(self, index: int) -> Any:
        rows = slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE)
        x = np.empty((BATCH_SIZE, SIDE, SIDE, 3), np.uint8)
        for place, name in enumerate(NAMES[rows]):
            x[place] = cv2.resize(cv2.imread(str(self._folder / name)), (SIDE, SIDE))[..., ::-1]
            if place % 2:
                x[place] = x[place, :, ::-1].copy()
        return x, LABELS[rows]


class Rates(keras.callbacks.Callback):  # type: ignore[misc]
    """Images per second, epoch by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[int] = []
        self._began = 0.0

    def on_epoch_begin(self, *_: Any) -> None:
        """Note when."""
        self._began = time.perf_counter()

    def on_epoch_end(self, *_: Any) -> None:
        """Note how fast it was."""
        self.rates.append(round(BATCH_SIZE * NUM_STEPS / (time.perf_counter() - self._began)))


def make_photographs(folder: Path) -> None:
    """Write coarse colours with noise over them: some 72 kB each."""
    rng = np.random.default_rng(0)
    for nth in range(NUM_FILES):
        coarse = rng.integers(0, 256, (24, 32, 3), np.uint8)
        picture = cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        picture += rng.normal(0, 9, picture.shape).astype(np.int16)
        pixels = np.clip(picture, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{nth}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])


def resnet_50() -> keras.Model:
    """Make it, in bfloat16 where that is enough."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    inputs = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    network = keras.applications.ResNet50(weights=None, classes=1000, input_shape=(SIDE, SIDE, 3))
    model = keras.Model(inputs, network(keras.layers.Rescaling(1 / 127.5, -1)(inputs)))
    model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    return model


def measure(workers: int) -> None:
    """Train one model with each feed in turn."""
    folder = Path(tempfile.mkdtemp())
    make_photographs(folder)
    model = resnet_50()

    def fit(name: str, feed: Any, epochs: int, *more: Any) -> None:
        rates = Rates()
        model.fit(feed, epochs=epochs, verbose=0, callbacks=[*more, rates])
        print(f"{keras.backend.backend()}, {name}: {rates.rates} images/s", flush=True)

    data = ImageDataset.from_lists(NAMES, LABELS, directory=folder)
    options = {"batch_size": BATCH_SIZE, "image_size": (SIDE, SIDE), "transforms": [RandomFlip()], "seed": 1}
    fit("in memory, compiles first", InMemory(), 1)
    fit("in memory", InMemory(), 3)
    for asked in (workers, "auto"):
        with BatchSequence(data, workers=asked, **options) as sequence:
            fit(f"Feedline, workers={asked!r}", sequence, 5, FeedMonitor())
            print(sequence.report())
    fit("in memory again", InMemory(), 2)
    fit("a generator", Generator(folder), 1)
    fit(f"a generator, {workers} threads", Generator(folder, workers=workers, max_queue_size=workers), 2)


if __name__ == "__main__":
    measure(int(sys.argv[2]))
