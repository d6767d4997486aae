"""A pool with a page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from feedline.common.errors import ConfigurationError
from feedline.common.extras import what_is_missing
from feedline.trainer.monitor.access import Access, Address
from feedline.trainer.monitor.recorder import Recorder
from feedline.trainer.pool.hub import PoolThread
from feedline.trainer.verdict.sizing import Workers


def monitored(
    thread: PoolThread,
    recorder: Recorder,
    access: Access,
    *,
    embedded: bool,
    resize: Callable[[Workers], None] | None = None,
) -> Address:
    """Show what `recorder` is told by a pool's thread, until that ends; returns where.

    Nothing here knows the pool itself, which ends when nobody has it any more.

    Parameters
    ----------
    resize : callable, optional
        Has so many embedded producers, and waits for nobody; by default that is told to the thread.

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
    may_scale = embedded and access.token
    scale = partial(_scale, resize or partial(_resize, thread)) if may_scale else None
    server = MonitorServer(PoolSource(recorder, thread.glimpses, scale), access)
    thread.at_end = server.close
    return server.address


def _scale(resize: Callable[[Workers], None], num: int) -> None:
    resize(Workers(num, num))


def _resize(thread: PoolThread, workers: Workers) -> None:
    thread.post(partial(thread.resize, workers))
