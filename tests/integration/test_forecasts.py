"""What is forecast for one producer fewer and one more is what is measured then, with planted bottlenecks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest
from children import producers_elsewhere, wait_for_producers
from planted import Size, napping, narrow_line, pictures, train

from feedline import BatchSequence, ProducerPool
from feedline.trainer.verdict.verdict import Bound

pytestmark = pytest.mark.planted

SIZE = (24, 32)
MORE_THAN_CORES = len(os.sched_getaffinity(0)) + 1
TURNS = 3
WITHIN = 0.10


@dataclass
class Pipeline:
    """A sequence whose producers are as many as is said, and a trainer; what `num` of them forecast."""

    sequence: BatchSequence
    have: Callable[[int], object]
    step_s: float
    num: int = 2
    rates: dict[int, list[float]] = field(default_factory=dict)
    forecasts: dict[int, list[float]] = field(default_factory=dict)

    def measure(self, num: int) -> Bound:
        """An epoch that does not count, and one that does."""
        self.have(num)
        train(self.sequence, self.step_s)
        self.rates.setdefault(num, []).append(train(self.sequence, self.step_s))
        report = self.sequence.report()
        assert report is not None
        if num == self.num:
            for forecast in (report.verdict.fewer, report.verdict.more):
                assert forecast is not None
                self.forecasts.setdefault(forecast.num_producers, []).append(forecast.images_per_s)
        return report.verdict.bound


Planted = Callable[[Path], AbstractContextManager[Pipeline]]


@contextmanager
def embedded(
    folder: Path,
    step_s: float,
    num_rows: int,
    extension: str,
    size: Size,
    *,
    num: int = 2,
    fill: int = 0,
    **options: object,
) -> Iterator[Pipeline]:
    """Producers of the pool's own."""
    data = pictures(folder, num_rows, extension, size, fill)
    with (
        ProducerPool(workers=num) as pool,
        BatchSequence(data, pool=pool, **{"batch_size": 8, "image_size": SIZE} | options) as sequence,
    ):

        def have(num: int) -> None:
            pool.resize(num)
            wait_for_producers(pool, num)

        yield Pipeline(sequence, have, step_s, num)


@contextmanager
def slow_disk(folder: Path) -> Iterator[Pipeline]:
    """Each of their reads takes its time."""
    library = folder / "slow_reads.so"
    source = Path(__file__).with_name("slow_reads.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    (folder / "pictures").mkdir()
    slowly = {"LD_PRELOAD": str(library), "SLOW_READS_FROM": "100000", "SLOW_READS_BYTES_PER_S": "10e6"}
    with pytest.MonkeyPatch.context() as patch:
        for name, text in slowly.items():
            patch.setenv(name, text)
        with embedded(folder / "pictures", 0.01, 160, "bmp", SIZE, fill=100_000) as pipeline:
            yield pipeline


@contextmanager
def narrow_network(folder: Path) -> Iterator[Pipeline]:
    """Producers elsewhere, behind one line."""
    data = pictures(folder, 400, "png", (128, 128))
    with (
        ProducerPool("tcp://127.0.0.1:*", transport="frames") as pool,
        narrow_line(pool.endpoint, 8e6) as endpoint,
        BatchSequence(data, pool=pool, batch_size=8, image_size=(128, 128)) as sequence,
        ExitStack() as stack,
    ):
        words = [
            "-m",
            "feedline.producer",
            "--connect",
            endpoint,
            "--data-root",
            str(folder),
            "--workers",
            "1",
        ]
        there: list[ExitStack] = []

        def have(num: int) -> None:
            while len(there) > num:
                there.pop().close()
            while len(there) < num:
                there.append(stack.enter_context(ExitStack()))
                there[-1].enter_context(producers_elsewhere(*words))
            wait_for_producers(pool, num)

        yield Pipeline(sequence, have, 0.01)


PLANTED: dict[str, tuple[Bound, Planted]] = {
    "slow disk": (Bound.READ, slow_disk),
    "slow decode": (Bound.DECODE, lambda folder: embedded(folder, 0.002, 400, "jpg", (1200, 1600))),
    "more producers than cores": (
        Bound.DECODE,
        lambda folder: embedded(folder, 0.002, 400, "jpg", (1200, 1600), num=MORE_THAN_CORES),
    ),
    "slow transform": (
        Bound.TRANSFORM,
        lambda folder: embedded(folder, 0.01, 160, "png", SIZE, transforms=[napping(0.01)]),
    ),
    "narrow network": (Bound.NETWORK, narrow_network),
    "slow trainer": (Bound.TRAINER, lambda folder: embedded(folder, 0.03, 160, "png", SIZE)),
    "many tiny batches": (
        Bound.HAND_OVER,
        lambda folder: embedded(folder, 0.0, 2000, "png", (8, 8), batch_size=1, image_size=(8, 8)),
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_one_fewer_and_one_more_give_what_was_forecast(name: str, tmp_path: Path) -> None:
    bound, planted = PLANTED[name]
    with planted(tmp_path) as pipeline:
        named = [
            pipeline.measure(num)
            for _ in range(TURNS)
            for num in (pipeline.num, pipeline.num - 1, pipeline.num, pipeline.num + 1)
        ]
    assert named[::4].count(bound) + named[2::4].count(bound) > TURNS, named
    measured = {num: median(rates) for num, rates in pipeline.rates.items()}
    off = {num: median(of) / measured[num] - 1 for num, of in pipeline.forecasts.items()}
    sys.stdout.write(
        f"{name}: measured {measured}, forecast off by {', '.join(f'{one:+.1%}' for one in off.values())}\n"
    )
    assert max(map(abs, off.values())) <= WITHIN, (off, measured)
