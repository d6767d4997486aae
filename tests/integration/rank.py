"""One of two ranks that train one model: ``python rank.py FRAMEWORK RANK PORT FOLDER REMAINDER``.

Each writes, as JSON, the rows that its training steps saw, epoch by epoch, and a digest of what it learnt.
"""

# ruff: noqa: PLC0415 - a process needs one framework alone

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

NUM_RANKS, NUM_EPOCHS, BATCH_SIZE, SEED = 2, 3, 4, 3

Rows = list[list[int]]
"""Of each epoch."""

Trained = tuple[Rows, Any]
"""And the weights at the end."""


def batches(sequence: Any) -> Iterator[tuple[Any, Any]]:
    """One epoch, step by step, as a loop of one's own takes it."""
    for step in range(len(sequence)):
        yield sequence[step]
    sequence.on_epoch_end()


def with_torch(rank: int, port: int, sequence_of: Callable[[], Any]) -> Trained:
    """DistributedDataParallel around a Keras model: gradients are averaged in each backward pass."""
    os.environ |= {"KERAS_BACKEND": "torch", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    import keras
    import torch

    torch.distributed.init_process_group("gloo", rank=rank, world_size=NUM_RANKS)
    model = keras.Sequential([keras.Input((24, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    replica = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(replica.parameters(), 1e-6)
    rows: Rows = []
    with sequence_of() as sequence:
        for _ in range(NUM_EPOCHS):
            rows.append([])
            for x, y in batches(sequence):
                optimizer.zero_grad()
                loss = replica(torch.as_tensor(x, dtype=torch.float32)).mean()
                loss.backward()
                optimizer.step()
                rows[-1] += y.tolist()
    weights = keras.ops.convert_to_numpy(model.layers[-1].kernel)
    torch.distributed.destroy_process_group()
    return rows, weights


def with_jax(rank: int, port: int, sequence_of: Callable[[], Any]) -> Trained:
    """A step over all processes' devices: each brings its part of the global batch."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    jax.distributed.initialize(f"127.0.0.1:{port}", NUM_RANKS, rank)
    ranks = NamedSharding(Mesh(jax.devices(), ("rank",)), PartitionSpec("rank"))

    @jax.jit
    def step(weights: Any, x: Any, y: Any) -> Any:
        def loss(weights: Any) -> Any:
            return jnp.mean((x.reshape(len(x), -1).astype("float32") @ weights - y) ** 2)

        return weights - 1e-12 * jax.grad(loss)(weights)

    weights, rows = jnp.zeros(24 * 32 * 3), []
    with sequence_of() as sequence:
        for _ in range(NUM_EPOCHS):
            rows.append([])
            for x, y in batches(sequence):
                whole = [jax.make_array_from_process_local_data(ranks, part) for part in (x, y)]
                weights = step(weights, *whole)
                rows[-1] += y.tolist()
    learnt = np.asarray(weights)
    jax.distributed.shutdown()
    return rows, learnt


def with_keras_on_jax(rank: int, port: int, sequence_of: Callable[[], Any]) -> Trained:
    """``fit`` under Keras' own DataParallel: its metrics, and so these rows, are those of all ranks."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax

    jax.distributed.initialize(f"127.0.0.1:{port}", NUM_RANKS, rank)
    import keras
    from recorder import recording_model

    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    model, recorder = recording_model()
    with sequence_of() as sequence:
        model.fit(sequence, epochs=NUM_EPOCHS, verbose=0)
        rows = recorder.take_rows()
        per_epoch = len(sequence.labels) * NUM_RANKS
    learnt = np.concatenate([one.ravel() for one in model.get_weights()])
    jax.distributed.shutdown()
    return [rows[at : at + per_epoch] for at in range(0, len(rows), per_epoch)], learnt


def with_tensorflow(rank: int, port: int, sequence_of: Callable[[], Any]) -> Trained:
    """MultiWorkerMirroredStrategy with a loop of one's own: ``fit`` of Keras 3 does not run under it."""
    workers = [f"127.0.0.1:{port + nth}" for nth in range(NUM_RANKS)]
    task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}
    os.environ |= {"TF_CONFIG": json.dumps(task), "CUDA_VISIBLE_DEVICES": ""}
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        weights = tf.Variable(tf.zeros((24 * 32 * 3, 1)))

    @tf.function
    def step(x: Any, y: Any) -> Any:
        def on_replica(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                made = tf.reshape(tf.cast(x, tf.float32), (tf.shape(x)[0], -1)) @ weights
                loss = tf.reduce_mean((made[:, 0] - tf.cast(y, tf.float32)) ** 2)
            gradient = tape.gradient(loss, weights)
            total = tf.distribute.get_replica_context().all_reduce("sum", gradient)
            weights.assign_sub(1e-12 * total)
            return loss

        return strategy.reduce("mean", strategy.run(on_replica, (x, y)), axis=None)

    rows: Rows = []
    with sequence_of() as sequence:
        for _ in range(NUM_EPOCHS):
            rows.append([])
            for x, y in batches(sequence):
                step(tf.constant(x), tf.constant(y))
                rows[-1] += y.tolist()
    return rows, weights.numpy()


FRAMEWORKS = {
    "torch": with_torch,
    "jax": with_jax,
    "keras-on-jax": with_keras_on_jax,
    "tensorflow": with_tensorflow,
}


def main(framework: str, rank: str, port: str, folder: str, remainder: str) -> None:
    """Train, and tell."""
    if framework == "torch":
        os.environ["KERAS_BACKEND"] = "torch"
    elif "jax" in framework:
        os.environ |= {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}

    def sequence_of() -> Any:
        from feedline import BatchSequence, ImageDataset

        names = sorted(path.name for path in Path(folder).glob("*.png"))
        data = ImageDataset.from_lists(names, np.arange(len(names)), directory=folder)
        return BatchSequence(
            data,
            batch_size=BATCH_SIZE,
            image_size=(24, 32),
            seed=SEED,
            shard_index=int(rank),
            shard_count=NUM_RANKS,
            shard_remainder=remainder,
            workers=1,
        )

    rows, weights = FRAMEWORKS[framework](int(rank), int(port), sequence_of)
    assert np.isfinite(weights).all()
    digest = hashlib.sha256(np.ascontiguousarray(weights)).hexdigest()
    sys.stdout.write(json.dumps([rows, digest]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
