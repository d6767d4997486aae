"""`tf.data` service: the same pipeline in worker processes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, ClassVar

import tensorflow as tf

from feedline.trainer.bench.case import Case
from feedline.trainer.bench.contenders.tfdata import TfData, pipeline
from feedline.trainer.console.quiet import quiet_import

WORKER = "feedline.trainer.bench.contenders.tfdata_service"


class TfDataService(TfData):
    """A dispatcher here, and one process for each worker, of one thread."""

    packages: ClassVar[tuple[str, ...]] = ("tensorflow",)

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        service = tf.data.experimental.service
        self._dispatcher: Any = service.DispatchServer()
        address = self._dispatcher.target.split("://")[1]
        command = [sys.executable, "-P", "-m", WORKER, address]
        self._workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - ours
            for _ in range(case.workers)
        ]
        share = service.distribute(service.ShardingPolicy.DYNAMIC, self._dispatcher.target)
        self._dataset = pipeline(case.with_(workers=1)).apply(share).prefetch(4)

    def close(self) -> None:
        """End the workers: they live as long as their standard input."""
        for worker in self._workers:
            worker.terminate()
            worker.wait()


def serve(dispatcher: str) -> None:
    """Be a worker until told to stop."""
    config = tf.data.experimental.service.WorkerConfig(dispatcher_address=dispatcher)
    worker = tf.data.experimental.service.WorkerServer(config)
    sys.stdin.read()
    del worker


if __name__ == "__main__":
    with quiet_import():
        serve(sys.argv[1])
