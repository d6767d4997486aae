"""`fit` shuffles by default, in an order that it does not tell: nothing may get lost or come twice.

Runs on whatever backend Keras has; on torch and JAX by way of `test_keras_backends.py`.
"""

from __future__ import annotations

import gc
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
import pytest
from children import PATIENCE_S, pool_of
from images import SIZE, numbered
from recorder import Recorder, recording_model

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.trainer.plan.epochs import EpochPlan

LATER = [range(6, 40), range(40, 80), range(80, 120), range(120, 160), range(160, 200)]
BLOCKS = [range(6), *(pytest.param(seeds, marks=pytest.mark.all_seeds) for seeds in LATER)]
"""Seeds, in portions that several test processes can share."""

LENGTHS = (2, 6, 20)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return numbered(tmp_path_factory.mktemp("rows"), max(LENGTHS))


@pytest.fixture(scope="module")
def pool() -> Iterator[ProducerPool]:
    """Two producers for all."""
    with pool_of(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def trained() -> Iterator[tuple[keras.Model, Recorder]]:
    """One model for all: building one takes longer than training it."""
    if keras.backend.backend() != "tensorflow":
        yield recording_model()
        return
    import tensorflow as tf  # noqa: PLC0415 - costs seconds where it is not the backend

    # A quarter of the time of so short a fit is TensorFlow's search for a faster graph.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield recording_model()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


@pytest.fixture(scope="module")
def collect() -> Iterator[Callable[[], int]]:
    """Collects the garbage of a fit at once, and looks at nothing older.

    Iterators of TensorFlow are garbage in cycles. The thread that tunes one sleeps the longer the longer
    it lives, up to a minute, and now and then its end is waited for all that time.
    """
    gc.collect()
    gc.freeze()
    yield gc.collect
    gc.unfreeze()


def stop_after(model: keras.Model, num_batches: int) -> keras.callbacks.Callback:
    """Set `stop_training` in the middle of an epoch, as an early stop does."""
    steps = itertools.count(1)

    def count(_batch: int, **_logs: Any) -> None:
        model.stop_training = next(steps) == num_batches

    return keras.callbacks.LambdaCallback(on_train_batch_end=count)


def sequence_of(data: ImageDataset, length: int, pool: ProducerPool, seed: int) -> BatchSequence:
    """One row a batch."""
    rows = data.subset(range(length))
    return BatchSequence(rows, batch_size=1, image_size=SIZE, seed=seed, pool=pool, timeout_s=PATIENCE_S)


def sweeps(rows: list[int], length: int) -> list[list[int]]:
    """Cut what was trained into epochs."""
    return [rows[start : start + length] for start in range(0, len(rows), length)]


def planned(length: int, seed: int, epoch: int) -> list[int]:
    """The rows of an epoch in the order of the plan."""
    return EpochPlan(length, 1, shuffle=True, seed=seed).order(epoch).tolist()


@pytest.mark.parametrize("seeds", BLOCKS, ids=str)
@pytest.mark.parametrize("length", [2, pytest.param(6, marks=pytest.mark.exhaustive), 20])
def test_fit_loses_nothing_over_two_hundred_shuffle_seeds_also_after_an_early_stop(
    length: int,
    seeds: range,
    data: ImageDataset,
    pool: ProducerPool,
    trained: tuple[keras.Model, Recorder],
    collect: Callable[[], int],
) -> None:
    """The first epoch is whole although Keras peeked into it; so is the first after an early stop.

    Each sequence is trained twice, with two seeds for the order in which Keras asks.
    """
    model, recorder = trained
    for seed in seeds[::2]:
        with sequence_of(data, length, pool, seed) as sequence:
            for shuffle_seed, may_be_stopped in ((seed, {1}), (seed + 1, {2, 3})):
                random.seed(shuffle_seed)
                stop = length + random.randint(1, length)
                model.fit(sequence, epochs=3, verbose=0, callbacks=[stop_after(model, stop)])
                first, stopped = sweeps(recorder.take_rows(), length)
                assert sorted(first) == list(range(length)), shuffle_seed
                expected = [planned(length, seed, epoch)[: stop - length] for epoch in may_be_stopped]
                assert stopped in expected, shuffle_seed
                collect()


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # a short tail is no accident
@pytest.mark.parametrize("seeds", BLOCKS, ids=str)
@pytest.mark.parametrize("length", LENGTHS)
def test_fit_with_steps_per_epoch_loses_nothing_over_many_shuffle_seeds_also_after_an_early_stop(
    length: int,
    seeds: range,
    data: ImageDataset,
    pool: ProducerPool,
    trained: tuple[keras.Model, Recorder],
    collect: Callable[[], int],
) -> None:
    """An epoch goes on over several of Keras' epochs, whose last one is short."""
    model, recorder = trained
    for seed in seeds[::5]:
        random.seed(seed)
        steps = random.randint(1, length + 1)
        num_parts = -(-length // steps)
        with sequence_of(data, length, pool, seed) as sequence:
            if seed % 2:
                stop = random.randint(1, length)
                model.fit(sequence, verbose=0, callbacks=[stop_after(model, stop)])
                recorder.take_rows()
            model.fit(sequence, epochs=2 * num_parts, steps_per_epoch=steps, verbose=0)
            for sweep in sweeps(recorder.take_rows(), length):
                assert sorted(sweep) == list(range(length)), (seed, steps)
            collect()
