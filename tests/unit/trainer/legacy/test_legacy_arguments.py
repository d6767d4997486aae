"""Arguments of Keras 2: what they become, and what is refused with a sentence."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feedline.errors import ConfigurationError
from feedline.legacy import evaluate_generator, fit_generator, predict_generator
from feedline.trainer.legacy.arguments import class_weights, epochs_to_validate, steps_of
from feedline.trainer.legacy.feeds import Supply

JUDGING = {
    "steps": None,
    "callbacks": None,
    "max_queue_size": 10,
    "workers": 1,
    "use_multiprocessing": False,
    "verbose": 0,
}
FITTING = {
    "steps_per_epoch": None,
    "epochs": 1,
    "verbose": 1,
    "callbacks": None,
    "validation_data": None,
    "validation_steps": None,
    "validation_freq": 1,
    "class_weight": None,
    "max_queue_size": 10,
    "workers": 1,
    "use_multiprocessing": False,
    "shuffle": True,
    "initial_epoch": 0,
}


@pytest.mark.parametrize(
    ("call", "expected"),
    [(fit_generator, FITTING), (evaluate_generator, JUDGING), (predict_generator, JUDGING)],
)
def test_arguments_have_the_names_order_and_defaults_of_keras_2(
    call: Callable[..., Any], expected: dict[str, Any]
) -> None:
    model, generator, *rest = inspect.signature(call).parameters.values()
    assert (model.name, generator.name) == ("model", "generator")
    assert [(p.name, p.default) for p in rest] == list(expected.items())


@pytest.mark.parametrize(
    ("steps", "expected"), [(None, None), (3, 3), (2.1, 3), (7.0, 7), (np.float64(1.5), 2), (np.int64(4), 4)]
)
def test_a_fraction_of_a_batch_is_a_batch(steps: Any, expected: int | None) -> None:
    assert steps_of("steps", steps) == expected


@pytest.mark.parametrize("steps", [0, -1, -0.5, float("nan"), float("inf"), "3"])
def test_steps_that_are_no_number_of_batches_are_refused(steps: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"validation_steps must be a number of batches, at least 1"):
        steps_of("validation_steps", steps)


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [(2, 2), ([1, 3], [3]), ({4, 3, 9}, [3, 4]), ((5,), [5]), (range(0, 10, 2), [4]), (np.array([3]), [3])],
)
def test_epochs_to_validate_after_are_spelt_out(frequency: Any, expected: Any) -> None:
    assert epochs_to_validate(frequency, initial_epoch=2, epochs=5) == expected


@pytest.mark.parametrize("frequency", [0, 1.5, None, True])
def test_a_frequency_that_is_none_is_refused(frequency: Any) -> None:
    with pytest.raises(ConfigurationError, match="validation_freq must be a whole number, at least 1"):
        epochs_to_validate(frequency, 0, 5)


def test_class_weights_are_a_mapping_or_are_refused_with_the_remedy() -> None:
    assert class_weights(None) is None
    assert class_weights({0: 1.0, 1: 2.0}) == {0: 1.0, 1: 2.0}
    for weights in (np.array([1.0, 2.0]), "balanced"):
        with pytest.raises(ConfigurationError, match=r"dict\(enumerate\(weights\)\)"):
            class_weights(weights)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((-1, 10, False), "workers must be a whole number, at least 0, got -1"),
        ((1.5, 10, False), "workers must be a whole number, at least 0, got 1.5"),
        ((True, 10, False), "workers must be a whole number, at least 0, got True"),
        ((1, 0, False), "max_queue_size must be a whole number, at least 1, got 0"),
        ((1, 10, 4), "use_multiprocessing must be True or False, got 4"),
    ],
)
def test_a_supply_that_cannot_be_is_refused(arguments: tuple[Any, ...], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        Supply(*arguments)
