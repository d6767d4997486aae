"""What pauses cost a trainer: ``PYTHONPATH=integration python -m costs.pauses`` in ``tests``.

It is away for two seconds, as for a checkpoint, and then takes 40 batches without doing anything else, again
and again. One producer takes 40 ms for a batch: it could build them all meanwhile, if it had room for them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from integration.planted import napping, pictures

from feedline import BatchSequence, ProducerPool

BATCH_SIZE, SIZE = 8, (24, 32)
PAUSE_S, NUM_BATCHES, NUM_PAUSES = 2.0, 40, 8
QUEUES = (10, 50, "auto")


def waits(folder: Path, max_queue_size: int | str) -> list[float]:
    """Seconds that each burst took."""
    data = pictures(folder, BATCH_SIZE * NUM_BATCHES, "png", SIZE)
    found = []
    with (
        ProducerPool(workers=1) as pool,
        BatchSequence(
            data,
            batch_size=BATCH_SIZE,
            image_size=SIZE,
            transforms=[napping(0.005)],
            pool=pool,
            max_queue_size=max_queue_size,
        ) as sequence,
    ):
        sequence[0]
        for _ in range(NUM_PAUSES):
            time.sleep(PAUSE_S)
            began = time.perf_counter()
            for _ in sequence:
                pass
            found.append(time.perf_counter() - began)
    return found


def main() -> None:
    """Print a row for each queue."""
    for max_queue_size in QUEUES:
        with tempfile.TemporaryDirectory() as folder:
            found = waits(Path(folder), max_queue_size)
        last = median(found[NUM_PAUSES // 2 :])
        print(f"max_queue_size={max_queue_size!r}: first {found[0]:.2f} s, last {last:.2f} s")


if __name__ == "__main__":
    main()
