"""A trainer and hundreds of producers that decode nothing: what serving them takes.

Every sample carries its row as a label, which travels in the ticket and comes back in the batch: so a
sample that was lost or doubled shows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import feedline
from feedline.common.batch.layout import ArraySpec
from feedline.common.errors import FeedlineError, StarvedError
from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.trainer.bench.links import keys_for
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.producer_pool import ProducerPool

TIMEOUT_S = 60.0
MAX_SLOTS = 4
"""Batches that one producer may have in hand."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to simulate.

    Attributes
    ----------
    num_producers, num_processes : int
        Producers, and the processes they are spread over.
    num_steps : int
        Batches to count, after a warm-up of two for each producer.
    batch_size : int
        Samples of a ticket.
    side : int
        Height and width of the grey images: their bytes are what moves.
    transport : {"auto", "frames"}
        As of `ProducerPool`.
    checksums : bool
        As of `ProducerPool`.
    encrypts : bool
        With keys of its own.
    """

    num_producers: int = 256
    num_processes: int = 1
    num_steps: int = 20_000
    batch_size: int = 32
    side: int = 16
    transport: str = "auto"
    checksums: bool = True
    encrypts: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it.

    Attributes
    ----------
    tickets_per_s, gb_per_s : float
        Through the trainer.
    cpu_us_per_ticket : float
        Of the trainer's process, both its threads.
    thread_us_per_ticket : float
        Of the pool's thread alone.
    num_lost, num_doubled : int
        Samples that did not come, or came again, in the epochs that were counted.
    """

    tickets_per_s: float
    gb_per_s: float
    cpu_us_per_ticket: float
    thread_us_per_ticket: float
    num_lost: int
    num_doubled: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def simulate(settings: Simulation) -> Load:
    """Serve one epoch of `num_steps` batches, after a warm-up epoch.

    Raises
    ------
    FeedlineError
        The producers did not come, or a batch did not.
    """
    with (
        keys_for(encrypts=settings.encrypts) as keys,
        _pool(settings, keys) as pool,
        _fakes(pool, settings, keys),
    ):
        source = _source(pool, settings)
        _wait_for_producers(pool, settings.num_producers)
        pool.open_job(source)
        for step in range(min(2 * settings.num_producers, source.plan.num_steps)):
            pool.fetch(source.job.job_id, StepKey(0, step), TIMEOUT_S)
        return _measured(pool, source, settings)


def _pool(settings: Simulation, keys: str | None) -> ProducerPool:
    return ProducerPool(
        "tcp://127.0.0.1:*", keys=keys, transport=settings.transport, checksums=settings.checksums
    )


def _measured(pool: ProducerPool, source: JobSource, settings: Simulation) -> Load:
    counts = np.zeros(settings.num_steps * settings.batch_size, np.int64)
    thread_s, cpu_s, began = pool.stats().thread_cpu_s, time.process_time(), time.perf_counter()
    for step in range(settings.num_steps):
        arrays = pool.fetch(source.job.job_id, StepKey(1, step), TIMEOUT_S)
        counts[arrays["y"]] += 1
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    thread_s = pool.stats().thread_cpu_s - thread_s
    num_bytes = source.job.slot_bytes * settings.num_steps
    return Load(
        tickets_per_s=settings.num_steps / wall_s,
        gb_per_s=num_bytes / wall_s / 1e9,
        cpu_us_per_ticket=cpu_s / settings.num_steps * 1e6,
        thread_us_per_ticket=thread_s / settings.num_steps * 1e6,
        num_lost=int((counts == 0).sum()),
        num_doubled=int((counts > 1).sum()),
    )


def _source(pool: ProducerPool, settings: Simulation) -> JobSource:
    rows: npt.NDArray[np.int64] = np.arange(settings.num_steps * settings.batch_size)
    image = ImageSpec(settings.side, settings.side, "grayscale")
    targets = (ArraySpec("y", (), "int64"),)
    job = Job(pool.new_job_id(), 0, settings.batch_size, image, (), "uint8", targets)
    plan = EpochPlan(len(rows), settings.batch_size, shuffle=True)
    paths = [f"train/{row:07d}.png" for row in rows]
    return JobSource("simulation", job, plan, paths, (rows,), MAX_SLOTS)


def _wait_for_producers(pool: ProducerPool, number: int) -> None:
    until = time.monotonic() + TIMEOUT_S
    while (there := len(pool.producers)) < number:
        if time.monotonic() > until:
            raise StarvedError(f"{there} of {number} simulated producers came within {TIMEOUT_S:g} s")
        time.sleep(0.05)


@contextmanager
def _fakes(pool: ProducerPool, settings: Simulation, keys: str | None) -> Iterator[None]:
    """Start the processes; they end with the pool, at the latest when it is closed."""
    number, left = settings.num_producers, settings.num_processes
    processes = []
    for i in range(settings.num_processes):
        share = number // left
        number, left = number - share, left - 1
        processes.append(_start(pool.endpoint, share, f"simulated/{i}", keys))
    try:
        yield
    finally:
        pool.close()
        _check([process.wait(TIMEOUT_S) for process in processes])


def _start(endpoint: str, num: int, name: str, keys: str | None) -> subprocess.Popen[bytes]:
    root = str(Path(feedline.__file__).parents[1])
    command = [sys.executable, "-P", "-m", "feedline.trainer.bench.fake_producers"]
    options = ["--connect", endpoint, "--num", str(num), "--name", name]
    options += [] if keys is None else ["--keys", keys]
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen([*command, *options], env=os.environ | {"PYTHONPATH": path})  # noqa: S603 - ours


def _check(statuses: list[int]) -> None:
    if any(statuses):
        raise FeedlineError(f"simulated producers ended with the statuses {statuses}, expected zeros")
