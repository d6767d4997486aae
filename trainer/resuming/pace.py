"""When a training is to be kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError


class Pace:
    """Says when it is time to save.

    Parameters
    ----------
    save_every : int, timedelta or "epoch"
        Batches, time, or after each epoch of Keras.
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, save_every: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._num_batches: float = float("inf")
        self._seconds: float = float("inf")
        self._each_epoch = save_every == "epoch"
        match save_every:
            case "epoch":
                pass
            case timedelta():
                self._seconds = save_every.total_seconds()
            case str():
                raise ConfigurationError(
                    f'save_every must be "epoch", a number or a timedelta, got {save_every!r}'
                )
            case _:
                self._num_batches = whole("save_every", save_every, at_least=1, unit=" of batches")
        if self._seconds <= 0:
            raise ConfigurationError(f"save_every must be a positive time, got {save_every!r}")
        self.saved()

    def saved(self) -> None:
        """It was saved, or there is nothing new yet."""
        self._num_since, self._since = 0, self._clock()

    def trained(self, num_batches: int) -> None:
        """Count batches."""
        self._num_since += num_batches

    @property
    def is_due(self) -> bool:
        """Whether it is time, between two batches."""
        return self._num_since >= self._num_batches or self._clock() - self._since >= self._seconds

    @property
    def is_due_at_end(self) -> bool:
        """Whether it is time, after an epoch."""
        return self._each_epoch or self.is_due
