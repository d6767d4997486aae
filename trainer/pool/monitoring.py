"""A pool with a page."""

from __future__ import annotations

from functools import partial

from feedline.common.errors import ConfigurationError
from feedline.common.extras import what_is_missing
from feedline.trainer.monitor.access import Access, Address
from feedline.trainer.monitor.recorder import Recorder
from feedline.trainer.pool.hub import PoolThread
from feedline.trainer.verdict.sizing import Workers


def monitored(thread: PoolThread, recorder: Recorder, access: Access, *, embedded: bool) -> Address:
    """Show what `recorder` is told by a pool's thread, until that ends; returns where.

    Nothing here knows the pool itself, which ends when nobody has it any more.

    Raises
    ------
    ConfigurationError
        A package is missing, or nobody can listen there.
    """
    try:
        from feedline.trainer.monitor.server import MonitorServer  # noqa: PLC0415 - may be missing
        from feedline.trainer.monitor.source import PoolSource  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"monitor: {what_is_missing(error.name) or error}") from error
    resize = partial(_resize, thread) if embedded and access.token else None
    server = MonitorServer(PoolSource(recorder, thread.glimpses, resize), access)
    thread.at_end = server.close
    return server.address


def _resize(thread: PoolThread, workers: int) -> None:
    thread.post(partial(thread.resize, Workers(workers, workers)))
