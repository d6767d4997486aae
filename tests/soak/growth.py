"""Does anything grow? A line through what was measured, and how sure it is."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

NUM_BLOCKS = 10
"""Neighbouring measurements are not independent; means of so many blocks of them are, nearly."""

SIGMAS = 3.0
"""A slope that is so many standard errors from 0 is one."""

MB = 1 << 20


def _producers_mb() -> float:
    """Of one producer, on average: their number changes."""
    sizes = []
    for child in psutil.Process().children():
        try:
            sizes.append(child.memory_info().rss / MB)
        except psutil.NoSuchProcess:
            continue
    return float(np.mean(sizes)) if sizes else 0.0


def _shared_mb() -> float:
    """What lies under names of ours; memory whose name is gone counts to the processes that map it."""
    files = [path for path in Path(os.environ["FEEDLINE_SHM"]).iterdir() if path.is_file()]
    return sum(path.stat().st_blocks * 512 for path in files if path.exists()) / MB


def _num_in(folder: str) -> float:
    return float(sum(1 for _ in Path(folder).iterdir()))


def _mapped_mb() -> float:
    """Shared memory that this process has in use."""
    return psutil.Process().memory_info().shared / MB


QUANTITIES: dict[str, tuple[Callable[[], float], float]] = {
    "trainer's memory, MB": (lambda: psutil.Process().memory_info().rss / MB, 8.0),
    "... shared of it, MB": (_mapped_mb, 8.0),
    "a producer's memory, MB": (_producers_mb, 8.0),
    "descriptors": (lambda: psutil.Process().num_fds(), 3.0),
    "threads": (lambda: float(threading.active_count()), 0.5),
    "shared memory files, MB": (_shared_mb, 1.0),
    "shared memory files": (lambda: _num_in(os.environ["FEEDLINE_SHM"]), 1.0),
    "temporary files": (lambda: _num_in(tempfile.gettempdir()), 0.5),
}
"""What is measured, and how much more of it in the end is not worth a word."""


@dataclass(frozen=True)
class Line:
    """A straight line through measurements.

    Attributes
    ----------
    growth, error : float
        From the first measurement to the last, and its standard error.
    """

    first: float
    last: float
    growth: float
    error: float
    seconds: float

    @classmethod
    def through(cls, times: np.ndarray, values: np.ndarray) -> Line:
        """The least squares fit to means of blocks."""
        blocks = np.array_split(np.arange(len(times)), NUM_BLOCKS)
        t = np.array([times[block].mean() for block in blocks])
        v = np.array([values[block].mean() for block in blocks])
        slope, start = np.polyfit(t, v, 1)
        residuals = v - (slope * t + start)
        error = np.sqrt((residuals**2).sum() / (NUM_BLOCKS - 2) / ((t - t.mean()) ** 2).sum())
        seconds = float(times[-1] - times[0])
        return cls(float(v[0]), float(v[-1]), float(slope) * seconds, float(error) * seconds, seconds)


@dataclass
class Watch:
    """Measures what could grow."""

    times: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in QUANTITIES})

    def look(self) -> None:
        """Measure once."""
        if len(self.times) % 20 == 0:
            gc.collect()  # what only waits to be collected is no leak
        self.times.append(time.monotonic())
        for name, (measure, _) in QUANTITIES.items():
            self.values[name].append(measure())

    @property
    def lines(self) -> dict[str, Line]:
        """For each quantity."""
        if len(self.times) < 2 * NUM_BLOCKS:
            return {}
        times = np.array(self.times)
        return {name: Line.through(times, np.array(values)) for name, values in self.values.items()}

    @property
    def grown(self) -> list[str]:
        """What grew by more than chance explains, and more than is worth a word."""
        return [
            name
            for name, line in self.lines.items()
            if line.growth > max(SIGMAS * line.error, QUANTITIES[name][1])
        ]

    @property
    def table(self) -> list[str]:
        """One line for each."""
        head = f"{'quantity':26} {'first':>9} {'last':>9} {'slope per hour':>16} {'+-':>9}  verdict"
        grown = self.grown
        return [head] + [
            f"{name:26} {line.first:9.1f} {line.last:9.1f} {line.growth / line.seconds * 3600:16.2f}"
            f" {line.error / line.seconds * 3600:9.2f}  {'GROWS' if name in grown else 'flat'}"
            for name, line in self.lines.items()
        ]
