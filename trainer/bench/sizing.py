"""``workers="auto"`` against fixed numbers of producers, on loads that are slow by sleeping."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from feedline.common.declarations.plugins import PythonTransform
from feedline.common.errors import FeedlineError
from feedline.trainer.bench.runner import Say
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.pool import sizer
from feedline.trainer.pool.producer_pool import ProducerPool
from feedline.trainer.sequences.batch_sequence import BatchSequence

BATCH_SIZE, SIDE = 8, 32
NUM_STEPS = 64
"""Of an epoch."""

CONNECT_S = 60.0
"""Producers that have not come by then will not."""


@dataclass(frozen=True, slots=True)
class Load:
    """What producers and trainer have to do.

    Attributes
    ----------
    name : str
        In one word.
    step_s : float
        What the trainer takes for a batch.
    dark_s, bright_s : float
        What producers sleep for an image; of 16 batches in a row, the last `num_bright` are bright.
    """

    name: str
    step_s: float
    dark_s: float
    bright_s: float = 0.0
    num_bright: int = 0


LOADS = (
    Load("light", 0.03, 0.001),
    Load("heavy", 0.03, 0.012),
    Load("bursty", 0.03, 0.001, 0.02, 4),
    Load("trainer-bound", 0.1, 0.008),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of it.

    Attributes
    ----------
    fixed : tuple of int
        Numbers of producers.
    warm_s, measure_s : float
        Seconds of a run before it is measured, and of each of three measurements, of which the median counts.
    settle_s : float
        ... before it is, of one that has to find its number; and as many after each decision, up to 30 s.
    """

    fixed: tuple[int, ...]
    warm_s: float
    measure_s: float
    settle_s: float


FULL = Scale((1, 2, 3, 4, 5, 6), 1.0, 1.5, 10.0)
QUICK = Scale((1, 2, 4), 0.5, 0.5, 8.0)

MOST_SETTLING = 3
"""After so many times `settle_s` it is measured, whatever was decided last."""


@dataclass(frozen=True, slots=True)
class Sized:
    """One load: images per second by fixed number, and of ``workers=(1, most)``."""

    load: str
    fixed: dict[int, float]
    auto: float
    num_producers: int
    decisions: tuple[str, ...]

    @property
    def best(self) -> int:
        """The fixed number with most images per second."""
        return max(self.fixed, key=lambda num: self.fixed[num])

    @property
    def ratio(self) -> float:
        """Of the automatic number's rate to that of the best fixed one."""
        return self.auto / self.fixed[self.best]

    @property
    def row(self) -> tuple[str, ...]:
        """For the table."""
        best = f"{self.fixed[self.best]:,.0f} by {self.best}"
        found = f"{self.auto:,.0f} by {self.num_producers}"
        return self.load, f"{self.fixed[1]:,.0f}", best, found, f"{self.ratio:.2f}", str(len(self.decisions))


HEADINGS = ("images/s", "by 1", "best fixed", "auto", "of best", "decisions")


def compare(scale: Scale, say: Say) -> list[Sized]:
    """Measure all loads; each number of producers in a pool of its own."""
    return [_compared(load, scale, say) for load in LOADS]


def to_json(sized: Sequence[Sized]) -> list[dict[str, Any]]:
    """Plain values."""
    return [asdict(one) | {"ratio": one.ratio} for one in sized]


def _compared(load: Load, scale: Scale, say: Say) -> Sized:
    fixed = {}
    for num in scale.fixed:
        with _trainer(load, num) as trainer:
            fixed[num] = trainer.rate(scale.warm_s, scale.measure_s)
        say(f"{load.name}, {num} producer{'s' * (num != 1)}: {fixed[num]:,.0f} images/s")
    with _decisions() as decisions, _trainer(load, (1, scale.fixed[-1])) as trainer:
        for _ in range(MOST_SETTLING):
            num_decided = len(decisions)
            trainer.train(scale.settle_s)
            if len(decisions) == num_decided:
                break
        auto = trainer.rate(scale.warm_s, scale.measure_s)
        num = trainer.pool.num_producers
    for text in decisions:
        say(f"{load.name}, {text}")
    return Sized(load.name, fixed, auto, num, tuple(decisions))


class _Trainer:
    """Takes batches, and as long for each as the load says."""

    def __init__(self, load: Load, pool: ProducerPool, sequence: BatchSequence) -> None:
        self.pool = pool
        self._step_s, self._batches = load.step_s, _endless(sequence)

    def rate(self, warm_s: float, measure_s: float) -> float:
        """Images per second, after some seconds that do not count: the median of three."""
        self.train(warm_s)
        return median(self.train(measure_s) for _ in range(3))

    def train(self, seconds: float) -> float:
        """Train for so long; returns images per second."""
        num, began = 0, time.perf_counter()
        while time.perf_counter() < began + seconds:
            next(self._batches)
            time.sleep(self._step_s)
            num += 1
        return BATCH_SIZE * num / (time.perf_counter() - began)


def _endless(sequence: BatchSequence) -> Iterator[Any]:
    while True:
        yield from sequence


@contextmanager
def _trainer(load: Load, workers: int | tuple[int, int]) -> Iterator[_Trainer]:
    """One with a pool of its own, and as many producers as it begins with connected."""
    nap = PythonTransform(
        "feedline.trainer.bench.naps:nap", {"dark_s": load.dark_s, "bright_s": load.bright_s}
    )
    with (
        tempfile.TemporaryDirectory(prefix="feedline-bench-") as folder,
        ProducerPool(workers=workers) as pool,
        BatchSequence(
            _files(load, Path(folder)),
            batch_size=BATCH_SIZE,
            image_size=(SIDE, SIDE),
            transforms=[nap],
            shuffle=False,
            pool=pool,
        ) as sequence,
    ):
        _wait_for(pool, workers if isinstance(workers, int) else workers[0])
        yield _Trainer(load, pool, sequence)


def _files(load: Load, folder: Path) -> ImageDataset:
    """Dark and bright images, in the order in which they are delivered."""
    for name, value in (("dark.png", 0), ("bright.png", 255)):
        cv2.imwrite(str(folder / name), np.full((SIDE, SIDE, 3), value, np.uint8))
    names = ["bright.png" if step % 16 >= 16 - load.num_bright else "dark.png" for step in range(NUM_STEPS)]
    return ImageDataset.from_lists([name for name in names for _ in range(BATCH_SIZE)], directory=folder)


def _wait_for(pool: ProducerPool, num: int) -> None:
    until = time.monotonic() + CONNECT_S
    while pool.num_producers < num:
        if time.monotonic() > until:
            raise FeedlineError(f"{pool.num_producers} of {num} producers came within {CONNECT_S:g} s")
        time.sleep(0.01)


@contextmanager
def _decisions() -> Iterator[list[str]]:
    """What the sizer says in the log meanwhile."""
    texts: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]
    before = sizer.logger.level
    sizer.logger.setLevel(logging.INFO)
    sizer.logger.addHandler(handler)
    try:
        yield texts
    finally:
        sizer.logger.removeHandler(handler)
        sizer.logger.setLevel(before)
