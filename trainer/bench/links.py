"""How batches of the bench reach the trainer, and producers that come over TCP for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from feedline.common.keys.making import make_keys
from feedline.common.processes.children import start_producer
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
    """Producers as they are on another host; they end with this process, or are told to."""
    options = ["--connect", pool.endpoint, "--data-root", case.folder]
    options += [] if keys is None else ["--keys", keys]
    producers = [start_producer(options) for _ in range(case.workers)]
    try:
        yield
    finally:
        for producer in producers:
            producer.terminate()
        for producer in producers:
            producer.wait(END_WITHIN_S)
