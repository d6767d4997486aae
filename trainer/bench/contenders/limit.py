"""The limit: the same work in N bare OpenCV processes into reused buffers, the result dropped.

OpenCV makes an image anew for each file that it decodes. `Limit` has malloc keep their memory, `FreshLimit`
leaves malloc as it comes.

Run as ``python -P -m feedline.trainer.bench.contenders.limit CASE INDEX`` each reads lines from its standard
input, works for as many seconds as a line says, and answers with a line: images and seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.errors import FeedlineError
from feedline.common.processes.children import KEEP_MEMORY
from feedline.trainer.bench import work
from feedline.trainer.bench.case import Case
from feedline.trainer.bench.contenders.base import Contender
from feedline.trainer.bench.meter import Measured


class Limit(Contender):
    """Nothing but the work."""

    environment: ClassVar[Mapping[str, str]] = KEEP_MEMORY

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        command = [sys.executable, "-P", "-m", "feedline.trainer.bench.contenders.limit", case.to_json()]
        self._workers = [
            subprocess.Popen(  # noqa: S603 - ours
                [*command, str(i)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | self.environment,
                text=True,
            )
            for i in range(case.workers)
        ]

    def epoch(self) -> Iterator[Any]:
        """There are none: nothing leaves the workers."""
        raise FeedlineError("the limit has no batches to give")

    def plain(self, num: int) -> npt.NDArray[Any]:
        """By OpenCV."""
        return np.stack([work.plain(path, self.case) for path in self.case.files[:num]])

    def measure(self, seconds: float, step_s: float) -> Measured:
        """Have all work at the same time; rates add up."""
        del step_s
        before = self._mark().workers_cpu_s
        for worker in self._workers:
            if worker.stdin is not None:
                worker.stdin.write(f"{seconds}\n")
                worker.stdin.flush()
        rate = sum(_answer(worker) for worker in self._workers)
        return Measured(
            round(rate * seconds), seconds=seconds, workers_cpu_s=self._mark().workers_cpu_s - before
        )

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.communicate()


class FreshLimit(Limit):
    """Nothing but the work, as a program does it that says nothing to malloc."""

    environment: ClassVar[Mapping[str, str]] = {}


def _answer(worker: subprocess.Popen[str]) -> float:
    line = worker.stdout.readline() if worker.stdout else ""
    if not line:
        raise FeedlineError(f"a worker of the limit ended with status {worker.wait()}")
    num_images, seconds = json.loads(line)
    return float(num_images / seconds)


def serve(case: Case, index: int) -> None:
    """Work whenever told to."""
    cv2.setNumThreads(0)
    buffers, files = work.ReusedBuffers(case, index), case.files[index :: case.workers]
    paths = _shuffled(files, index)
    for line in sys.stdin:
        _work(buffers, paths, case.batch_size, 0.1 * float(line))
        print(json.dumps(_work(buffers, paths, case.batch_size, float(line))), flush=True)  # noqa: T201 - the answer


def _shuffled(files: list[str], seed: int) -> Iterator[str]:
    rng = np.random.default_rng(seed)
    while True:
        for place in rng.permutation(len(files)):
            yield files[place]


def _work(
    buffers: work.ReusedBuffers, paths: Iterator[str], batch_size: int, seconds: float
) -> tuple[int, float]:
    began, num_images = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        for place in range(batch_size):
            buffers.fill(place, next(paths))
        num_images += batch_size
    return num_images, passed


if __name__ == "__main__":
    serve(Case.from_json(sys.argv[1]), int(sys.argv[2]))
