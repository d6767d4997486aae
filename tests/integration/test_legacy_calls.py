"""Keras 2's three methods for generators: every argument does what it did, on a real Keras."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import psutil
import pytest
from children import PATIENCE_S, wait_for, wait_for_producers
from images import SIZE, rows_in, write_images
from recorder import Recorder, recording_model

from common.errors import ConfigurationError
from common.transforms import RandomBrightness, Rescaling
from trainer import BatchSequence, ImageDataset, ProducerPool
from trainer.legacy import (
    DataGenerator,
    evaluate_generator,
    fit_generator,
    install,
    predict_generator,
    predictions_frame,
    uninstall,
)

NUM_ROWS = 27
BATCH_SIZE = 5
LENGTH = 6  # the last batch has two samples
EPOCH = list(range(NUM_ROWS))
DARKER = RandomBrightness((-0.5, -0.4))  # so that rows cannot be read any more


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images whose colour is their row, named 0000.png and so on."""
    folder = tmp_path_factory.mktemp("rows")
    write_images(folder, NUM_ROWS)
    return folder


def generator_of(folder: Path, rows: Sequence[int] = range(NUM_ROWS), **options: Any) -> DataGenerator:
    """Images in batches of five, the row as label."""
    settings = {"batch_size": BATCH_SIZE, "img_size": SIZE, "n_channels": 3, "scale": "uint8"}
    settings |= {"img_dir": str(folder), "timeout_s": PATIENCE_S, **options}
    return DataGenerator([f"{row:04}" for row in rows], np.array(rows), **settings)


@pytest.fixture
def generator(folder: Path) -> Iterator[DataGenerator]:
    """All rows, shuffled."""
    with generator_of(folder) as generator:
        yield generator


@pytest.fixture
def ordered(folder: Path) -> Iterator[DataGenerator]:
    """All rows, in order."""
    with generator_of(folder, shuffle=False) as generator:
        yield generator


def fit(model: keras.Model, generator: Any, **options: Any) -> Any:
    """`fit_generator` without a progress bar."""
    return fit_generator(model, generator, verbose=0, **options)


def epochs_in(rows: list[int]) -> list[list[int]]:
    """Rows of one sweep after the other."""
    return [rows[start : start + NUM_ROWS] for start in range(0, len(rows), NUM_ROWS)]


def num_slots(generator: BatchSequence) -> int:
    """Batches that all producers together may have in hand for a generator."""
    slots = generator.pool._thread.exchange._dispatcher._books.slots
    return generator.pool._call(lambda _: sum(slot.job_id == generator._job_id for slot, _ in slots))


class Counter(keras.callbacks.LambdaCallback):  # type: ignore[misc]  # Keras has no types
    """Counts the batches of every Keras epoch, and of every evaluation or prediction."""

    def __init__(self) -> None:
        self.trained: list[int] = []
        self.judged: list[int] = []
        super().__init__(
            on_epoch_begin=lambda *_: self.trained.append(0),
            on_train_batch_end=lambda *_, **__: _count_up(self.trained),
            on_test_begin=lambda *_: self.judged.append(0),
            on_test_batch_end=lambda *_, **__: _count_up(self.judged),
            on_predict_begin=lambda *_: self.judged.append(0),
            on_predict_batch_end=lambda *_, **__: _count_up(self.judged),
        )


def _count_up(counts: list[int]) -> None:
    counts[-1] += 1


# --- fit_generator: one test for each argument ----------------------------------------------------------


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
    [(4, 3, 2), (9, 2, 3), (3.2, 3, 2), (27 / 5, 2, 2), (1, 6, 1)],
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
    ("validation_steps", "num_steps"), [(2, 2), (1.5, 2), (LENGTH, LENGTH), (99, LENGTH)]
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


@pytest.mark.parametrize(("validation_freq", "expected"), [(2, [1, 3]), ({1, 4}, [0, 3]), ((3, 9), [2])])
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


@pytest.mark.parametrize("steps_per_epoch", [None, 4])
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
    assert all("-m producer" in name or "resource_tracker" in name for name in names), names


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


# --- evaluate_generator and predict_generator -----------------------------------------------------------


@pytest.fixture
def disorderly(folder: Path) -> Iterator[DataGenerator]:
    """All rows, backwards, shuffled and darkened."""
    with generator_of(folder, EPOCH[::-1], transforms=[DARKER]) as generator:
        yield generator


def test_predictions_are_in_the_order_of_the_ids_though_the_generator_shuffles(
    disorderly: DataGenerator,
) -> None:
    model, _ = recording_model()
    for _ in range(2):
        predictions = predict_generator(model, disorderly, workers=2)
        assert predictions[:, 0].tolist() == EPOCH[::-1]
    frame = predictions_frame(disorderly, predictions)
    assert frame[0].to_dict() == {f"{row:04}": row for row in EPOCH}


def test_evaluation_sees_every_image_as_it_is(disorderly: DataGenerator) -> None:
    model, recorder = recording_model()
    loss, count = evaluate_generator(model, disorderly)
    assert (loss, count) == (0.0, NUM_ROWS)
    assert recorder.take_rows() == EPOCH[::-1]


def test_what_judges_a_model_leaves_the_generator_where_it_was(folder: Path) -> None:
    model, recorder = recording_model()
    with generator_of(folder) as judged_between, generator_of(folder) as other:
        for generator in (judged_between, other):
            fit(model, generator, epochs=1)
            if generator is judged_between:
                predict_generator(model, generator)
            fit(model, generator, epochs=1)
    rows = recorder.take_rows()
    assert rows[: 2 * NUM_ROWS] == rows[2 * NUM_ROWS :]


@pytest.mark.parametrize(("steps", "num_steps"), [(2, 2), (27 / 10, 3), (LENGTH + 1, LENGTH)])
def test_steps_callbacks_and_verbose(
    disorderly: DataGenerator, capsys: pytest.CaptureFixture[str], steps: float, num_steps: int
) -> None:
    model, recorder = recording_model()
    counter = Counter()
    expected = EPOCH[::-1][: num_steps * BATCH_SIZE]
    evaluate_generator(model, disorderly, steps, [counter], 4, 2, True)
    assert recorder.take_rows() == expected
    assert capsys.readouterr().out == ""
    predictions = predict_generator(model, disorderly, steps, [counter], verbose=2)
    assert predictions[:, 0].tolist() == expected
    assert f"{num_steps}/{num_steps} -" in capsys.readouterr().out
    assert counter.judged == [num_steps] * 2
    wait_for_producers(disorderly.pool, 2)


def test_a_view_has_the_producers_and_queues_of_its_generator(disorderly: DataGenerator) -> None:
    evaluate_generator(recording_model()[0], disorderly, workers=2, max_queue_size=3)
    with disorderly.in_order() as view:
        wait_for_producers(view.pool, 2)
        wait_for("6 slots", lambda: num_slots(view) == 6)
        assert view.pool is disorderly.pool, "and so the same producers"


def test_a_generator_that_is_in_order_is_used_itself(ordered: DataGenerator) -> None:
    model, _ = recording_model()
    before = ordered.stats.num_batches
    predict_generator(model, ordered)
    assert ordered.stats.num_batches >= before + LENGTH


def test_what_is_not_random_stays_in_a_view(folder: Path) -> None:
    with generator_of(folder, range(15), transforms=[Rescaling(1.0, 16.0), DARKER]) as generator:
        predictions = predict_generator(recording_model()[0], generator)
    assert predictions[:, 0].tolist() == [row + 256 + 16 + 1 for row in range(15)]


def test_a_batch_sequence_is_judged_by_a_view_too(folder: Path) -> None:
    data = ImageDataset.from_lists([f"{row:04}.png" for row in EPOCH], EPOCH, directory=folder)
    model, recorder = recording_model()
    options = {"batch_size": BATCH_SIZE, "image_size": SIZE, "transforms": [DARKER], "workers": 1}
    with BatchSequence(data, drop_remainder=True, **options) as sequence:
        assert predict_generator(model, sequence)[:, 0].tolist() == EPOCH
        evaluate_generator(model, sequence)
        assert recorder.take_rows() == EPOCH


def test_producers_of_a_pool_of_ones_own_cannot_be_counted_in_a_call(folder: Path) -> None:
    model, _ = recording_model()
    with ProducerPool(workers=1) as pool, generator_of(folder, pool=pool) as generator:
        fit(model, generator, max_queue_size=3)
        with pytest.raises(
            ConfigurationError, match="pool= brings its own producers and budget: leave out workers=4"
        ):
            fit(model, generator, workers=4)


# --- what is not ours -----------------------------------------------------------------------------------


def batches(model_input: npt.NDArray[np.uint8]) -> Iterator[Any]:
    """A plain generator without an end."""
    while True:
        yield model_input, np.array(rows_in(model_input))


@contextmanager
def one_warning(text: str) -> Iterator[None]:
    """Expect one warning, of the line below; what NumPy says of TensorFlow's tensors is not counted."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    (warning,) = [warning for warning in caught if warning.category is UserWarning]
    assert text in str(warning.message)
    assert warning.filename == __file__


@pytest.fixture
def images(ordered: DataGenerator) -> npt.NDArray[np.uint8]:
    """A batch of five."""
    x, _ = ordered[0]
    return np.array(x)


def test_a_plain_generator_goes_to_keras_as_it_is_with_one_warning(images: npt.NDArray[np.uint8]) -> None:
    class Model:
        """Takes down what it is given."""

        def fit(self, x: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
            return x, options

    generator, validation = batches(images), batches(images)
    with one_warning("generator (generator) and validation_data (generator)"):
        x, options = fit_generator(
            Model(), generator, steps_per_epoch=2, validation_data=validation, validation_steps=3, workers=4
        )
    assert x is generator
    assert options["validation_data"] is validation
    assert (options["steps_per_epoch"], options["validation_steps"]) == (2, 3)


def test_plain_generators_and_iterators_train_and_judge(images: npt.NDArray[np.uint8]) -> None:
    class Batches:
        """An iterator that is no generator: Keras 3 alone would not take it."""

        def __init__(self) -> None:
            self._batches = batches(images)

        def __iter__(self) -> Iterator[Any]:
            return self

        def __next__(self) -> Any:
            return next(self._batches)

    model, recorder = recording_model()
    for source in (batches(images), Batches()):
        with one_warning("mean nothing to it"):
            fit_generator(model, source, steps_per_epoch=2, epochs=2, verbose=0)
        assert recorder.take_rows() == [0, 1, 2, 3, 4] * 4
    with one_warning("mean nothing to it"):
        assert evaluate_generator(model, batches(images), steps=2) == [0.0, 10.0]
    with one_warning("mean nothing to it"):
        assert predict_generator(model, batches(images), steps=1)[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_generator_to_validate_on_gets_its_producers_whatever_is_trained_on(
    images: npt.NDArray[np.uint8], generator: DataGenerator
) -> None:
    model, recorder = recording_model()
    with one_warning("as it is: generator (generator). It"):
        options = {"validation_data": generator, "workers": 3, "max_queue_size": 5, "verbose": 0}
        fit_generator(model, batches(images), steps_per_epoch=1, **options)
    assert recorder.take_rows() == [0, 1, 2, 3, 4, *EPOCH]
    wait_for_producers(generator.pool, 3)
    wait_for("15 slots", lambda: num_slots(generator) == 15)


def test_a_plain_generator_without_a_number_of_steps_is_refused(images: npt.NDArray[np.uint8]) -> None:
    model, _ = recording_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ConfigurationError, match="say with steps_per_epoch= how many"):
            fit(model, batches(images))
        with pytest.raises(ConfigurationError, match="say with validation_steps= how many"):
            fit(model, batches(images), steps_per_epoch=1, validation_data=batches(images))
        with pytest.raises(ConfigurationError, match="say with steps= how many"):
            predict_generator(model, batches(images))


def test_a_sequence_of_ones_own_goes_to_keras_as_it_is(images: npt.NDArray[np.uint8]) -> None:
    class Own(keras.utils.Sequence):  # type: ignore[misc]  # Keras has no types
        def __len__(self) -> int:
            return 3

        def __getitem__(self, _: int) -> Any:
            return images, np.array(rows_in(images))

    model, recorder = recording_model()
    with one_warning("as it is: generator (Own). It runs in this process"):
        fit_generator(model, Own(), epochs=2, verbose=0)
    assert recorder.take_rows() == [0, 1, 2, 3, 4] * 6


# --- install --------------------------------------------------------------------------------------------


@pytest.fixture
def methods() -> Iterator[None]:
    """Take the methods away again, whatever happens."""
    yield
    uninstall()


@pytest.mark.usefixtures("methods")
def test_install_gives_models_their_methods_back_and_uninstall_takes_them_away(
    generator: DataGenerator,
) -> None:
    model, recorder = recording_model()
    assert not hasattr(model, "fit_generator")
    install()
    install()
    model.fit_generator(generator=generator, epochs=1, verbose=0)
    assert sorted(recorder.take_rows()) == EPOCH
    assert model.evaluate_generator(generator)[1] == NUM_ROWS
    assert model.predict_generator(generator)[:, 0].tolist() == EPOCH
    uninstall()
    uninstall()
    assert not any(hasattr(model, f"{verb}_generator") for verb in ("fit", "evaluate", "predict"))


@pytest.mark.usefixtures("methods")
def test_install_does_not_replace_a_method_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.Model, "evaluate_generator", lambda model: model, raising=False)
    with pytest.raises(ConfigurationError, match="has a evaluate_generator that is not Feedline's"):
        install()
    assert not hasattr(keras.Model, "fit_generator")
    uninstall()
    assert hasattr(keras.Model, "evaluate_generator")


def test_the_recorder_would_notice(folder: Path) -> None:
    """The darker images that the views leave out are really of other rows."""
    model, recorder = recording_model()
    with generator_of(folder, range(1, NUM_ROWS), transforms=[DARKER]) as generator:
        fit(model, generator)
    assert isinstance(recorder, Recorder)
    with pytest.raises(AssertionError, match="parted ways"):
        recorder.take_rows()
