"""The ``fit`` that a callback runs in: what Keras tells no callback, and how it is made to begin midway.

Everything that depends on how Keras is made inside is in this file: see docs/adr/0021.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import keras

from feedline.common.errors import ConfigurationError
from feedline.trainer.resuming.course import Course, Position
from feedline.trainer.sequences.resumable import ResumableSequence


@dataclass(frozen=True, slots=True)
class RunningFit:
    """A ``fit`` that has come as far as its callbacks' ``on_train_begin``.

    Attributes
    ----------
    model : keras.Model
        What is trained.
    iterator : EpochIterator
        Keras' own, which goes through the sequence.
    callbacks : keras.callbacks.CallbackList
        All that there are, Keras' own among them.
    sequence : ResumableSequence
        What ``fit`` was given.
    course : Course
        How it goes through it.
    """

    model: Any
    iterator: Any
    callbacks: Any
    sequence: ResumableSequence
    course: Course

    @classmethod
    def around(cls, model: Any) -> RunningFit:
        """Find the ``fit`` of `model` that is calling.

        Raises
        ------
        ConfigurationError
            It trains on something else than a sequence of Feedline's, or in an order that is Keras' own.
        """
        found = _locals_of_fit(model)
        iterator = found["epoch_iterator"]
        adapter = iterator.data_adapter
        sequence = getattr(adapter, "py_dataset", None)
        if not isinstance(sequence, ResumableSequence):
            kind = type(sequence if sequence is not None else adapter).__name__
            raise ConfigurationError(
                f"ResumeTraining needs fit to be given a BatchSequence or RemoteSequence itself, got {kind}"
            )
        if adapter.shuffle and not sequence.shuffles:
            raise ConfigurationError(
                "ResumeTraining cannot go on in an order that fit draws: pass shuffle=False to fit, or"
                f" shuffle=True to the {type(sequence).__name__}"
            )
        return cls(model, iterator, found["callbacks"], sequence, Course.of(iterator, len(sequence)))

    @property
    def others(self) -> list[Any]:
        """The callbacks."""
        return list(self.callbacks.callbacks)

    def add(self, callback: keras.callbacks.Callback) -> None:
        """Have a callback called after all others, also in the round of calls that is under way."""
        callback.set_model(self.model)
        callback.set_params(self.callbacks.params)
        self.callbacks.callbacks.append(callback)

    def remove(self, callback: keras.callbacks.Callback) -> None:
        """Undo `add`; from the callback's own last call."""
        self.callbacks.callbacks.remove(callback)

    def build(self) -> None:
        """Make all variables now: on TensorFlow some would be made, and set, with the first batch."""
        signature = getattr(self.iterator.data_adapter, "_output_signature", None)
        if signature is not None and self.model._distribute_strategy is None:  # noqa: SLF001
            self.model._symbolic_build(data_batch=signature)  # noqa: SLF001
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)

    def begin_with_epoch(self, keras_epoch: int | None) -> None:
        """Have ``fit`` begin with this epoch, as Keras' own BackupAndRestore does; None: with its own."""
        self.model._initial_epoch = keras_epoch  # noqa: SLF001

    def begin_sweep(self, at: Position) -> None:
        """Have Keras go through the sequence anew, from `at` on, when its next epoch begins."""
        self.sequence.begin_at(at.epoch, at.step)
        self.iterator._current_iterator = None  # noqa: SLF001

    def begin_midway(self, at: Position) -> None:
        """Have the Keras epoch that begins now go on after its first `keras_step` batches."""
        begin = self.iterator._enumerate_iterator  # noqa: SLF001

        def rest() -> Iterator[Any]:
            del self.iterator._enumerate_iterator  # noqa: SLF001 - later epochs are whole
            places = begin()
            for _ in range(at.keras_step // self.course.steps_per_execution):
                next(places)
            for nth, place in enumerate(places):
                if nth == 0:
                    # Keras counts how much of the sequence is taken, to know where it ends.
                    self.iterator._steps_seen += at.step - at.keras_step  # noqa: SLF001
                yield place

        self.iterator._enumerate_iterator = rest  # noqa: SLF001


def _locals_of_fit(model: Any) -> dict[str, Any]:
    """The local variables of Keras' ``fit``, which is among the callers."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's frame
    while frame is not None:
        found = frame.f_locals if frame.f_code.co_name == "fit" else {}
        if found.get("self") is model and {"epoch_iterator", "callbacks"} <= found.keys():
            return dict(found)
        frame = frame.f_back
    raise ConfigurationError(
        "ResumeTraining belongs in the callbacks of model.fit, and Keras' own fit was not found (version"
        f" {keras.__version__})"
    )
