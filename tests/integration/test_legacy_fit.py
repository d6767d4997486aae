"""Keras 2's `fit_generator`: every argument does what it did, on a real Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import psutil
import pytest
from children import wait_for, wait_for_producers
from images import SIZE
from legacy_generators import (
    BATCH_SIZE,
    DARKER,
    EPOCH,
    LENGTH,
    NUM_ROWS,
    Counter,
    epochs_in,
    fit,
    folder,
    generator,
    generator_of,
    num_slots,
    ordered,
)
from recorder import Recorder, recording_model

from feedline import BatchSequence, ImageDataset
from feedline.errors import ConfigurationError
from feedline.legacy import DataGenerator, fit_generator


def test_epochs_and_initial_epoch_say_which_epochs_are_run(generator: DataGenerator) -> None:
    model, recorder = recording_model()
    history = fit(model, generator, epochs=5, initial_epoch=2)
    assert history.epoch == [2, 3, 4]
    sweeps = epochs_in(recorder.take_rows())
    assert [sorted(sweep) for sweep in sweeps] == [EPOCH] * 3
    for name, value in (("epochs", 1.5), ("initial_epoch", -1)):
        with pytest.raises(
            ConfigurationError, match=f"{name} must be a whole number, at least 0, got {value}"
        ):
            fit(model, generator, **{name: value})


@pytest.mark.parametrize(
    ("steps_per_epoch", "epochs", "num_sweeps"),
    [
        (9, 2, 3),
        (27 / 5, 2, 2),
        *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in ((4, 3, 2), (3.2, 3, 2), (1, 6, 1))),
    ],
)
def test_steps_per_epoch_cuts_a_stream_of_whole_sweeps(
    generator: DataGenerator, steps_per_epoch: float, epochs: int, num_sweeps: int
) -> None:
    model, recorder = recording_model()
    counter = Counter()
    fit(model, generator, epochs=epochs, steps_per_epoch=steps_per_epoch, callbacks=[counter])
    assert counter.trained == [-int(-steps_per_epoch // 1)] * epochs
    sweeps = epochs_in(recorder.take_rows())
    assert [sorted(sweep) for sweep in sweeps] == [EPOCH] * num_sweeps
    assert len({tuple(sweep) for sweep in sweeps}) == num_sweeps


def test_the_batches_that_keras_peeks_at_are_trained_all_the_same(folder: Path) -> None:
    model, recorder = recording_model()
    with generator_of(folder, range(10)) as generator, generator_of(folder, range(10)) as by_hand:
        fit(model, generator, epochs=4, steps_per_epoch=1)
        expected = [row for _ in range(2) for _, y in by_hand for row in y.tolist()]
    assert recorder.take_rows() == expected


def test_a_fit_after_one_that_stopped_midway_trains_whole_sweeps_all_the_same(
    generator: DataGenerator,
) -> None:
    model, recorder = recording_model()
    fit(model, generator, epochs=1, steps_per_epoch=4)
    recorder.take_rows()
    fit(model, generator, epochs=3, steps_per_epoch=4)
    assert [sorted(sweep) for sweep in epochs_in(recorder.take_rows())] == [EPOCH] * 2
    fit(model, generator, epochs=2)
    assert [sorted(sweep) for sweep in epochs_in(recorder.take_rows())] == [EPOCH] * 2


@pytest.mark.parametrize(("verbose", "expected"), [(0, ""), (2, "6/6 -")])
def test_verbose_is_keras_own(
    generator: DataGenerator, capsys: pytest.CaptureFixture[str], verbose: int, expected: str
) -> None:
    fit_generator(recording_model()[0], generator, verbose=verbose)
    out = capsys.readouterr().out
    assert expected in out if expected else out == ""


def test_callbacks_are_called_and_may_end_the_training(generator: DataGenerator) -> None:
    model, _ = recording_model()
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: setattr(model, "stop_training", True))
    counter = Counter()
    history = fit(model, generator, epochs=5, callbacks=[counter, stop])
    assert (history.epoch, counter.trained) == ([0], [LENGTH])


def test_validation_data_are_neither_shuffled_nor_augmented(ordered: DataGenerator, folder: Path) -> None:
    model, recorder = recording_model()
    with generator_of(folder, [3, 9, 1, 7, 20, 11], transforms=[DARKER]) as validation:
        history = fit(model, ordered, epochs=2, validation_data=validation, shuffle=False)
    assert recorder.take_rows() == [*EPOCH, 3, 9, 1, 7, 20, 11] * 2
    assert history.history["val_loss"] == [0.0, 0.0]


def test_validation_data_may_be_arrays_or_a_plain_batch_sequence(
    ordered: DataGenerator, folder: Path
) -> None:
    model, recorder = recording_model()
    x, y = ordered[1]
    fit(model, ordered, validation_data=(x, y), validation_steps=1, shuffle=False)
    assert recorder.take_rows() == EPOCH + EPOCH[5:10]
    data = ImageDataset.from_lists(["0004.png", "0002.png"], [4, 2], directory=folder)
    with BatchSequence(data, image_size=SIZE, shuffle=False, workers=1) as validation:
        fit(model, ordered, validation_data=validation, shuffle=False)
    assert recorder.take_rows() == [*EPOCH, 4, 2]


@pytest.mark.parametrize(
    ("validation_steps", "num_steps"),
    [
        (1.5, 2),
        (99, LENGTH),
        *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in ((2, 2), (LENGTH, LENGTH))),
    ],
)
def test_validation_steps_takes_the_first_batches_and_none_twice(
    generator: DataGenerator, validation_steps: float, num_steps: int
) -> None:
    model, recorder = recording_model()
    counter = Counter()
    options = {"validation_data": generator, "validation_steps": validation_steps, "callbacks": [counter]}
    fit(model, generator, epochs=2, **options)
    assert counter.judged == [num_steps] * 2
    rows = recorder.take_rows()
    assert rows[NUM_ROWS : len(rows) // 2] == rows[-min(num_steps * BATCH_SIZE, NUM_ROWS) :]
    assert rows[NUM_ROWS : len(rows) // 2] == EPOCH[: num_steps * BATCH_SIZE]


@pytest.mark.parametrize(
    ("validation_freq", "expected"),
    [
        (2, [1, 3]),
        *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in (({1, 4}, [0, 3]), ((3, 9), [2]))),
    ],
)
def test_validation_freq_counts_epochs_from_1(
    generator: DataGenerator, validation_freq: Any, expected: list[int]
) -> None:
    model, _ = recording_model()
    validated = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: validated.append(epoch) if "val_loss" in logs else None
    )
    options = {"validation_data": generator, "validation_steps": 1, "callbacks": [note]}
    fit(model, generator, epochs=4, validation_freq=validation_freq, **options)
    assert validated == expected


@pytest.mark.parametrize("steps_per_epoch", [None, pytest.param(4, marks=pytest.mark.exhaustive)])
def test_class_weight_weighs_samples_by_their_label(
    generator: DataGenerator, steps_per_epoch: int | None
) -> None:
    model, recorder = recording_model()
    weights = {row: 1.0 + row / 4 for row in range(0, NUM_ROWS, 2)}
    fit(model, generator, class_weight=weights, steps_per_epoch=steps_per_epoch)
    log = recorder.take()
    assert len(log) == (20 if steps_per_epoch else NUM_ROWS)
    assert log[:, 2].tolist() == [weights.get(int(row), 1.0) for row in log[:, 0]]
    with pytest.raises(ConfigurationError, match="class_weight must be a dict"):
        fit(model, generator, class_weight=np.ones(NUM_ROWS))


def test_workers_become_producers_and_max_queue_size_their_batches_in_hand(folder: Path) -> None:
    model, recorder = recording_model()
    with generator_of(folder) as generator:
        wait_for_producers(generator.pool, 1)
        for workers, queue, num_producers, num_batches in ((3, 4, 3, 4), (2, 1, 2, 2), (0, 7, 1, 7)):
            fit(model, generator, epochs=2, workers=workers, max_queue_size=queue)
            wait_for_producers(generator.pool, num_producers)
            expected = num_producers * num_batches
            wait_for(f"{expected} slots", lambda n=expected: num_slots(generator) == n)
            assert [sorted(sweep) for sweep in epochs_in(recorder.take_rows())] == [EPOCH] * 2
        # The defaults change nothing.
        fit(model, generator)
        assert num_slots(generator) == 7


@pytest.mark.exhaustive
def test_orders_go_on_though_producers_and_queues_change(folder: Path) -> None:
    orders = []
    for supplies in ([{}, {}, {}], [{"workers": 2, "max_queue_size": 3}, {}, {"max_queue_size": 5}]):
        model, recorder = recording_model()
        with generator_of(folder) as generator:
            for supply in supplies:
                fit(model, generator, **supply)
        orders.append(recorder.take_rows())
    assert orders[0] == orders[1]
    assert len({tuple(sweep) for sweep in epochs_in(orders[0])}) == 3


def test_use_multiprocessing_forks_nothing(generator: DataGenerator) -> None:
    model, recorder = recording_model()
    names: set[str] = set()
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: names.update(
            " ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)
        )
    )
    fit(model, generator, workers=2, use_multiprocessing=True, callbacks=[look])
    assert sorted(recorder.take_rows()) == EPOCH
    assert names
    assert all("feedline.producer" in name or "resource_tracker" in name for name in names), names


def test_shuffle_asks_for_batches_of_an_unshuffled_generator_in_random_order(ordered: DataGenerator) -> None:
    model, recorder = recording_model()
    keras.utils.set_random_seed(3)
    fit(model, ordered, shuffle=True)
    rows = recorder.take_rows()
    assert rows != EPOCH
    assert sorted(rows) == EPOCH
    for options in ({"shuffle": False}, {"shuffle": True, "steps_per_epoch": LENGTH}):
        fit(model, ordered, **options)
        assert recorder.take_rows() == EPOCH


def test_the_recorder_would_notice(folder: Path) -> None:
    """The darker images that the views leave out are really of other rows."""
    model, recorder = recording_model()
    with generator_of(folder, range(1, NUM_ROWS), transforms=[DARKER]) as generator:
        fit(model, generator)
    assert isinstance(recorder, Recorder)
    with pytest.raises(AssertionError, match="parted ways"):
        recorder.take_rows()
