"""Fuzzing of a live pool: ``PYTHONPATH=integration python -m fuzz.pool --seconds 60`` in ``tests``.

Hostile producers say all that `traffic` can think of, most of them after a correct hello, while a producer
that is none of them serves epoch after epoch. Each of these must come whole, and the pool must stay as it
was.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz.gauge import Gauge, Limits
from fuzz.recording import NUM_ROWS, PRODUCER, check_rows, record
from integration.bare_trainer import BareTrainer

from feedline import ProducerPool
from feedline.trainer.pool.exchange import Exchange

NUM_ATTACKERS = 2
BUDGET_BYTES = 16 << 20
MESSAGES_AN_EPOCH = 1000


@dataclass(slots=True)
class Counted:
    """What a pool heard.

    Attributes
    ----------
    num, num_let_in : int
        Messages; those that came from a producer that was let in.
    """

    num: int = 0
    num_let_in: int = 0
    num_epochs: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    gauge: Gauge = field(default_factory=Gauge)

    def watch(self, exchange: Exchange) -> None:
        """Count from now on."""
        hear, behind = exchange.hear, exchange._roster.behind

        def counted(routing_id: bytes, *arguments: Any) -> Any:
            connection = behind(routing_id)
            if connection is None or connection.hello.name == "hostile":
                self.num += 1
                self.num_let_in += connection is not None
            return hear(routing_id, *arguments)

        exchange.hear = counted  # type: ignore[method-assign]  # a counter before it

    def __str__(self) -> str:
        """One paragraph."""
        return (
            f"{self.num:,} messages, {self.num_let_in:,} of them from producers that were let in;"
            f" {self.num_epochs} epochs meanwhile, all whole\n{self.gauge}\nrefused: {self.refused}"
        )


@contextmanager
def attackers(endpoint: str, recording: Path, seed: int) -> Iterator[None]:
    """Processes that attack a pool."""
    command = [sys.executable, "-m", "fuzz.attackers", endpoint, str(recording)]
    started = [
        subprocess.Popen([*command, str(seed + nth)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for nth in range(NUM_ATTACKERS)
    ]
    try:
        yield
        assert all(process.poll() is None for process in started), "an attacker ended by itself"
    finally:
        for process in started:
            process.kill()
            process.communicate()


def fuzz(limits: Limits) -> Counted:
    """Attack a pool, and take epochs from it meanwhile."""
    counted = Counted()
    with (
        tempfile.TemporaryDirectory() as name,
        ProducerPool("tcp://127.0.0.1:*", memory_budget=BUDGET_BYTES) as pool,
    ):
        folder = Path(name)
        (folder / "images").mkdir()
        recording = record(folder / "images").save(folder / "recording")
        counted.watch(pool._thread.exchange)
        names = [f"{row:04}.png" for row in range(NUM_ROWS)]
        command = [
            *PRODUCER,
            "--connect",
            pool.endpoint,
            "--data-root",
            str(folder / "images"),
            "--name",
            "honest",
        ]
        honest = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            trainer = BareTrainer(pool, folder / "images", names, batch_size=4)
            _take_epoch(trainer, 0)
            counted.gauge.look()
            with attackers(pool.endpoint, recording, limits.seed):
                until = time.monotonic() + limits.seconds
                while time.monotonic() < until and counted.num < limits.messages:
                    # An epoch takes no time: what is heard between two is what this is for.
                    goal = counted.num + MESSAGES_AN_EPOCH
                    while counted.num < goal and time.monotonic() < until:
                        time.sleep(0.01)
                    counted.num_epochs += 1
                    _take_epoch(trainer, counted.num_epochs)
                    counted.gauge.look()
            counted.refused = dict(pool.stats().refused)
        finally:
            honest.terminate()
            honest.wait()
    return counted


def _take_epoch(trainer: BareTrainer, epoch: int) -> None:
    for step in range(trainer.num_steps):
        check_rows(trainer.fetch_arrays(step, epoch, timeout_s=120.0), step)


if __name__ == "__main__":
    print(fuzz(Limits.of_command()))
