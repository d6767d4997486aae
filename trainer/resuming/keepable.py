"""What callbacks remember: Keras' own by a table, others if they can say it themselves."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from feedline.trainer.resuming.variables import Arrays

logger = logging.getLogger(__name__)

REMEMBERED: dict[type, tuple[str, ...]] = {
    keras.callbacks.History: ("epoch", "history"),
    keras.callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: (
        "best",
        "_current_epoch",
        "_batches_seen_since_last_saving",
        "_last_batch_seen",
    ),
    keras.callbacks.SwapEMAWeights: ("_ema_weights_in_model",),
}
"""Attributes in which Keras' callbacks keep what they know of earlier epochs."""

_ARRAYS = "arrays"
"""Stands for a list of arrays, which lie beside: how many there are."""


def remembered(callbacks: Iterable[Any]) -> tuple[dict[str, Any], Arrays]:
    """What they know, as plain values and as arrays."""
    plain: dict[str, Any] = {}
    arrays: Arrays = {}
    for name, callback in _named(callbacks):
        plain[name] = state = _state(callback)
        for key, value in state.items():
            if _is_arrays(value):
                arrays |= {f"{name}/{key}/{number}": np.asarray(one) for number, one in enumerate(value)}
                state[key] = {_ARRAYS: len(value)}
    return plain, arrays


def remind(callbacks: Iterable[Any], plain: dict[str, Any], arrays: Arrays) -> None:
    """Give them back what they knew."""
    for name, callback in _named(callbacks):
        if name not in plain:
            logger.warning(f"nothing was kept of the callback {name}, which begins anew")
            continue
        state = dict(plain[name])
        for key, value in state.items():
            if isinstance(value, dict) and set(value) == {_ARRAYS}:
                state[key] = [arrays[f"{name}/{key}/{number}"] for number in range(value[_ARRAYS])]
        _set_state(callback, state)


def _named(callbacks: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Those that can be kept, by class and number: a script makes them in the same order again."""
    numbers: Counter[str] = Counter()
    for callback in callbacks:
        if _speaks_for_itself(callback) or _attributes(callback):
            name = type(callback).__name__
            yield f"{name}-{numbers[name]}", callback
            numbers[name] += 1


def _speaks_for_itself(callback: Any) -> bool:
    return hasattr(callback, "state_dict") and hasattr(callback, "load_state_dict")


def _attributes(callback: Any) -> tuple[str, ...]:
    return next((names for kind, names in REMEMBERED.items() if isinstance(callback, kind)), ())


def _state(callback: Any) -> dict[str, Any]:
    if _speaks_for_itself(callback):
        return dict(callback.state_dict())
    names = [name for name in _attributes(callback) if hasattr(callback, name)]
    return {name: _without_tensors(getattr(callback, name)) for name in names}


def _without_tensors(value: Any) -> Any:
    """As NumPy's arrays what a metric gives that is more than a number; plain values as they are."""
    if isinstance(value, dict):
        return {key: _without_tensors(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_tensors(one) for one in value]
    return keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value


def _set_state(callback: Any, state: dict[str, Any]) -> None:
    if _speaks_for_itself(callback):
        callback.load_state_dict(state)
        return
    for name, value in state.items():
        setattr(callback, name, value)


def _is_arrays(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, np.ndarray | np.generic) for one in value)
    )
