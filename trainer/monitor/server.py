"""The thread that serves the page."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import threading
from contextlib import suppress

import uvicorn

from feedline.common.errors import ConfigurationError
from feedline.trainer.monitor.access import Access, Address
from feedline.trainer.monitor.app import make_app
from feedline.trainer.monitor.source import Source

logger = logging.getLogger(__name__)

REVIEW_S = 1.0
"""The source is told so often that time goes by."""

NICE = 10
"""By so much this thread gives way to the training."""

GRACE_S = 1
"""Requests that are under way at the end may take so long."""

BACKLOG = 128


class MonitorServer:
    """Serves from when it is made until `close`.

    Parameters
    ----------
    source : Source
        What to show.
    access : Access
        Where, and to whom.

    Attributes
    ----------
    address : Address
        With the port that was taken.

    Raises
    ------
    ConfigurationError
        The address is taken, or is not this machine's.
    """

    def __init__(self, source: Source, access: Access) -> None:
        self._source = source
        self._socket = _listen(access.address)
        self.address = Address(access.address.host, self._socket.getsockname()[1])
        config = uvicorn.Config(
            make_app(source, access),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="feedline-monitor", daemon=True)
        self._thread.start()
        logger.info(f"monitor: http://{self.address}")

    def stop(self) -> None:
        """Begin to end; waits for nobody."""
        self._server.should_exit = True

    def close(self) -> None:
        """End, and wait for it."""
        self.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def wait(self) -> None:
        """Serve until it ends, or an exception comes, such as Ctrl-C."""
        while self._thread.is_alive():
            self._thread.join(REVIEW_S)

    def _serve(self) -> None:
        with suppress(OSError):
            # Of this thread alone, on Linux; those that it starts follow.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            asyncio.run(self._run())
        except Exception:
            logger.exception("the monitor failed; the training goes on without it")
        finally:
            self._socket.close()

    async def _run(self) -> None:
        ticking = asyncio.create_task(self._tick())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            ticking.cancel()
            self._source.close()

    async def _tick(self) -> None:
        while True:
            try:
                self._source.review()
            except Exception:
                logger.exception("the monitor could not take in what it was told; it goes on")
            await asyncio.sleep(REVIEW_S)


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        # The latter of names that cannot be, such as "a..b".
        why = getattr(error, "strerror", None) or str(error)
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            why = "somebody else does already, perhaps another training: take another port; 0 is a free one"
        raise ConfigurationError(f"the monitor cannot listen on {address}: {why}") from error
