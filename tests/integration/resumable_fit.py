"""A training that can be killed at any moment: ``python resumable_fit.py JSON``, for `test_resuming.py`.

A small network with all that has a state of its own: batch normalisation, dropout, Adam, a learning rate
that falls, and a stop that may come early. Each batch that is trained, and no other, is written to a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from feedline import BatchSequence, ImageDataset
from feedline.callbacks import ResumeTraining
from feedline.transforms import RandomBrightness, RandomFlip

SIZE = (8, 12)


class Interrupted(Exception):  # noqa: N818 - a test's own end of a training, and no error
    """The training is to end here."""


@dataclass
class Script:
    """What a script says; to be run again with other producers.

    Attributes
    ----------
    images : str
        Folder of images.
    run : str
        Folder of the training.
    trained : str
        File that gets a line for each batch that is trained.
    result : str
        File that gets the weights and the history.
    stop_after : int
        Raise `Interrupted` after so many batches; 0: never.
    is_polite : bool
        Tell Keras to stop then, and raise it when Keras has.
    swaps_ema : bool
        Judge by averaged weights, which are in the model between epochs.
    """

    images: str
    run: str
    trained: str
    result: str = ""
    epochs: int = 3
    batch_size: int = 3
    save_every: Any = 1
    workers: int = 1
    seed: int = 5
    cache: str | None = None
    steps_per_epoch: int | None = None
    steps_per_execution: int = 1
    class_weight: dict[str, float] | None = None
    validates: bool = True
    stop_after: int = 0
    is_polite: bool = False
    swaps_ema: bool = False

    def __post_init__(self) -> None:
        """Find the images."""
        names = sorted(path.name for path in Path(self.images).iterdir())
        self.data = ImageDataset.from_lists(names, np.arange(len(names)) % 2, directory=self.images)

    def fit(self) -> dict[str, list[float]]:
        """Train; returns the history."""
        model = self.model()
        common = {
            "batch_size": self.batch_size,
            "image_size": SIZE,
            "workers": self.workers,
            "cache": self.cache,
        }
        transforms = [RandomFlip("horizontal"), RandomBrightness(0.2)]
        interrupt = Interrupt(self.stop_after, is_polite=self.is_polite)
        weights = {int(name): weight for name, weight in (self.class_weight or {}).items()}
        with (
            BatchSequence(self.data, seed=self.seed, transforms=transforms, **common) as train,
            BatchSequence(self.data, shuffle=False, **common) as val,
        ):
            model.fit(
                train,
                epochs=self.epochs,
                steps_per_epoch=self.steps_per_epoch,
                validation_data=val if self.validates else None,
                class_weight=weights or None,
                callbacks=[
                    ResumeTraining(self.run, self.save_every),
                    keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.5, min_delta=0.05),
                    keras.callbacks.EarlyStopping(monitor="loss", patience=15, restore_best_weights=True),
                    interrupt,
                    *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if self.swaps_ema else []),
                ],
                verbose=0,
            )
        if interrupt.has_stopped:
            raise Interrupted
        self.write_result(model)
        return model.history.history

    def model(self) -> keras.Model:
        """The same one in every process."""
        keras.utils.set_random_seed(1)
        layers = keras.layers
        model = Recording(
            Path(self.trained),
            [
                layers.Rescaling(1 / 255),
                layers.Conv2D(4, 3),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dropout(0.5),
                layers.Dense(1, activation="sigmoid"),
            ],
        )
        model.compile(
            keras.optimizers.Adam(1e-2, use_ema=self.swaps_ema, ema_momentum=0.9),
            "binary_crossentropy",
            metrics=["accuracy"],
            steps_per_execution=self.steps_per_execution,
        )
        return model

    def write_result(self, model: keras.Model) -> None:
        """Weights and optimizer to the last bit, and the loss curve."""
        digest = hashlib.sha256()
        for variable in [*model.variables, *model.optimizer.variables]:
            digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
        found = {"weights": digest.hexdigest(), "history": model.history.history}
        if self.result:
            Path(self.result).write_text(json.dumps(found))


class Recording(keras.Sequential):  # type: ignore[misc]  # Keras has no types
    """Writes a line for each batch in the step that trains it: its number in the training and its content."""

    def __init__(self, file: Path, layers: list[Any]) -> None:
        super().__init__(layers)
        self.number = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False)
        self._fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Where all backends come by with a batch."""
        if training:
            self.number.assign_add(1)
            self._take_down(keras.ops.convert_to_tensor(self.number), x, y)
        return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)

    def _take_down(self, number: Any, x: Any, y: Any) -> None:
        match keras.backend.backend():
            case "tensorflow":
                import tensorflow as tf  # noqa: PLC0415

                tf.numpy_function(self._write, [number, x, y], [])
            case "jax":
                import jax  # noqa: PLC0415

                jax.debug.callback(self._write, number, x, y, ordered=True)
            case "torch":
                if isinstance(x, keras.KerasTensor) or x.device.type == "meta":
                    return
                self._write(*(np.asarray(keras.ops.convert_to_numpy(one)) for one in (number, x, y)))

    def _write(self, number: Any, x: Any, y: Any) -> None:
        content = hashlib.sha256(np.asarray(x).tobytes() + np.asarray(y).tobytes()).hexdigest()
        os.write(self._fd, f"{int(number)} {content}\n".encode())


class Interrupt(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Ends the training after so many batches: as an error would, or as a time limit does."""

    def __init__(self, after: int, *, is_polite: bool) -> None:
        super().__init__()
        self._left, self._is_polite = after, is_polite

    @property
    def has_stopped(self) -> bool:
        """Whether Keras was told to stop, and did so."""
        return self._is_polite and self.model.stop_training and self._left <= 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        """Count."""
        self._left -= 1
        if self._left == 0 and not self._is_polite:
            raise Interrupted
        if self._left == 0:
            self.model.stop_training = True


if __name__ == "__main__":
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    Script(**json.loads(sys.argv[1])).fit()
