"""How batches of the bench reach the trainer, and producers that come over TCP for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedline.common.keys.making import make_keys
from feedline.common.processes.children import PACKAGE_FOLDER
from feedline.trainer.bench.case import Case
from feedline.trainer.pool.producer_pool import ProducerPool

END_WITHIN_S = 20.0


@contextmanager
def open_pool(case: Case) -> Iterator[ProducerPool]:
    """A pool and the producers of a case, until the end of the context."""
    if case.over == "embedded":
        with ProducerPool(workers=case.workers, transport=case.transport) as pool:
            yield pool
        return
    with (
        keys_for(encrypts=case.over == "tcp-curve") as keys,
        ProducerPool(
            "tcp://127.0.0.1:*", transport="frames", keys=keys, checksums=case.over != "tcp"
        ) as pool,
        _over_tcp(pool, case, keys),
    ):
        yield pool


@contextmanager
def keys_for(*, encrypts: bool) -> Iterator[str | None]:
    """A folder of keys for both sides; None for a link that is not encrypted."""
    if not encrypts:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        make_keys(Path(folder))
        yield folder


@contextmanager
def _over_tcp(pool: ProducerPool, case: Case, keys: str | None) -> Iterator[None]:
    """Producers as they are started on another host; they end with the pool, or are told to."""
    command = [sys.executable, "-P", "-m", "feedline.producer", "--connect", pool.endpoint]
    command += ["--data-root", case.folder, "--workers", str(case.workers)]
    command += [] if keys is None else ["--keys", keys]
    environment = os.environ | {"PYTHONPATH": PACKAGE_FOLDER}
    supervisor = subprocess.Popen(command, env=environment)  # noqa: S603 - our own command line
    try:
        yield
    finally:
        supervisor.terminate()
        supervisor.wait(END_WITHIN_S)
