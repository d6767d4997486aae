"""What callbacks remember is given back to those that a script makes anew."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest

from feedline.trainer.resuming.keepable import REMEMBERED, remembered, remind


def through_a_file(plain: dict[str, Any]) -> dict[str, Any]:
    """As it comes back."""
    result: dict[str, Any] = json.loads(json.dumps(plain))
    return result


def test_keras_callbacks_know_again_what_they_knew() -> None:
    stopping = keras.callbacks.EarlyStopping(patience=3)
    stopping.wait, stopping.best, stopping.best_epoch = 2, 0.1 + 0.2, 4
    stopping.best_weights = [np.arange(3.0), np.ones((2, 2), np.float32), np.int32(7)]
    history = keras.callbacks.History()
    history.epoch, history.history = [0, 1], {"loss": [1 / 3, float("nan")]}
    plain, arrays = remembered([history, keras.callbacks.LambdaCallback(), stopping])

    again = [keras.callbacks.History(), keras.callbacks.EarlyStopping(patience=3)]
    remind(again, through_a_file(plain), arrays)
    assert again[0].epoch == [0, 1]
    assert repr(again[0].history) == repr(history.history)
    assert (again[1].wait, again[1].best, again[1].best_epoch) == (2, 0.1 + 0.2, 4)
    for found, kept in zip(again[1].best_weights, stopping.best_weights, strict=True):
        assert found.dtype == kept.dtype
        assert (found == kept).all()


@pytest.mark.parametrize("kind", REMEMBERED)
def test_every_attribute_of_the_table_is_one_of_keras(kind: type[keras.callbacks.Callback]) -> None:
    """A Keras that calls it otherwise would lose it without a word."""
    made: Any = kind("x.weights.h5", save_weights_only=True) if "Checkpoint" in kind.__name__ else kind()
    made.on_train_begin()
    made.on_epoch_begin(0)
    missing = [name for name in REMEMBERED[kind] if not hasattr(made, name)]
    assert not missing


def test_of_two_of_a_kind_each_gets_its_own() -> None:
    pair = [keras.callbacks.ReduceLROnPlateau(), keras.callbacks.ReduceLROnPlateau()]
    pair[0].wait, pair[1].wait = 1, 2
    plain, arrays = remembered(pair)
    again = [keras.callbacks.ReduceLROnPlateau(), keras.callbacks.ReduceLROnPlateau()]
    remind(again, through_a_file(plain), arrays)
    assert [one.wait for one in again] == [1, 2]


class Counting(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """One of a user's that can say what it knows."""

    count = 0

    def state_dict(self) -> dict[str, int]:
        """Say it."""
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Know it again."""
        self.count = state["count"]


def test_a_callback_with_a_state_dict_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    known = Counting()
    known.count = 7
    plain, arrays = remembered([known])
    again = [Counting(), Counting()]
    remind(again, through_a_file(plain), arrays)
    assert again[0].count == 7
    assert "nothing was kept of the callback Counting-1, which begins anew" in caplog.text
