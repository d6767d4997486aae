"""`SetEpoch`: what Keras tells a callback, and not a sequence."""

from __future__ import annotations

from typing import Any

import keras

from feedline.common.errors import ConfigurationError
from feedline.common.signatures import suggests
from feedline.trainer.sequences.served import ServedSequence


class SetEpoch(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Trains in each Keras epoch the epoch of that number.

    Without it a sequence counts its own sweeps, from its `initial_epoch` on. With it ``fit(initial_epoch=2)``
    trains epoch 2, with its order and its draws, whatever was swept before: so does a `fit` that
    `BackupAndRestore` resumes, one after a fit that was stopped, and one in which a callback sweeps the
    sequence, too. An epoch is trained from its beginning.

    Parameters
    ----------
    sequence : BatchSequence or RemoteSequence
        What ``fit`` is given.

    Raises
    ------
    ConfigurationError
        It is no sequence of Feedline's; or, when training begins, ``steps_per_epoch`` is smaller than its
        length, and the first Keras epoch is midway in one of the sequence.

    Examples
    --------
    >>> model.fit(train, epochs=10, initial_epoch=2, callbacks=[SetEpoch(train)])  # doctest: +SKIP
    """

    @suggests()
    def __init__(self, sequence: ServedSequence) -> None:
        super().__init__()
        if not isinstance(sequence, ServedSequence):
            raise ConfigurationError(
                f"SetEpoch needs the BatchSequence that is trained on, got {type(sequence).__name__}"
            )
        self._sequence = sequence
        self._has_begun = False

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Keras has peeked, and turns to its first epoch."""
        self._has_begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Before the first batch of Keras epoch `epoch` is asked for."""
        length = len(self._sequence)
        steps = self.params.get("steps") or length
        if steps >= length:
            self._sequence.set_epoch(epoch)
        elif not self._has_begun:
            # One sweep then goes on over several Keras epochs, and the next follows by itself.
            self._sequence.set_epoch(_epoch_after(epoch, steps, length))
        self._has_begun = True


def _epoch_after(keras_epochs: int, steps: int, length: int) -> int:
    """The epoch that follows so many Keras epochs, several of which share one: their last may be short."""
    shared_by = -(-length // steps)
    epoch, begun = divmod(keras_epochs, shared_by)
    if begun:
        raise ConfigurationError(
            f"initial_epoch={keras_epochs} with steps_per_epoch={steps} is midway in epoch {epoch} of the"
            f" sequence, which takes {shared_by} Keras epochs for its {length} batches: begin with a multiple"
            f" of {shared_by}, or leave out SetEpoch"
        )
    return epoch
