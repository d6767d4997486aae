"""How long the trainer itself waited for a batch, which somebody else may have fetched for it. Pure.

TensorFlow's ``fit`` reads ahead in a thread of its own: that one waits whenever its buffer has room, though
the trainer has a batch in hand. How many it has follows from two counts: batches that were fetched, and
steps that have ended, which `feedline.callbacks.FeedMonitor` tells. While both are equal the trainer waits.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

MOST_AHEAD = 64
"""Nobody reads so many batches ahead: the steps of another training are being told."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait for a batch.

    Attributes
    ----------
    seconds : float
        That the trainer waited; all that its reader did where `is_certain` is false.
    """

    seconds: float
    is_certain: bool


class WaitMeter:
    """Tells the trainer's waits from those of who reads ahead of it. Not thread-safe."""

    def __init__(self) -> None:
        self._is_told = False
        self._reader: Hashable = None
        self._num_fetched = self._num_done = 0
        self._empty_since: float | None = None

    def forget(self) -> None:
        """Keras begins an epoch: nobody has told anything of it yet."""
        self._is_told = False

    def step_begins(self, num_done: int, now: float) -> None:
        """`num_done` steps have ended since this was last called, and the trainer takes its next batch."""
        self._is_told = True
        self._num_done = min(self._num_fetched, self._num_done + num_done)
        if self._num_done == self._num_fetched and self._empty_since is None:
            self._empty_since = now

    def fetched(self, reader: Hashable, asked_at: float, now: float) -> Wait:
        """Somebody who reads ahead got a batch that was asked for at `asked_at`.

        `reader` names the loop that it was fetched in: a new one begins with nothing in hand.
        """
        if reader != self._reader:
            self._reader, self._num_fetched, self._num_done = reader, 0, 0
            self._empty_since = asked_at
        if self._num_fetched - self._num_done > MOST_AHEAD:
            self._is_told = False
        wait = self.under_way(asked_at, now)
        self._num_fetched += 1
        self._empty_since = None
        return wait

    def under_way(self, asked_at: float, now: float) -> Wait:
        """Say how long the trainer has waited so far for what its reader asked for at `asked_at`.

        This alone any thread may ask.
        """
        empty_since = self._empty_since
        if not self._is_told:
            return Wait(now - asked_at, is_certain=False)
        waited = 0.0 if empty_since is None else max(0.0, now - max(asked_at, empty_since))
        return Wait(waited, is_certain=True)
