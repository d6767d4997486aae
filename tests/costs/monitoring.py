"""What monitoring costs a training: ``PYTHONPATH=integration python -m costs.monitoring`` in ``tests``.

Images a second with all of it on - the page with a browser that looks each second, metrics that are scraped,
a report a second - next to those without, in one run and in turns of two pools that are otherwise alike.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from integration.planted import pictures

from feedline import BatchSequence, ProducerPool

SECONDS, TURNS, SIZE, BATCH_SIZE, NUM_ROWS = 2.0, 40, (224, 224), 16, 1600
LOOK_S = 1.0


def look(address: str, sequence: BatchSequence, is_on: threading.Event, ended: threading.Event) -> None:
    """Be a browser, Prometheus, and somebody who reads reports, while it is on."""
    since = float("-inf")
    while not ended.wait(LOOK_S):
        if not is_on.is_set():
            continue
        for path in (f"/api/view?since={since}", "/api/pictures/1.png", "/metrics"):
            with urllib.request.urlopen(f"http://{address}{path}") as answer:
                answer.read()
        since = 0.0
        sequence.report()


def images_a_second(sequence: BatchSequence, at: int) -> tuple[float, int]:
    """Take batches for some seconds; and where that ended."""
    began, num = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        num += len(sequence[(at + num // BATCH_SIZE) % len(sequence)][0])
    return num / (time.perf_counter() - began), at + num // BATCH_SIZE


def main(workers: int) -> None:
    """Print the ratio."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        data = pictures(Path(folder), NUM_ROWS, "jpg", (375, 500))
        rates: dict[bool, list[float]] = {False: [], True: []}
        sequences, at = {}, {False: 0, True: 0}
        watches, ended = threading.Event(), threading.Event()
        for is_on in rates:
            pool = opened.enter_context(
                ProducerPool(workers=workers, monitor="127.0.0.1:0" if is_on else None)
            )
            sequence = BatchSequence(data, pool=pool, batch_size=BATCH_SIZE, image_size=SIZE, shuffle=False)
            sequences[is_on] = opened.enter_context(sequence)
            if pool.monitor is not None:
                watcher = threading.Thread(target=look, args=(pool.monitor, sequence, watches, ended))
                watcher.start()
                opened.callback(watcher.join)
                opened.callback(ended.set)
        for turn in range(-1, TURNS):
            for is_on in (False, True) if turn % 2 else (True, False):
                (watches.set if is_on else watches.clear)()
                rate, at[is_on] = images_a_second(sequences[is_on], at[is_on])
                if turn >= 0:
                    rates[is_on].append(rate)
        ratios = [on / off for off, on in zip(rates[False], rates[True], strict=True)]
        print(
            f"without {median(rates[False]):.0f} images/s, with all of it {median(rates[True]):.0f};", end=" "
        )
        print(f"median of {TURNS} ratios {median(ratios):.4f}, of both medians", end=" ")
        print(f"{median(rates[True]) / median(rates[False]):.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
