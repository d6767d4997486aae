"""Batches taken by `fit` of a model that does next to nothing with them."""

from __future__ import annotations

from typing import Any

import keras

from feedline.trainer.bench.case import Case
from feedline.trainer.bench.meter import Meter

MAX_EPOCHS = 10_000


class MeterCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Tells the meter of every batch, and ends `fit` at the end of an epoch."""

    def __init__(self, case: Case, meter: Meter) -> None:
        super().__init__()
        self._case = case
        self._meter = meter

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count it."""
        del logs
        self._meter.take(self._size(batch), first_of_epoch=batch == 0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Within an epoch, `fit` would leave batches behind that the next one asks for again."""
        del logs
        self.model.stop_training = self._meter.is_done and epoch > 0

    def _size(self, batch: int) -> int:
        whole = batch + 1 < self._case.num_steps
        return self._case.batch_size if whole else len(self._case.files) - batch * self._case.batch_size


def trivial_model(shape: tuple[int, ...]) -> Any:
    """Looks at one pixel of each image."""
    inputs = keras.Input(shape, dtype="uint8")
    pixel = keras.ops.cast(inputs[:, 0, 0, :1], "float32")
    model = keras.Model(inputs, keras.layers.Dense(1)(pixel))
    model.compile("sgd", "mse")
    return model


def fit_until_done(source: Any, case: Case, meter: Meter) -> None:
    """Train until the meter has seen enough, then to the end of that epoch."""
    model = trivial_model(case.shape)
    model.fit(source, epochs=MAX_EPOCHS, verbose=0, shuffle=False, callbacks=[MeterCallback(case, meter)])
