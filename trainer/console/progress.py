"""What a training says while it runs, and how long its steps took and waited."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, Self

from tqdm import tqdm


class Bar(tqdm):  # type: ignore[type-arg]  # it is generic in its stubs alone
    """A progress bar on a terminal, and nothing in a log file."""

    # No watching thread: it is for bars that stand still between steps.
    monitor_interval = 0

    def __init__(self, iterable: Iterable[Any] | None = None, **options: Any) -> None:
        super().__init__(iterable, disable=None, leave=False, **options)


class Stats(Protocol):
    """Of `feedline.trainer.pool.stats.DeliveryStats`, what is read here."""

    @property
    def wait_s(self) -> float:
        """Seconds that batches were waited for so far."""


class Fed(Protocol):
    """Of `feedline.BatchSequence`, what is read here."""

    def __len__(self) -> int:
        """Steps of an epoch."""

    @property
    def stats(self) -> Stats:
        """What was delivered so far."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A clock, and how much of the time until then went by in waits; both in seconds."""

    clock_s: float
    wait_s: float

    @classmethod
    def now(cls, sequence: Fed) -> Self:
        """Look at both."""
        return cls(time.perf_counter(), sequence.stats.wait_s)


@dataclass(frozen=True, slots=True)
class EpochTimes:
    """Training steps of one epoch, or of several, without their validation.

    Attributes
    ----------
    num_images : int
        Images trained on.
    duration_s : float
        From the beginning of the first step to the end of the last.
    wait_s : float
        How much of it a batch was asked for and not there.
    """

    num_images: int
    duration_s: float
    wait_s: float

    @property
    def images_per_s(self) -> float:
        """Images trained on per second."""
        return self.num_images / self.duration_s

    @property
    def wait_share(self) -> float:
        """Share of the time spent waiting, 0 to 1. Close to 0: the trainer is never kept waiting."""
        return min(1.0, self.wait_s / self.duration_s)

    def __add__(self, other: EpochTimes) -> EpochTimes:
        """Both together."""
        return EpochTimes(
            self.num_images + other.num_images, self.duration_s + other.duration_s, self.wait_s + other.wait_s
        )


class Progress:
    """Watches a `fit`: a bar during each epoch, a line after it, and the times of all.

    Parameters
    ----------
    sequence : BatchSequence
        The training data.
    num_images : int
        Images of an epoch.
    num_epochs : int
        Epochs that `fit` was asked for.

    Attributes
    ----------
    epochs : list of EpochTimes
        Those that ended.
    """

    def __init__(self, sequence: Fed, num_images: int, num_epochs: int) -> None:
        self.epochs: list[EpochTimes] = []
        self._sequence = sequence
        self._num_images = num_images
        self._num_epochs = num_epochs
        self._bar: Bar | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Keras begins an epoch."""
        del logs
        self._bar = Bar(total=len(self._sequence), desc=self._title(epoch), unit="batch")
        self._began = self._ended = Moment.now(self._sequence)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Keras ends a training step."""
        del batch
        # The last one's is the time to count: Keras validates before it ends the epoch.
        self._ended = Moment.now(self._sequence)
        if self._bar is not None:
            self._bar.set_postfix(
                loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.3f}", refresh=False
            )
            self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Keras ends an epoch, its validation included."""
        self.close()
        times = self._times()
        self.epochs.append(times)
        tqdm.write(
            f"{self._title(epoch)}   loss {logs['loss']:.3f}   accuracy {logs['accuracy']:.3f}"
            f"   validation {logs['val_accuracy']:.3f}"
            f"   {times.images_per_s:7,.0f} images/s   waiting {times.wait_share:6.1%}"
        )

    def close(self) -> None:
        """Take the bar away, if there is one: what is said next begins a line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _title(self, epoch: int) -> str:
        return f"epoch {epoch + 1:2d}/{self._num_epochs}"

    def _times(self) -> EpochTimes:
        began, ended = self._began, self._ended
        return EpochTimes(self._num_images, ended.clock_s - began.clock_s, ended.wait_s - began.wait_s)
