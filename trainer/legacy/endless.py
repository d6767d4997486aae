"""A sequence over and over: what ``steps_per_epoch`` meant in Keras 2."""

from __future__ import annotations

from typing import Any

import keras

from feedline.trainer.sequences.served import ServedSequence


class Endless(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Epoch after epoch of a sequence, without an end, for a Keras epoch of any length.

    Keras 3 ends its epoch where the sequence ends. In Keras 2 the next one went on where the last stopped,
    and began the sequence anew in between.

    Parameters
    ----------
    sequence : ServedSequence
        Each of its epochs is delivered whole before the next, however long Keras' epochs are.
    """

    def __init__(self, sequence: ServedSequence) -> None:
        super().__init__()
        self._sequence = sequence
        self._has_peeked = False

    @property
    def num_batches(self) -> None:
        """None: Keras counts to ``steps_per_epoch``. The sequence hears that it was read: peeks follow."""
        self._sequence.num_batches  # noqa: B018 - it is the reading that counts

    def __getitem__(self, index: int) -> Any:
        """Batch `index` of all there will ever be."""
        return self._sequence[index % len(self._sequence)]

    def on_epoch_end(self) -> None:
        """Tell the sequence that Keras has peeked. Later calls end Keras' epochs, which are not its own."""
        if not self._has_peeked:
            self._has_peeked = True
            self._sequence.on_epoch_end()
