"""A real training that says, for each epoch, which rows the model was trained on.

Runs in the trainer's container in place of the demo. Each image is one colour that spells its row, and
its label is the row, so that a picture and a label that parted ways are seen too. Images are large
for what is made of them: producers are the slow side, and hold leases whenever they are killed.

Trains until the file `FINISH` exists. Writes one JSON object a line.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from feedline import BatchSequence, ImageDataset, ProducerPool

IMAGES = Path("/tiles/audit")
FINISH = Path("/tmp/finish")
SIDE = 1600


def say(event: str, **what: Any) -> None:
    """Write one line; the test reads it from the container's log."""
    sys.stdout.write(json.dumps({"event": event, **what}) + "\n")
    sys.stdout.flush()


def paint(num_rows: int) -> None:
    """Make the images that are missing: red and green are the row's two bytes."""
    IMAGES.mkdir(exist_ok=True)
    for row in range(num_rows):
        path = IMAGES / f"{row}.png"
        if not path.exists():
            part = path.with_suffix(".part.png")
            cv2.imwrite(str(part), np.full((SIDE, SIDE, 3), (0, row % 256, row // 256), np.uint8))
            part.rename(path)


class Audit(keras.callbacks.Callback):
    """What the model was trained on in the epoch that runs."""

    def __init__(self, sequence: BatchSequence) -> None:
        super().__init__()
        self.sequence = sequence
        self.rows: list[int] = []
        self.num_mismatched = 0

    def note(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Take down one batch, from within the training step."""
        spelt = images[:, 0, 0, 0].astype(int) * 256 + images[:, 0, 0, 1]
        self.num_mismatched += int((spelt != labels).sum())
        self.rows.extend(labels.astype(int).tolist())

    def on_epoch_end(self, epoch: int, _logs: dict[str, Any] | None = None) -> None:
        """Report, and stop if that is wanted."""
        say(
            "epoch",
            epoch=epoch,
            producers=self.sequence.pool.producers,
            wait_s=round(self.sequence.stats.wait_s, 2),
            num_mismatched=self.num_mismatched,
            rows=self.rows,
        )
        self.rows, self.num_mismatched = [], 0
        self.model.stop_training = FINISH.exists()


class AuditedModel(keras.Sequential):
    """Shows each batch that it is trained on to `audit`."""

    audit: Audit

    def train_step(self, data: Any) -> Any:
        """Train, eagerly, on one batch."""
        images, labels = data
        self.audit.note(images.numpy(), labels.numpy())
        return super().train_step(data)


def main(num_rows: int) -> None:
    """Train on `num_rows` images until told to finish."""
    logging.basicConfig(level=logging.INFO)
    keras.utils.set_random_seed(7)  # Keras shuffles too: a new run repeats the last one
    paint(num_rows)
    data = ImageDataset.from_lists(
        [f"audit/{row}.png" for row in range(num_rows)], np.arange(num_rows), directory="/tiles"
    )
    model = AuditedModel([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    model.compile("sgd", "mae", run_eagerly=True)
    with ProducerPool("tcp://0.0.0.0:5555") as pool:
        say("start")
        train = BatchSequence(data, batch_size=8, image_size=(16, 16), shuffle=True, seed=7, pool=pool)
        model.audit = Audit(train)
        model.fit(train, epochs=1000, callbacks=[model.audit], verbose=0)
    say("end")


if __name__ == "__main__":
    main(int(sys.argv[1]))
