"""What every contender has in common."""

from __future__ import annotations

import os
import resource
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy.typing as npt

from feedline.trainer.bench.case import Case
from feedline.trainer.bench.meter import Measured, Meter
from feedline.trainer.bench.processes import cpu_s, descendants


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the counters stood at one moment."""

    trainer_cpu_s: float
    workers_cpu_s: float
    details: dict[str, Any]


class Contender(ABC):
    """Does the work of one case, batch after batch.

    Parameters
    ----------
    case : Case
        The work.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """Whose versions belong in the report."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._stream: Iterator[tuple[int, bool]] | None = None

    @abstractmethod
    def epoch(self) -> Iterator[Any]:
        """One epoch of batches: arrays, or tuples that begin with the images."""

    @abstractmethod
    def plain(self, num: int) -> npt.NDArray[Any]:
        """The first `num` images of the folder without the random part, shape (num, *case.shape)."""

    @property
    def fit_source(self) -> Any:
        """What `fit` is given; None if it takes nothing of the kind."""
        return None

    @property
    def queue_batches(self) -> int:
        """Batches that may be ready before a measurement begins."""
        return 12

    def details(self) -> dict[str, Any]:
        """Whatever is known beside the time; numbers are of the whole run so far."""
        return {}

    def close(self) -> None:  # noqa: B027 - most have none
        """End all helpers."""

    def measure(self, seconds: float, step_s: float) -> Measured:
        """Take batches for a while."""
        before: list[Mark] = []
        meter = Meter(self.queue_batches, seconds, step_s, lambda: before.append(self._mark()))
        self._consume(meter)
        measured, first, last = meter.measured, before[0], self._mark()
        measured.trainer_cpu_s = last.trainer_cpu_s - first.trainer_cpu_s
        measured.workers_cpu_s = last.workers_cpu_s - first.workers_cpu_s
        measured.details = {"before": first.details, "after": last.details}
        return measured

    def versions(self) -> dict[str, str]:
        """Of the libraries that do the work."""
        found = {}
        for package in ("numpy", "opencv-python-headless", *self.packages):
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = "unknown"
        return found

    def _consume(self, meter: Meter) -> None:
        if self.case.through == "fit":
            from feedline.trainer.bench.fitting import fit_until_done  # noqa: PLC0415 - only this way needs Keras

            fit_until_done(self.fit_source, self.case, meter)
            return
        self._stream = self._stream or self._endless()
        while not meter.is_done:
            num_images, first = next(self._stream)
            meter.take(num_images, first_of_epoch=first)

    def _endless(self) -> Iterator[tuple[int, bool]]:
        while True:
            for index, batch in enumerate(self.epoch()):
                images = batch[0] if isinstance(batch, tuple | list) else batch
                yield len(images), index == 0

    def _mark(self) -> Mark:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        workers_s = cpu_s(descendants(os.getpid())) + ended.ru_utime + ended.ru_stime
        return Mark(time.process_time(), workers_s, self.details())
