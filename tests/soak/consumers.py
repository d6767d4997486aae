"""Whoever takes epoch after epoch, and looks at what came."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import numpy as np
from images import rows_in

from feedline.errors import BatchError

NUM_PASSES_KEPT = 2
"""Batches that are held for a while, as TensorFlow reads ahead."""


class Consumer(threading.Thread):
    """Takes epochs of a sequence whose labels, and pixels, are rows.

    Parameters
    ----------
    sequence : BatchSequence or RemoteSequence
        Whose.
    num_rows : int
        Of an epoch.

    Attributes
    ----------
    may_go_on : threading.Event
        Cleared by who wants the consumer to pause.
    """

    def __init__(self, name: str, sequence: Any, num_rows: int) -> None:
        super().__init__(name=name, daemon=True)
        self.sequence = sequence
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.error = ""
        self.num_epochs = self.num_batches = self.num_retried = 0
        self.num_lost = self.num_repeated = self.num_wrong = 0
        self._num_rows = num_rows
        self._over = threading.Event()

    def run(self) -> None:
        """Take epochs until `stop`; an epoch that was begun is ended."""
        try:
            while not self._over.is_set():
                self._judge(self._epoch())
        except Exception as error:  # noqa: BLE001 - the report has it
            self.error = f"{self.name}: {type(error).__name__}: {error}"

    def stop(self) -> None:
        """End after the epoch in hand."""
        self._over.set()
        self.may_go_on.set()

    @property
    def is_well(self) -> bool:
        """Whether it took epochs, and nothing was lost, repeated or wrong."""
        return bool(self.num_epochs) and not (
            self.error or self.num_lost or self.num_repeated or self.num_wrong
        )

    @property
    def line(self) -> str:
        """Its line of the table."""
        return (
            f"{self.name:20} {self.num_epochs:8,} {self.num_batches:9,} {self.num_retried:8,}"
            f" {self.num_lost:6} {self.num_repeated:9} {self.num_wrong:6}"
        )

    def _epoch(self) -> list[int]:
        rows: list[int] = []
        kept: list[Any] = []
        for index in range(len(self.sequence)):
            self.may_go_on.wait()
            x, y = self._batch(index)
            kept = [*kept, x][-NUM_PASSES_KEPT:]
            rows += np.asarray(y).tolist()
            self.num_wrong += _num_wrong(x, np.asarray(y).tolist())
            self.num_batches += 1
        self.sequence.on_epoch_end()
        return rows

    def _batch(self, index: int) -> Any:
        """A batch of which a file is damaged, or which was in work at several deaths, is asked for again."""
        while True:
            try:
                return self.sequence[index]
            except BatchError:
                self.num_retried += 1
                self._over.wait(0.2)

    def _judge(self, rows: list[int]) -> None:
        counts = Counter(rows)
        self.num_epochs += 1
        self.num_lost += sum(row not in counts for row in range(self._num_rows))
        self.num_repeated += sum(num - 1 for num in counts.values())


class OrderedConsumer(Consumer):
    """... whose rows come in the order of the dataset."""

    def _judge(self, rows: list[int]) -> None:
        super()._judge(rows)
        self.num_wrong += rows != list(range(self._num_rows))


def _num_wrong(x: np.ndarray, labels: list[int]) -> int:
    try:
        return sum(row != label for row, label in zip(rows_in(x), labels, strict=True))
    except AssertionError:
        return len(labels)
