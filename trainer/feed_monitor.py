"""`FeedMonitor`: how well a training is fed, in Keras' own logs."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import keras

from feedline.trainer.pool.stats import DeliveryStats
from feedline.trainer.sequences.served import ServedSequence, begun_here

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Fed:
    """What a sequence has done in the training part of one Keras epoch.

    Attributes
    ----------
    began_s, ended_s : float
        When the first step began, and when the last one so far ended; seconds of `time.perf_counter`.
    before : DeliveryStats
        What had been delivered when it began.
    num_steps : int
        That have ended.
    """

    sequence: ServedSequence
    began_s: float
    before: DeliveryStats
    ended_s: float
    num_steps: int = 0

    @classmethod
    def begins(cls, sequence: ServedSequence) -> _Fed:
        """Keras begins an epoch."""
        now = time.perf_counter()
        return cls(sequence, now, sequence.stats, now)

    def logs(self) -> dict[str, float]:
        """The epoch so far, as the progress bar shows it."""
        stats = self.sequence.stats
        seconds = max(self.ended_s - self.began_s, 1e-9)
        samples_per_batch = stats.num_samples / max(1, stats.num_batches)
        wait_s = min(seconds, stats.trainer_wait_s - self.before.trainer_wait_s)
        return {
            "images_per_s": self.num_steps * samples_per_batch / seconds,
            "data_wait_ms": 1e3 * wait_s / max(1, self.num_steps),
            "data_wait_share": wait_s / seconds,
            "producers": float(self.sequence.pool.num_producers),
        }


class FeedMonitor(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Puts into Keras' logs how well the training is fed: for progress bar, CSVLogger, TensorBoard, History.

    They are ``images_per_s``, ``data_wait_ms`` (what a step waits for its batch, on average),
    ``data_wait_share`` (of the time, 0 to 1) and ``producers`` (that are connected); each of the epoch so
    far, without its validation. And it tells the sequence which steps have ended, so that
    `BatchSequence.report` knows how long the trainer itself waited where TensorFlow reads ahead of it.

    Notes
    -----
    It must stand before the callbacks that are to see the numbers: Keras hands the same logs from one to the
    next, in the order of the list. Progress bar and History come last of all by themselves.

    Examples
    --------
    >>> model.fit(train, callbacks=[FeedMonitor(), CSVLogger("log.csv")])  # doctest: +SKIP
    """

    # Keras then goes on while callbacks run, and waits for no device to have the numbers of each step.
    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self._fed: _Fed | None = None
        self._begun_step: int | None = None
        self._has_warned = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Before Keras begins an epoch of the sequence."""
        begun_here.sequence = None
        self._fed = None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """In the thread that trains, before step `batch`, or the first of several at once."""
        if self._fed is None:
            self._fed = self._find()
        num_done = 0 if self._begun_step is None else max(1, batch - self._begun_step)
        self._begun_step = batch
        if self._fed is not None:
            self._fed.sequence.step_begins(num_done)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """After step `batch`, the last of several at once."""
        if self._fed is not None:
            self._fed.ended_s, self._fed.num_steps = time.perf_counter(), batch + 1
            self._add(logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """After the epoch and its validation."""
        self._add(logs)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Training has ended: keep nothing of it."""
        self._fed = self._begun_step = begun_here.sequence = None

    def _find(self) -> _Fed | None:
        """The sequence of which Keras has just begun an epoch, in this thread."""
        reference = getattr(begun_here, "sequence", None)
        sequence = None if reference is None else reference()
        if sequence is None and not self._has_warned:
            self._has_warned = True
            logger.warning("FeedMonitor has nothing to show: fit was given no sequence of Feedline's")
        return None if sequence is None else _Fed.begins(sequence)

    def _add(self, logs: Any) -> None:
        if self._fed is not None and logs is not None:
            logs.update(self._fed.logs())
