"""``fit`` that divides each batch between two devices of a process: ``python two_devices.py BACKEND FOLDER``.

Writes, as JSON, the rows that each epoch's training steps saw.
"""

# ruff: noqa: PLC0415 - the backend is chosen before Keras is imported

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

NUM_EPOCHS = 3


def two_devices(backend: str) -> AbstractContextManager[Any]:
    """Two virtual processors, and what divides batches between them."""
    if backend == "tensorflow":
        import tensorflow as tf

        (processor,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        assert strategy.num_replicas_in_sync == 2
        return strategy.scope()  # type: ignore[no-any-return]
    import keras

    devices = keras.distribution.list_devices()
    assert len(devices) == 2
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return nullcontext()


def main(backend: str, folder: str) -> None:
    """Train, and tell."""
    os.environ |= {
        "KERAS_BACKEND": backend,
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    scope = two_devices(backend)
    from recorder import recording_model

    from feedline import BatchSequence, ImageDataset

    names = sorted(path.name for path in Path(folder).glob("*.png"))
    data = ImageDataset.from_lists(names, np.arange(len(names)), directory=folder)
    with scope:
        model, recorder = recording_model()
    rows = []
    # On JAX each batch has to be a multiple of the number of devices.
    even = {"drop_remainder": backend == "jax"}
    with BatchSequence(data, batch_size=4, image_size=(24, 32), seed=3, workers=1, **even) as sequence:
        for _ in range(NUM_EPOCHS):
            model.fit(sequence, epochs=1, verbose=0)
            rows.append(recorder.take_rows())
    sys.stdout.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
