"""Measure how good forecasts are, with the bottlenecks of tests/integration/planted.py.

``PYTHONPATH=.:tests:tests/integration python -m docs.figures.measure_forecasts``

Each is trained with several numbers of producers, in turns, so that whatever else this machine does meets all
alike. Each report forecasts what one producer fewer and one more would give. Prints how far the median of the
forecasts is from the median of what was measured.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from children import producers_elsewhere, wait_for_producers
from planted import napping, narrow_line, pictures, train

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.trainer.verdict.report import Report

SIZE = (24, 32)
NUM_ROUNDS, NUM_EPOCHS = 3, 2
"""Of the epochs in a turn, the last counts."""


@dataclass(frozen=True)
class Plant:
    """A bottleneck, and the numbers of producers it is measured with."""

    data: Callable[[Path], ImageDataset]
    step_s: float
    numbers: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    bytes_per_s: float | None = None


PLANTS = {
    "slow transform": Plant(
        lambda folder: pictures(folder, 320, "png", SIZE),
        0.02,
        (1, 2, 3, 4, 5),
        {"transforms": [napping(0.01)]},
    ),
    "slow disk": Plant(lambda folder: pictures(folder, 320, "bmp", SIZE, fill=8 << 20), 0.002, (1, 2)),
    "slow decode": Plant(lambda folder: pictures(folder, 160, "jpg", (1200, 1600)), 0.002, (1, 2)),
    "slow trainer": Plant(lambda folder: pictures(folder, 320, "png", SIZE), 0.03, (1, 2, 3)),
    "tiny batches": Plant(
        lambda folder: pictures(folder, 2000, "png", (8, 8)),
        0.0,
        (1, 2),
        {"batch_size": 1, "image_size": (8, 8)},
    ),
    "narrow network": Plant(
        lambda folder: pictures(folder, 240, "png", (128, 128)),
        0.01,
        (1, 2, 3),
        {"image_size": (128, 128)},
        8e6,
    ),
}


@contextmanager
def pool_for(plant: Plant, folder: Path, num: int) -> Iterator[ProducerPool]:
    """So many producers, behind the line that the plant has."""
    if plant.bytes_per_s is None:
        with ProducerPool(workers=num) as pool:
            wait_for_producers(pool, num)
            yield pool
        return
    with ExitStack() as opened:
        pool = opened.enter_context(ProducerPool("tcp://127.0.0.1:*", transport="frames"))
        endpoint = opened.enter_context(narrow_line(pool.endpoint, plant.bytes_per_s))
        words = ("--connect", endpoint, "--data-root", str(folder), "--workers", str(num))
        opened.enter_context(producers_elsewhere("-m", "feedline.producer", *words))
        wait_for_producers(pool, num)
        yield pool


@dataclass(frozen=True)
class Epoch:
    """What one gave, and what its report forecast for other numbers of producers."""

    images_per_s: float
    report: Report

    def forecast(self, num: int) -> float | None:
        """Images per second with `num` producers, if that was forecast."""
        verdict = self.report.verdict
        return next(
            (one.images_per_s for one in (verdict.fewer, verdict.more) if one and one.num_producers == num),
            None,
        )


def measure(plant: Plant, folder: Path, data: ImageDataset) -> dict[int, list[Epoch]]:
    """An epoch of each round, by the number of producers."""
    found: dict[int, list[Epoch]] = {num: [] for num in plant.numbers}
    for _ in range(NUM_ROUNDS):
        for num in plant.numbers:
            found[num] += turn(plant, folder, data, num)[-1:]
    return found


def turn(plant: Plant, folder: Path, data: ImageDataset, num: int) -> list[Epoch]:
    """Some epochs with so many producers."""
    options = {"batch_size": 8, "image_size": SIZE} | plant.options
    epochs = []
    with pool_for(plant, folder, num) as pool, BatchSequence(data, pool=pool, **options) as sequence:
        for _ in range(NUM_EPOCHS):
            rate, report = train(sequence, plant.step_s), sequence.report()
            if report is not None:
                epochs.append(Epoch(rate, report))
    return epochs


def show(name: str, num: int, found: dict[int, list[Epoch]]) -> None:
    """Print what so many producers gave, and their forecasts of those beside them."""
    rate = median(epoch.images_per_s for epoch in found[num])
    bounds = {str(epoch.report.verdict.bound) for epoch in found[num]}
    print(f"{name}, {num} producers: {rate:,.0f} images/s, {', '.join(bounds)}", flush=True)
    for other in (num - 1, num + 1):
        forecasts = [one for epoch in found[num] if (one := epoch.forecast(other)) is not None]
        if other in found and forecasts:
            measured = median(epoch.images_per_s for epoch in found[other])
            far = median(forecasts) / measured - 1
            print(f"    {other}: {median(forecasts):,.0f} forecast, {measured:,.0f} measured, {far:+.0%}")


def main(names: list[str]) -> None:
    """Measure all, or those that are named."""
    for name in names or PLANTS:
        plant = PLANTS[name]
        with tempfile.TemporaryDirectory() as folder:
            found = measure(plant, Path(folder), plant.data(Path(folder)))
        for num in found:
            show(name, num, found)


if __name__ == "__main__":
    main(sys.argv[1:])
