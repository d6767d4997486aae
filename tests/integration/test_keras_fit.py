"""Keras trains, evaluates and predicts with a `BatchSequence`, in all the ways it offers.

Runs on whatever backend Keras has; on torch and JAX by way of `test_keras_backends.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from children import PATIENCE_S, pool_of
from images import SIZE, numbered, rows_in
from keras import ops
from recorder import ReadRow, Recorder, recording_model

from feedline import BatchSequence, ImageDataset, ProducerPool

NUM_ROWS = 27
BATCH_SIZE = 5
LENGTH = 6  # the last batch has two samples
EPOCH = list(range(NUM_ROWS))
MakeSequence = Callable[..., BatchSequence]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return numbered(tmp_path_factory.mktemp("rows"), 2 * NUM_ROWS)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProducerPool]:
    """Three producers for all."""
    with pool_of(3) as pool:
        yield pool


@pytest.fixture
def make(data: ImageDataset, pool: ProducerPool) -> Iterator[MakeSequence]:
    """Make sequences, of the first half of the rows unless told otherwise."""
    made: list[BatchSequence] = []

    def sequence(dataset: ImageDataset | None = None, **options: Any) -> BatchSequence:
        dataset = dataset or data.subset(range(NUM_ROWS))
        options = {
            "batch_size": BATCH_SIZE,
            "image_size": SIZE,
            "pool": pool,
            "timeout_s": PATIENCE_S,
        } | options
        made.append(BatchSequence(dataset, **options))
        return made[-1]

    yield sequence
    for one in made:
        one.close()


def fit(model: keras.Model, *arguments: Any, **options: Any) -> None:
    """`model.fit` without a progress bar."""
    model.fit(*arguments, verbose=0, **options)


def assert_whole(rows: list[int], num_epochs: int) -> None:
    """Every row of the first half once in every epoch, and no two epochs in one order."""
    epochs = [rows[start : start + NUM_ROWS] for start in range(0, len(rows), NUM_ROWS)]
    assert [sorted(epoch) for epoch in epochs] == [EPOCH] * num_epochs
    assert len({tuple(epoch) for epoch in epochs}) == num_epochs


def test_keras_runs_on_the_backend_that_was_asked_for() -> None:
    assert keras.backend.backend() == os.environ.get("KERAS_BACKEND", "tensorflow")


def test_fit_trains_every_sample_once_per_epoch_and_two_fits_go_on_from_one_another(
    make: MakeSequence,
) -> None:
    model, recorder = recording_model()
    sequence = make()
    fit(model, sequence, epochs=2)
    fit(model, sequence, epochs=2)
    assert_whole(recorder.take_rows(), num_epochs=4)


def test_fit_without_shuffle_trains_in_the_order_of_the_dataset(make: MakeSequence) -> None:
    model, recorder = recording_model()
    fit(model, make(shuffle=False), epochs=2, shuffle=False)
    assert recorder.take_rows() == EPOCH * 2


def test_fit_that_shuffles_an_unshuffled_sequence_trains_every_sample_once_all_the_same(
    make: MakeSequence,
) -> None:
    model, recorder = recording_model()
    fit(model, make(shuffle=False), epochs=1)
    assert_whole(recorder.take_rows(), num_epochs=1)


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize(
    ("steps_per_epoch", "steps_of_epochs"),
    [(4, [4, 2, 4, 2]), (LENGTH, [6, 6]), (LENGTH + 2, [6, 6])],
    ids=["below the length", "equal to it", "above it"],
)
def test_fit_with_steps_per_epoch_goes_through_the_whole_epoch(
    steps_per_epoch: int, steps_of_epochs: list[int], make: MakeSequence
) -> None:
    model, recorder = recording_model()
    num_steps: list[int] = []
    count = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: num_steps.append(0),
        on_train_batch_end=lambda *_, **__: num_steps.append(num_steps.pop() + 1),
    )
    fit(model, make(), epochs=len(steps_of_epochs), steps_per_epoch=steps_per_epoch, callbacks=[count])
    assert num_steps == steps_of_epochs
    assert_whole(recorder.take_rows(), num_epochs=2)


def test_fit_after_an_early_stop_trains_whole_epochs(make: MakeSequence) -> None:
    model, recorder = recording_model()
    sequence = make()

    def stop(batch: int, **_logs: Any) -> None:
        model.stop_training = batch == 2

    fit(model, sequence, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=stop)])
    stopped = recorder.take_rows()
    assert len(stopped) == len(set(stopped)) >= 2 * BATCH_SIZE + 2
    fit(model, sequence, epochs=2)
    assert_whole(recorder.take_rows(), num_epochs=2)


def test_initial_epoch_trains_the_epochs_that_are_left(make: MakeSequence) -> None:
    model, recorder = recording_model()
    fit(model, make(), initial_epoch=3, epochs=5)
    assert_whole(recorder.take_rows(), num_epochs=2)


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize(
    ("options", "validated"),
    [
        ({}, [[0, 1, 2, 3, 4, 5]] * 4),
        pytest.param({"validation_freq": 2}, [[], [0, 1, 2, 3, 4, 5]] * 2, marks=pytest.mark.exhaustive),
        ({"validation_freq": [1, 4]}, [[0, 1, 2, 3, 4, 5], [], [], [0, 1, 2, 3, 4, 5]]),
        pytest.param({"validation_steps": 2}, [[0, 1]] * 4, marks=pytest.mark.exhaustive),
        pytest.param({"validation_steps": 9}, [[0, 1, 2, 3, 4, 5]] * 4, marks=pytest.mark.exhaustive),
    ],
    ids=["every epoch", "every second epoch", "some epochs", "two steps", "more steps than there are"],
)
def test_validation_data_is_seen_in_order_and_does_not_disturb_the_training(
    options: dict[str, Any], validated: list[list[int]], data: ImageDataset, make: MakeSequence
) -> None:
    model, recorder = recording_model()
    held_out = list(range(NUM_ROWS, 2 * NUM_ROWS))
    validation = make(data.subset(held_out), shuffle=False)
    fit(model, make(), epochs=4, validation_data=validation, **options)

    rows = recorder.take_rows()
    trained = []
    for steps in validated:
        trained += rows[:NUM_ROWS]
        expected = [row for step in steps for row in held_out[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]]
        assert rows[NUM_ROWS : NUM_ROWS + len(expected)] == expected
        rows = rows[NUM_ROWS + len(expected) :]
    assert not rows
    assert_whole(trained, num_epochs=4)


def test_one_sequence_may_be_training_and_validation_data_at_once(make: MakeSequence) -> None:
    model, recorder = recording_model()
    sequence = make()
    fit(model, sequence, epochs=2, validation_data=sequence)
    sweeps = recorder.take_rows()
    assert [sorted(sweeps[i : i + NUM_ROWS]) for i in range(0, len(sweeps), NUM_ROWS)] == [EPOCH] * 4


def test_class_weight_weighs_each_sample_by_its_label(make: MakeSequence) -> None:
    model, recorder = recording_model()
    fit(model, make(), epochs=2, class_weight={row: row / 8 for row in EPOCH})
    labels, pictured, weights = recorder.take().T
    assert (labels == pictured).all()
    assert (weights == labels / 8).all()
    assert_whole(labels.astype(int).tolist(), num_epochs=2)


def test_sample_weights_stay_with_their_samples(data: ImageDataset, make: MakeSequence) -> None:
    frame = pd.DataFrame({"filename": data.filenames, "row": range(len(data))})
    frame["weight"] = frame["row"] / 4
    weighted = ImageDataset.from_dataframe(
        frame[:NUM_ROWS], data.directory, y_col="row", class_mode="raw", weight_col="weight"
    )
    model, recorder = recording_model()
    fit(model, make(weighted), epochs=2)
    labels, pictured, weights = recorder.take().T
    assert (labels == pictured).all()
    assert (weights == labels / 4).all()
    assert_whole(labels.astype(int).tolist(), num_epochs=2)


def test_several_outputs_get_the_targets_of_the_same_samples(data: ImageDataset, make: MakeSequence) -> None:
    frame = pd.DataFrame({"filename": data.filenames, "row": range(len(data))})
    frame["twice"] = 2 * frame["row"]
    several = ImageDataset.from_dataframe(
        frame[:NUM_ROWS], data.directory, y_col=["row", "twice"], class_mode="multi_output"
    )
    x = keras.Input((*SIZE, 3), dtype="uint8")
    row = ReadRow()(x)
    recorders = [Recorder("first"), Recorder("second")]
    model = keras.Model(x, [row, row * 2])
    model.compile(keras.optimizers.SGD(0.0), ["mae", "mae"], metrics=[[recorders[0]], [recorders[1]]])
    fit(model, make(several), epochs=2)
    first, second = (recorder.take_rows() for recorder in recorders)
    assert second == [2 * row for row in first]
    assert_whole(first, num_epochs=2)


def test_class_mode_input_trains_an_autoencoder_towards_its_input(
    data: ImageDataset, make: MakeSequence
) -> None:
    class Same(keras.metrics.Metric):
        """The greatest difference between target and input, and the number of batches."""

        def __init__(self) -> None:
            super().__init__(name="same")
            self.difference = self.add_variable((), "zeros", name="difference")
            self.num_samples = self.add_variable((), "zeros", name="num_samples")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            del sample_weight
            difference = ops.max(ops.abs(ops.cast(y_true, "float32") - y_pred))
            self.difference.assign(ops.maximum(difference, ops.convert_to_tensor(self.difference)))
            self.num_samples.assign_add(ops.cast(ops.shape(y_true)[0], "float32"))

        def result(self) -> dict[str, Any]:
            return {"difference": self.difference + 0, "num_samples": self.num_samples + 0}

    frame = pd.DataFrame({"filename": data.filenames})
    itself = ImageDataset.from_dataframe(frame, data.directory, class_mode="input")
    model = keras.Sequential(
        [keras.Input((*SIZE, 3)), keras.layers.Dense(3, "linear", kernel_initializer="identity")]
    )
    model.compile(keras.optimizers.SGD(0.0), "mae", metrics=[Same()])
    history = model.fit(make(itself), epochs=2, verbose=0).history
    assert history["difference"] == [0, 0]
    assert history["num_samples"] == [2 * NUM_ROWS] * 2


def test_class_mode_none_gives_bare_images_to_predict(data: ImageDataset, make: MakeSequence) -> None:
    frame = pd.DataFrame({"filename": data.filenames})
    bare = make(ImageDataset.from_dataframe(frame, data.directory, class_mode=None), shuffle=False)
    assert isinstance(bare[0], np.ndarray)
    model, _ = recording_model()
    assert model.predict(bare, verbose=0).ravel().tolist() == list(range(2 * NUM_ROWS))


def test_evaluate_sees_every_sample_once_in_order_and_the_same_again(make: MakeSequence) -> None:
    model, recorder = recording_model()
    sequence = make(shuffle=False)
    for _ in range(2):
        assert model.evaluate(sequence, verbose=0, return_dict=True)["loss"] == 0
        assert recorder.take_rows() == EPOCH
    model.evaluate(sequence, steps=2, verbose=0)
    assert recorder.take_rows() == EPOCH[: 2 * BATCH_SIZE]


@pytest.mark.parametrize(("drop_remainder", "expected"), [(False, EPOCH), (True, EPOCH[:25])])
def test_predict_answers_in_the_order_of_the_dataset_with_three_producers(
    drop_remainder: bool, expected: list[int], make: MakeSequence, pool: ProducerPool
) -> None:
    """The last batch is short, or left out, and never padded."""
    assert len(pool.producers) == 3
    model, _ = recording_model()
    sequence = make(shuffle=False, drop_remainder=drop_remainder)
    for _ in range(3):
        assert model.predict(sequence, verbose=0).ravel().tolist() == expected
    assert [sequence.filenames[i] for i in (0, -1)] == [f"{expected[i]:04}.png" for i in (0, -1)]


def test_predictions_of_a_shuffled_sequence_go_with_its_labels_and_filenames(make: MakeSequence) -> None:
    model, recorder = recording_model()
    sequence = make(seed=5)
    fit(model, sequence)
    recorder.take()
    answers = model.predict(sequence, verbose=0).ravel().tolist()
    assert sorted(answers) == EPOCH
    assert answers != EPOCH
    assert sequence.labels.tolist() == answers
    assert sequence.filenames == [f"{row:04.0f}.png" for row in answers]


def test_train_on_batch_loops_see_every_sample_once_per_epoch(make: MakeSequence) -> None:
    model, recorder = recording_model()
    sequence = make()
    for _ in range(2):
        for x, y in sequence:
            model.train_on_batch(x, y)
    for index in range(len(sequence)):
        model.train_on_batch(*sequence[index])
    assert_whole(recorder.take_rows(), num_epochs=3)
    assert model.test_on_batch(*sequence[0]) is not None
    assert rows_in(sequence[1][0]) == sequence[1][1].tolist()


def test_sequences_of_one_pool_train_together_each_on_its_own(data: ImageDataset, make: MakeSequence) -> None:
    model, recorder = recording_model()
    halves = [data.subset(range(NUM_ROWS)), data.subset(range(NUM_ROWS, 2 * NUM_ROWS))]
    sequences = [make(half, seed=seed) for seed, half in enumerate(halves)]
    for batches in zip(*sequences, strict=True):
        for x, y in batches:
            model.train_on_batch(x, y)
    fit(model, sequences[1])
    rows = recorder.take_rows()
    assert sorted(rows[: 2 * NUM_ROWS]) == list(range(2 * NUM_ROWS))
    assert sorted(rows[2 * NUM_ROWS :]) == list(range(NUM_ROWS, 2 * NUM_ROWS))
