"""``fit`` on JAX that divides each batch between two devices of a process: ``python two_devices.py FOLDER``.

Writes, as JSON, the rows that each epoch's training steps saw.
"""

# ruff: noqa: PLC0415 - the backend is chosen before Keras is imported

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

NUM_EPOCHS = 3


def main(folder: str) -> None:
    """Train, and tell."""
    os.environ |= {
        "KERAS_BACKEND": "jax",
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    import keras
    from recorder import recording_model

    from feedline import BatchSequence, ImageDataset

    devices = keras.distribution.list_devices()
    assert len(devices) == 2
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    names = sorted(path.name for path in Path(folder).glob("*.png"))
    data = ImageDataset.from_lists(names, np.arange(len(names)), directory=folder)
    model, recorder = recording_model()
    rows = []
    # Each batch has to be a multiple of the number of devices.
    with BatchSequence(
        data, batch_size=4, image_size=(24, 32), seed=3, workers=1, drop_remainder=True
    ) as sequence:
        for _ in range(NUM_EPOCHS):
            model.fit(sequence, epochs=1, verbose=0)
            rows.append(recorder.take_rows())
    sys.stdout.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
