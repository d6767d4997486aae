"""What is no generator of ours goes to Keras as it is; `install` and `uninstall`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from children import wait_for, wait_for_producers
from images import rows_in
from legacy_generators import EPOCH, NUM_ROWS, fit, folder, generator, num_slots, ordered
from recorder import recording_model

from feedline.errors import ConfigurationError
from feedline.legacy import (
    DataGenerator,
    evaluate_generator,
    fit_generator,
    install,
    predict_generator,
    uninstall,
)


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
