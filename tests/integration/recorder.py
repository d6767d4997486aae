"""Tiny models that know what they were trained on, on any of Keras' backends.

What a sequence hands out is not what a model learns from: TensorFlow reads ahead and throws away.
So the training step itself takes down the labels, which are rows, and what the pixels say.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from images import SIZE
from keras import ops

CAPACITY = 4096


class ReadRow(keras.layers.Layer):
    """Reads the row that an image's colour stands for; its weight is there to be trained."""

    def build(self, _shape: Any) -> None:
        """Make the weight."""
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        """(batch, height, width, 3) of 0..255 -> (batch, 1)."""
        digits = ops.floor(ops.mean(ops.cast(x, "float32"), axis=(1, 2)) / 16)
        return ops.matmul(digits, ops.convert_to_tensor([[256.0], [16.0], [1.0]])) + self.bias


class Recorder(keras.metrics.Metric):
    """Takes down every sample that a training or test step saw, in order, with its weight."""

    def __init__(self, name: str = "recorder") -> None:
        super().__init__(name=name)
        self.log = self.add_variable((CAPACITY, 3), "zeros", dtype="float32", name="log")
        self.count = self.add_variable((), "zeros", dtype="int32", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: labels, rows in the pixels, weights."""
        labels = ops.reshape(ops.cast(y_true, "float32"), (-1,))
        weights = ops.ones_like(labels) if sample_weight is None else ops.cast(sample_weight, "float32")
        entries = ops.stack([labels, ops.reshape(y_pred, (-1,)), ops.reshape(weights, (-1,))], axis=1)
        places = ops.convert_to_tensor(self.count) + ops.arange(ops.shape(entries)[0], dtype="int32")
        log = ops.convert_to_tensor(self.log)
        self.log.assign(ops.scatter_update(log, ops.expand_dims(places, 1), entries))
        self.count.assign_add(ops.shape(entries)[0])

    def result(self) -> Any:
        """How many there are."""
        return ops.convert_to_tensor(self.count)

    def reset_state(self) -> None:
        """Keras calls it at the beginning of every epoch: keep all."""

    def take(self) -> npt.NDArray[np.float64]:
        """Empty the log: (samples, [label, row in the pixels, weight]), in the order of training."""
        log = ops.convert_to_numpy(self.log + 0)[: int(self.count + 0)]
        self.count.assign(0)
        return log.astype(np.float64)

    def take_rows(self) -> list[int]:
        """Empty the log of samples whose pixels and label agree; their rows."""
        log = self.take()
        assert (log[:, 0] == log[:, 1]).all(), "an image and its label parted ways"
        return log[:, 0].astype(int).tolist()


def recording_model(**compile_options: Any) -> tuple[keras.Model, Recorder]:
    """Make a model that is really trained, but with a learning rate of 0: it reads well for ever."""
    model = keras.Sequential([keras.Input((*SIZE, 3), dtype="uint8"), ReadRow()])
    recorder = Recorder()
    model.compile(keras.optimizers.SGD(0.0), "mae", weighted_metrics=[recorder], **compile_options)
    return model, recorder
