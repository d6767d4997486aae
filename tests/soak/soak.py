"""Train-like load under random troubles, for as long as it is told: ``soak.py --minutes 30``.

Three jobs take epoch after epoch from one pool, while producers are scaled, killed and stopped, files are
damaged for a moment and consumers pause. Every epoch is checked by what is in its pixels. In the end two
tables say whether anything was lost, repeated or wrong, and whether memory, descriptors, threads, shared
memory or temporary files grew. The exit status is 0 only if none of it happened.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "integration"), str(HERE)]

from consumers import Consumer, OrderedConsumer  # noqa: E402 - found by the line above
from growth import Watch  # noqa: E402
from images import SIZE, numbered  # noqa: E402
from troubles import Troubles  # noqa: E402

from feedline import BatchSequence, ProducerPool, RemoteSequence  # noqa: E402
from feedline.transforms import RandomFlip, RandomRotation, RandomZoom  # noqa: E402

NUM_ROWS = 600
BATCH_SIZE = 8
WORKERS = 3
WARM_UP = 0.25
"""Of the time, before growth is measured, but no more than ..."""
LONGEST_WARM_UP_S = 180.0

AUGMENTATION = [
    RandomFlip("horizontal_and_vertical"),
    RandomRotation(0.2, fill_mode="nearest"),
    RandomZoom(0.3, fill_mode="nearest"),
]
"""Of images of one colour each, which no geometry changes."""


def consumers_of(pool: ProducerPool, folder: Path, stack: ExitStack) -> list[Consumer]:
    """A shuffled training set, one in order, and a Sequence of a user's."""
    data = numbered(folder, NUM_ROWS)
    usual: dict[str, Any] = {"batch_size": BATCH_SIZE, "image_size": SIZE, "pool": pool, "timeout_s": 120}
    shuffled = BatchSequence(data, transforms=AUGMENTATION, shuffle=True, seed=1, **usual)
    ordered = BatchSequence(data, shuffle=False, cache="memory", **usual)
    remote = RemoteSequence(
        "rows_of_a_user:Rows", {"num_rows": NUM_ROWS, "batch_size": BATCH_SIZE}, pool=pool
    )
    return [
        Consumer("shuffled", stack.enter_context(shuffled), NUM_ROWS),
        OrderedConsumer("in order", stack.enter_context(ordered), NUM_ROWS),
        OrderedConsumer("a user's Sequence", stack.enter_context(remote), NUM_ROWS),
    ]


def soak(minutes: float, seed: int, folder: Path) -> bool:
    """Run, and print what was found; returns whether all is well."""
    seconds = 60 * minutes
    warm_up_s = min(WARM_UP * seconds, LONGEST_WARM_UP_S)
    with ExitStack() as stack:
        pool = stack.enter_context(ProducerPool(workers=WORKERS))
        consumers = consumers_of(pool, folder, stack)
        troubles = Troubles(pool, consumers, folder, seed)
        watch = Watch()
        threads: list[threading.Thread] = [*consumers, troubles]
        for thread in threads:
            thread.start()
        ends_at = time.monotonic() + seconds
        measures_from = time.monotonic() + warm_up_s
        while time.monotonic() < ends_at and all(thread.is_alive() for thread in threads):
            if time.monotonic() > measures_from:
                watch.look()
            time.sleep(0.5)
        troubles.stop()
        for consumer in consumers:
            consumer.stop()
        for thread in threads:
            thread.join()
    print_results(consumers, troubles, watch)
    return all(consumer.is_well for consumer in consumers) and not watch.grown and not troubles.error


def print_results(consumers: list[Consumer], troubles: Troubles, watch: Watch) -> None:
    """Say what was done, what came of it, and what grew."""
    errors = [troubles.error, *(consumer.error for consumer in consumers)]
    lines = [
        f"troubles: {', '.join(f'{num} {name}' for name, num in sorted(troubles.counts.items()))}",
        "",
        f"{'job':20} {'epochs':>8} {'batches':>9} {'retried':>8} {'lost':>6} {'repeated':>9} {'wrong':>6}",
        *(consumer.line for consumer in consumers),
        *filter(None, errors),
        "",
        *watch.table,
        "",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.getLogger("feedline").setLevel(logging.ERROR)
    places = [tempfile.mkdtemp(prefix="fl-"), tempfile.mkdtemp(prefix="fl-", dir="/dev/shm")]
    images = Path(tempfile.mkdtemp(prefix="fl-images-"))
    os.environ["TMPDIR"], os.environ["FEEDLINE_SHM"] = places
    tempfile.tempdir = None
    try:
        is_well = soak(options.minutes, options.seed, images)
    finally:
        for place in (*places, images):
            shutil.rmtree(place)
    sys.stdout.write("all is well\n" if is_well else "NOT well\n")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
