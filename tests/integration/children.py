"""Producer processes as a test sees them: it counts, starts, stops and kills them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil

from feedline import ProducerPool
from feedline.trainer.dispatch.slots import SlotState

PATIENCE_S = 120.0
"""Only a test that fails waits so long."""

STOP_S = 30.0
"""A producer that was told to stop may finish a batch for so long."""

POLL_S = 0.005


def wait_for(what: str, condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Wait until `condition` is true, or fail with its name."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"waited {timeout_s:g} s for {what}"
        time.sleep(POLL_S)


def wait_for_producers(pool: ProducerPool, num: int) -> None:
    """Wait until exactly `num` producers are connected."""
    wait_for(f"{num} producers", lambda: len(pool.producers) == num)


@contextmanager
def pool_of(workers: int) -> Iterator[ProducerPool]:
    """A pool of its own, with all its embedded producers connected, at the beginning and at the end."""
    with ProducerPool(workers=workers) as pool:
        wait_for_producers(pool, workers)
        yield pool
        wait_for_producers(pool, workers)


@contextmanager
def producers_elsewhere(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a producer command that is not the pool's child, and end it with SIGTERM."""
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)  # a stopped process hears nothing else
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def slot_states(pool: ProducerPool) -> Counter[SlotState]:
    """Count the pool's slots by state."""
    slots = pool._thread.exchange._dispatcher._books.slots
    return pool._call(lambda _: Counter(state for _, state in slots))


def connected(pool: ProducerPool) -> dict[str, psutil.Process]:
    """The embedded producers that are connected and alive, by name."""
    names = set(pool.producers)
    found = {}
    for child in psutil.Process().children():
        try:
            words = child.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if "--name" in words and words[words.index("--name") + 1] in names:
            found[words[words.index("--name") + 1]] = child
    return found


class Killer(threading.Thread):
    """Kills a connected producer now and then, at random, as the work goes on.

    Parameters
    ----------
    pool : ProducerPool
        Whose.
    progress : callable
        Number of batches delivered: between two kills there are 3 to 8 of them, so that however slow
        the machine is, no batch is lost more often than the pool forgives.
    seed : int
        Of moments and victims.
    """

    def __init__(self, pool: ProducerPool, progress: Callable[[], int], seed: int) -> None:
        super().__init__(name="killer")
        self.killed: list[str] = []
        self._pool = pool
        self._progress = progress
        self._rng = random.Random(seed)
        self._over = threading.Event()

    def run(self) -> None:
        """Kill until the end of the ``with``."""
        goal = 0
        while not self._over.wait(POLL_S):
            if self._progress() < goal:
                continue
            self._over.wait(self._rng.uniform(0, 0.03))  # anywhere in the making of a batch
            goal = self._progress() + self._rng.randint(3, 8)
            if victims := sorted(connected(self._pool).items()):
                name, process = self._rng.choice(victims)
                process.kill()
                self.killed.append(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def producer(endpoint: str, root: str | Path, name: str, workers: int = 1) -> tuple[str, ...]:
    """The command of a supervisor and so many producers."""
    where = ("--connect", endpoint, "--data-root", str(root))
    return ("-m", "feedline.producer", *where, "--name", name, "--workers", str(workers))


def faulty_producer(endpoint: str, root: str | Path, fault: str, flags: Path) -> tuple[str, ...]:
    """The command of one producer with a fault: see `faulty_producer.py`."""
    script = str(Path(__file__).with_name("faulty_producer.py"))
    return (script, fault, str(flags), "--connect", endpoint, "--data-root", str(root), "--name", fault)
