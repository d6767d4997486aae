"""Arguments of Keras 2 as Keras 3 takes them, or a sentence about what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from typing import Any

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError

WORKERS, MAX_QUEUE_SIZE = 1, 10
"""Keras 2's defaults. They change nothing: a sequence keeps the numbers that it has."""


OF_KERAS_1: dict[str, str] = {
    "samples_per_epoch": "it is steps_per_epoch, in batches: the samples divided by batch_size, rounded up",
    "nb_epoch": "it is called epochs",
    "nb_val_samples": "it is validation_steps, in batches",
    "val_samples": "it is called steps, in batches",
    "nb_worker": "it is called workers",
    "max_q_size": "it is called max_queue_size",
    "pickle_safe": "it is called use_multiprocessing",
}
"""Arguments that Keras 2 renamed and took all the same, with a warning."""


def steps_of(name: str, steps: float | None) -> int | None:
    """Round a number of batches up, as Keras 2 did: old scripts pass ``len(ids) / batch_size``."""
    if steps is None:
        return None
    try:
        number = math.ceil(steps)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if number < 1:
        raise ConfigurationError(f"{name} must be a number of batches, at least 1, got {steps!r}")
    return number


def epochs_to_validate(frequency: int | Container[int], initial_epoch: int, epochs: int) -> int | list[int]:
    """Spell a container out, for Keras 3 takes lists alone; epochs count from 1."""
    if isinstance(frequency, Container):
        return [epoch for epoch in range(initial_epoch + 1, epochs + 1) if epoch in frequency]
    return whole("validation_freq", frequency, at_least=1)


def class_weights(weights: Any) -> dict[int, float] | None:
    """Refuse what is not a mapping: Keras 2 ignored arrays, Keras 3 trips over them."""
    if weights is None:
        return None
    if not isinstance(weights, Mapping):
        raise ConfigurationError(
            "class_weight must be a dict of class number to weight, such as dict(enumerate(weights)) makes of"
            f" an array; got {weights!r}"
        )
    return dict(weights)
