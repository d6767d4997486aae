"""A training that ended in whatever way goes on as if nothing had happened, to the last bit.

Runs on whatever backend Keras has; on torch and JAX by way of `test_keras_backends.py`.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from resumable_fit import SIZE
from resuming import MakeScript, assert_same_training, determinism, images, interrupted_until_it_ends, script

from feedline import BatchSequence, ImageDataset
from feedline.callbacks import ResumeTraining, SetEpoch
from feedline.errors import ConfigurationError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ran out of data:UserWarning"),
    # NumPy 2 deprecates how Keras asks for a learning rate.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]


def test_a_training_that_is_interrupted_midway_equals_one_that_was_not(script: MakeScript) -> None:
    reference = script("reference", epochs=2)
    reference.fit()
    assert_same_training(interrupted_until_it_ends(script, [5], epochs=2), reference)


@pytest.mark.exhaustive
def test_a_training_that_is_over_is_not_trained_again(
    script: MakeScript, caplog: pytest.LogCaptureFixture
) -> None:
    history = script("run").fit()
    result = Path(script("run").result).read_text()
    num_trained = len(Path(script("run").trained).read_text())
    assert script("run").fit() == history
    assert "ended after 3 epochs, and nothing is left to train" in caplog.text
    assert Path(script("run").result).read_text() == result
    assert len(Path(script("run").trained).read_text()) == num_trained
    assert len(script("run", epochs=4).fit()["loss"]) == 4


@pytest.fixture
def data(images: str) -> ImageDataset:
    """The images, labelled."""
    names = sorted(path.name for path in Path(images).iterdir())
    return ImageDataset.from_lists(names, [row % 2 for row in range(len(names))], directory=images)


def flat_model(units: int = 1) -> keras.Model:
    """The smallest that trains, and has a shape of its own for each number of hidden units."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(units), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((*SIZE, 3)), *layers])
    model.compile(keras.optimizers.SGD(1e-6), "mse")
    return model


def test_what_is_kept_is_refused_by_another_training_with_what_differs(
    data: ImageDataset, tmp_path: Path
) -> None:
    with BatchSequence(data, batch_size=5, image_size=SIZE, workers=1) as train:
        flat_model().fit(train, callbacks=[ResumeTraining(tmp_path)], verbose=0)
        with pytest.raises(ConfigurationError, match=r"has shape .* was kept"):
            flat_model(2).fit(train, epochs=2, callbacks=[ResumeTraining(tmp_path)], verbose=0)
        other = train.with_options(batch_size=4, seed=1)
    with other, pytest.raises(ConfigurationError) as refused:
        flat_model().fit(other, epochs=2, callbacks=[ResumeTraining(tmp_path)], verbose=0)
    assert "of another training: seed was 0 and is 1; batch_size was 5 and is 4" in str(refused.value)
    (tmp_path / "training.npz").write_bytes(b"PK")
    with (
        train.with_options() as same,
        pytest.raises(ConfigurationError, match=r"is damaged .* to begin anew"),
    ):
        flat_model().fit(same, epochs=2, callbacks=[ResumeTraining(tmp_path)], verbose=0)


class AtTheEnd(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Dies when all epochs are trained, and before anybody after it hears of that."""

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        """Die."""
        raise RuntimeError("dead at the end")


class AfterBatch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Tells Keras to stop after one of its batches; knows how many were trained."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self._last, self.num_trained = last, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        """Count."""
        self.num_trained += 1
        if batch == self._last:
            self.model.stop_training = True


@pytest.mark.exhaustive
def test_who_stopped_the_training_at_an_epochs_end_stays_heard(data: ImageDataset, tmp_path: Path) -> None:
    counts = []
    for end in (pytest.raises(RuntimeError, match="dead at the end"),) * 2 + (nullcontext(),):
        model = flat_model()
        callbacks = [
            keras.callbacks.EarlyStopping(monitor="loss", patience=1, min_delta=1e9, mode="min"),
            ResumeTraining(tmp_path, save_every=1000),
            (count := AfterBatch(100)),
            *([] if isinstance(end, nullcontext) else [AtTheEnd()]),
        ]
        with BatchSequence(data, batch_size=5, image_size=SIZE, workers=1) as train, end:
            model.fit(train, epochs=9, callbacks=callbacks, verbose=0)
        assert len(model.history.history["loss"]) == 2
        counts.append(count.num_trained)
    assert counts == [8, 0, 0]


def test_a_training_that_was_stopped_in_the_midst_of_an_epoch_goes_on_there(
    data: ImageDataset, tmp_path: Path
) -> None:
    counts, states = [], []
    for last in (1, 3, 2, 100):
        model, limit = flat_model(), AfterBatch(last)
        with BatchSequence(data, batch_size=5, image_size=SIZE, workers=1) as train:
            model.fit(train, epochs=3, callbacks=[limit, ResumeTraining(tmp_path)], verbose=0)
            states.append((train.state_dict()["epoch"], train.state_dict()["step"]))
        counts.append(limit.num_trained)
    assert counts == [2, 2, 3, 5]
    # An epoch that was over when it was stopped is over.
    assert states == [(0, 2), (1, 0), (1, 3), (3, 0)]
    assert model.history.epoch == [0, 1, 2]


@pytest.mark.exhaustive
def test_a_metric_of_several_numbers_is_kept_as_it_was(data: ImageDataset, tmp_path: Path) -> None:
    found = []
    for epochs in (1, 2):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
        model.compile("sgd", "mse", metrics=[keras.metrics.F1Score()])
        labelled = ImageDataset.from_lists(data.filenames, np.eye(2)[data.labels], directory=data.root)
        with BatchSequence(labelled, batch_size=5, image_size=SIZE, workers=1) as train:
            model.fit(train, epochs=epochs, callbacks=[ResumeTraining(tmp_path)], verbose=0)
        found.append(model.history.history["f1_score"])
    (first,), (again, _) = found
    first = keras.ops.convert_to_numpy(first)
    assert first.shape == (2,)
    assert (again.dtype, again.tolist()) == (first.dtype, first.tolist())


class Unkeepable(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Says what no file can have."""

    def state_dict(self) -> dict[str, Any]:
        """Say it."""
        return {"model": self.model}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing ever comes back."""


@pytest.mark.exhaustive
def test_a_callback_that_cannot_be_kept_is_refused_before_training_begins(
    data: ImageDataset, tmp_path: Path
) -> None:
    callbacks = [ResumeTraining(tmp_path), Unkeepable()]
    with (
        BatchSequence(data, batch_size=5, image_size=SIZE, workers=1) as train,
        pytest.raises(ConfigurationError, match=r"the callback Unkeepable-0 cannot be kept: .* plain values"),
    ):
        flat_model().fit(train, callbacks=callbacks, verbose=0)


@pytest.mark.parametrize(
    ("shuffle", "fit", "text"),
    [
        (False, {}, "cannot go on in an order that fit draws: pass shuffle=False to fit"),
        (True, {"more": SetEpoch}, "ResumeTraining and SetEpoch: leave out all but one"),
    ],
)
def test_what_it_cannot_keep_is_refused_before_training_begins(
    shuffle: bool, fit: dict[str, Any], text: str, data: ImageDataset, tmp_path: Path
) -> None:
    with BatchSequence(data, batch_size=5, image_size=SIZE, workers=1, shuffle=shuffle) as train:
        callbacks = [ResumeTraining(tmp_path), *([fit["more"](train)] if fit else [])]
        with pytest.raises(ConfigurationError) as refused:
            flat_model().fit(train, callbacks=callbacks, verbose=0)
        assert text in str(refused.value)
        assert train.stats.num_batches <= 2


def test_other_data_and_other_folders_are_refused_before_training_begins(tmp_path: Path) -> None:
    images = keras.random.uniform((4, *SIZE, 3))
    with pytest.raises(ConfigurationError, match="needs fit to be given a BatchSequence"):
        flat_model().fit(images, images[:, 0, 0, :1], callbacks=[ResumeTraining(tmp_path)], verbose=0)


@pytest.mark.exhaustive
def test_an_unshuffled_sequence_goes_on_too(data: ImageDataset, tmp_path: Path) -> None:
    with BatchSequence(data, batch_size=5, image_size=SIZE, workers=1, shuffle=False) as train:
        model = flat_model()
        model.fit(train, shuffle=False, epochs=2, callbacks=[ResumeTraining(tmp_path, 1)], verbose=0)
        assert train.state_dict()["epoch"] == 2
        assert train.state_dict()["step"] == 0


# --- without fit ---------------------------------------------------------------------------------


def contents(batches: Any) -> list[bytes]:
    """The bytes of batches."""
    return [x.tobytes() + y.tobytes() for x, y in batches]


@pytest.mark.parametrize("shuffle", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_a_loop_of_its_own_goes_on_after_what_was_committed(shuffle: bool, data: ImageDataset) -> None:
    options: dict[str, Any] = {"batch_size": 3, "image_size": SIZE, "seed": 3, "shuffle": shuffle}
    with BatchSequence(data, workers=1, **options) as whole:
        first, second = contents(whole), contents(whole)
    with BatchSequence(data, workers=2, **options) as before:
        loop = iter(before)
        begun = contents(next(loop) for _ in range(4))
        assert before.state_dict()["step"] == 0, "delivered is not trained"
        before.commit()
        next(loop)
        state = json.loads(json.dumps(before.state_dict()))
    assert (state["epoch"], state["step"]) == (0, 4)
    assert len(json.dumps(state)) < 1024
    with BatchSequence(data, workers=1, **options) as after:
        after.load_state_dict(state)
        assert begun + contents(after) == first
        after.commit()
        assert (after.state_dict()["epoch"], after.state_dict()["step"]) == (1, 0)
        assert contents(after[index] for index in range(len(after))) == second


def test_in_fit_and_out_of_order_nobody_can_say_what_was_trained(data: ImageDataset) -> None:
    refused: list[str] = []

    class Commit(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            with pytest.raises(ConfigurationError) as error:
                train.commit()
            refused.append(str(error.value))

    with BatchSequence(data, batch_size=10, image_size=SIZE, workers=1, shuffle=False) as train:
        flat_model().fit(train, shuffle=False, callbacks=[Commit()], verbose=0)
        assert all("fit reads ahead of what it trains" in text for text in refused)
        assert len(refused) == 2
        train[1]
        with pytest.raises(ConfigurationError, match="took batches out of order"):
            train.commit()
        train.commit(epoch=4, step=2)
        assert train.state_dict()["epoch"] == 5
        with pytest.raises(ConfigurationError, match="step must be at most 2, got 3"):
            train.commit(4, 3)


@pytest.mark.parametrize(
    ("batch_size", "num_ranks"),
    [(4, 2), *(pytest.param(*case, marks=pytest.mark.exhaustive) for case in [(8, 1), (2, 4)])],
)
def test_other_numbers_of_ranks_go_on_with_the_same_global_batches(
    batch_size: int, num_ranks: int, data: ImageDataset
) -> None:
    """Of 20 samples, the last of three global batches is short."""
    options: dict[str, Any] = {"image_size": SIZE, "seed": 3, "workers": 1}
    with BatchSequence(data, batch_size=8, **options) as one:
        wanted = [sorted(contents((x[i], y[i]) for i in range(len(x)))) for x, y in one][1:]
    with BatchSequence(data, batch_size=4, shard_index=1, shard_count=2, **options) as before:
        before.commit(epoch=0, step=1)
        state = before.state_dict()
    found: list[list[bytes]] = [[] for _ in wanted]
    for rank in range(num_ranks):
        with BatchSequence(
            data, batch_size=batch_size, shard_index=rank, shard_count=num_ranks, **options
        ) as after:
            after.load_state_dict(state)
            for step, (x, y) in enumerate(after):
                found[step] += contents((x[i], y[i]) for i in range(len(x)))
    assert [sorted(batch) for batch in found] == wanted
