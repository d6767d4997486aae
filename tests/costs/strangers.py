"""What strangers cost: ``PYTHONPATH=integration python -m costs.strangers [MANNER...]`` in ``tests``.

Batches a second while strangers do what `integration.strangers` can, next to those while they only are there:
in turns, in one run, medians of each. What strangers take of the machine's own cores is in it, too.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

import psutil
from fuzz.gauge import MIB
from integration.bare_trainer import BareTrainer
from integration.images import write_images
from integration.strangers import MANNERS

from feedline import ProducerPool

SECONDS, TURNS, NUM_ROWS = 1.5, 10, 256
STRANGERS = Path(__file__).parents[1] / "integration" / "strangers.py"
FAKE = (sys.executable, "-P", "-m", "feedline.trainer.bench.fake_producers")


def batches_a_second(trainer: BareTrainer, epoch: int) -> float:
    """Take batches for some seconds, from an epoch on."""
    began, num = time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        trainer.fetch_arrays(num % trainer.num_steps, epoch + num // trainer.num_steps)
        num += 1
    return num / (time.monotonic() - began)


def main() -> None:
    """Print a line for each manner."""
    with (
        tempfile.TemporaryDirectory() as name,
        ProducerPool("tcp://127.0.0.1:*", memory_budget=64 * MIB) as pool,
    ):
        trainer = BareTrainer(pool, Path(name), write_images(Path(name), NUM_ROWS), batch_size=16)
        honest = subprocess.Popen([*FAKE, "--connect", pool.endpoint, "--num", "2", "--name", "honest"])
        epoch, most = 0, 0
        try:
            batches_a_second(trainer, epoch)
            for manner in sys.argv[1:] or MANNERS:
                rates: dict[str, list[float]] = {"waits": [], manner: []}
                before = psutil.Process().memory_info().rss
                for doing in ("waits", manner) * TURNS:
                    epoch += 10_000
                    process = subprocess.Popen([sys.executable, str(STRANGERS), doing, pool.endpoint])
                    rates[doing].append(batches_a_second(trainer, epoch))
                    most = max(most, psutil.Process().memory_info().rss - before)
                    process.kill()
                    process.wait()
                quiet, loud = median(rates["waits"]), median(rates[manner])
                print(f"{manner}: {loud:.0f} of {quiet:.0f} batches/s, ratio {loud / quiet:.3f};", end=" ")
                print(f"{most / MIB:+.0f} MiB; refused {dict(pool.stats().refused)}", flush=True)
        finally:
            with suppress(ProcessLookupError):
                honest.terminate()
            honest.wait()


if __name__ == "__main__":
    main()
