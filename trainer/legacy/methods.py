"""Keras 2's methods back on `keras.Model`, for scripts that are to stay as they are."""

from __future__ import annotations

import keras

from feedline.common.errors import ConfigurationError
from feedline.trainer.legacy.calls import evaluate_generator, fit_generator, predict_generator

_METHODS = {call.__name__: call for call in (fit_generator, evaluate_generator, predict_generator)}


def install() -> None:
    """Give every Keras model ``fit_generator``, ``evaluate_generator`` and ``predict_generator``.

    May be repeated; `uninstall` undoes it.

    Raises
    ------
    ConfigurationError
        Somebody else has put a method of such a name there.
    """
    for name, call in _METHODS.items():
        if getattr(keras.Model, name, call) is not call:
            raise ConfigurationError(
                f"keras.Model has a {name} that is not Feedline's: call feedline.legacy.{name}(model, ...)"
                " instead"
            )
    for name, call in _METHODS.items():
        setattr(keras.Model, name, call)


def uninstall() -> None:
    """Take away what `install` gave; may be repeated."""
    for name, call in _METHODS.items():
        if getattr(keras.Model, name, None) is call:
            delattr(keras.Model, name)
