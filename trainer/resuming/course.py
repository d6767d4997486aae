"""How Keras goes through a sequence: which batch of which epochs comes after so many. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a ``fit``: all before it is trained.

    Attributes
    ----------
    keras_epoch, keras_step : int
        Keras' epoch, and how many of its batches are trained.
    epoch, step : int
        The epoch of the sequence, and how many of its batches are trained. With ``steps_per_epoch`` below the
        length, several of Keras' epochs go through one of these.
    """

    keras_epoch: int
    keras_step: int
    epoch: int
    step: int


@dataclass(frozen=True, slots=True)
class Course:
    """The way that ``fit`` takes.

    Attributes
    ----------
    length : int
        Batches of an epoch of the sequence, at least 1.
    steps_per_epoch : int or None
        As ``fit`` was told.
    steps_per_execution : int
        As ``compile`` was told: Keras calls back after so many batches.
    """

    length: int
    steps_per_epoch: int | None = None
    steps_per_execution: int = 1

    def begins(self, at: Position) -> bool:
        """Whether Keras begins to go through the sequence here, or goes on where it was."""
        return at.step == 0 or self.steps_per_epoch is None

    def after_batch(self, begun: Position, last: int) -> Position:
        """The place after batch `last` of a Keras epoch that was begun at `begun`, as Keras counts.

        The last execution of an epoch may have found fewer batches than it was to take.
        """
        num = min(last + 1 - begun.keras_step, self._num_left(begun))
        return replace(begun, keras_step=begun.keras_step + num, step=begun.step + num)

    def is_over(self, begun: Position, at: Position) -> bool:
        """Whether the Keras epoch that was begun at `begun` has no batch after `at`."""
        return at.keras_step - begun.keras_step >= self._num_left(begun)

    def after_epoch(self, at: Position) -> Position:
        """Where the Keras epoch after this one begins."""
        sweep_ends = self.steps_per_epoch is None or at.step >= self.length
        epoch, step = (at.epoch + 1, 0) if sweep_ends else (at.epoch, at.step)
        return Position(at.keras_epoch + 1, 0, epoch, step)

    def _num_left(self, begun: Position) -> int:
        """Batches of a Keras epoch from `begun` on: whole executions, unless the sequence ends before."""
        num = self.steps_per_epoch or self.length
        whole = -(-num // self.steps_per_execution) * self.steps_per_execution
        return min(whole - begun.keras_step, self.length - begun.step)

    @classmethod
    def of(cls, iterator: object, length: int) -> Self:
        """That of one of Keras' epoch iterators."""
        steps = getattr(iterator, "steps_per_epoch", None)
        return cls(length, steps or None, getattr(iterator, "steps_per_execution", 1))
