"""The socket that producers connect to, and the thread that serves it.

The thread owns the socket, the exchange behind it and the embedded producers. Everybody else posts
calls, which it makes one after another. The only file of the trainer that imports zmq.
"""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import zmq

from common.arena import sweep
from common.endpoints import check_endpoint, leaves_machine
from common.errors import ClosedError, ConfigurationError, FeedlineError, ProducerCrashError
from common.protocol import MAX_HEADER_BYTES, Buffer, new_id
from common.waker import Waker
from trainer.arenas import Arenas
from trainer.delivery import Releases
from trainer.dispatcher import Dispatcher
from trainer.exchange import Exchange
from trainer.local import EmbeddedProducers, PrivateFolder
from trainer.roster import Roster

logger = logging.getLogger(__name__)

POLL_MS = 250
"""The thread looks at the clock this often, if nothing else wakes it."""

READ_GRACE_S = 5.0
"""A file that no producer has waits so long for another producer to connect."""

TRANSPORTS = ("auto", "frames")
"""How batches come: in shared memory where there is any, or always over the socket."""

FLUSH_MS = 1000
"""How long the last messages may take to leave."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What a pool was told; see `ProducerPool`.

    Attributes
    ----------
    endpoint : str or None
        Where to listen; None for a private socket and embedded producers.
    memory_budget : int
        Bytes, bound on all slots.
    """

    endpoint: str | None
    memory_budget: int
    insecure: bool = False
    strict_versions: bool = False
    transport: str = "auto"

    def __post_init__(self) -> None:
        if self.memory_budget < 1:
            raise ConfigurationError(f"memory_budget must be a number of bytes, got {self.memory_budget}")
        if self.transport not in TRANSPORTS:
            raise ConfigurationError(f"transport must be one of {TRANSPORTS}, got {self.transport!r}")
        if self.endpoint is not None:
            check_endpoint(self.endpoint, insecure=self.insecure)


class PoolThread(threading.Thread):
    """Owns the socket and all that is behind it.

    Parameters
    ----------
    settings : PoolSettings
        Where to listen, and with what limits.
    """

    def __init__(self, settings: PoolSettings) -> None:
        super().__init__(name="feedline-pool", daemon=True)
        sweep()
        endpoint, budget_bytes = settings.endpoint, settings.memory_budget
        self._folder = PrivateFolder() if endpoint is None else None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket = self._bind(endpoint, budget_bytes)
        except BaseException:
            self._context.term()
            raise
        self.endpoint: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._producers = EmbeddedProducers(self.endpoint)
        self._waker = Waker()
        self._calls: deque[Callable[[float], object]] = deque()
        self._stopping = False
        grace_s = READ_GRACE_S if self._folder is None else 0.0
        self.exchange = Exchange(
            Dispatcher(budget_bytes, self._advice(), grace_s),
            Roster(new_id(), settings.strict_versions),
            self._send,
            Releases(self._waker),
            self._producers.welcomed,
            Arenas(share_memory=settings.transport == "auto"),
        )

    def post(self, call: Callable[[float], object]) -> None:
        """Have the thread make a call, with the time as its argument. From any thread."""
        self._calls.append(call)
        self._waker.wake()

    def interrupt(self) -> None:
        """Ctrl-C: end all waits. From the thread that watches for signals."""
        self.post(self.exchange.interrupt)

    def resize(self, workers: int, now: float) -> None:
        """Have so many embedded producers."""
        self.exchange.doom = None
        self._producers.resize(workers, now)

    def stop(self) -> None:
        """End the thread. From any thread; returns when it has ended."""
        self._stopping = True
        self._waker.wake()
        if threading.current_thread() is not self:
            self.join()

    def run(self) -> None:
        """Serve until `stop`."""
        error: FeedlineError = ClosedError("the producer pool was closed")
        try:
            while not self._stopping:
                self._round()
        except Exception as cause:
            logger.exception("the pool's thread failed")
            error = FeedlineError(f"the pool's thread failed: {type(cause).__name__}: {cause}")
        finally:
            self._shut(error)

    def _round(self) -> None:
        """One turn: wait for something to happen, take everything in, then look at the clock."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._waker.fileno(), zmq.POLLIN)
        for child in self._producers.children:
            poller.register(child.stderr.fileno(), zmq.POLLIN)
        poller.poll(POLL_MS)
        self._waker.clear()
        now = time.monotonic()
        self._make_calls(now)
        self.exchange.take_releases(now)
        self._receive(now)
        self._watch_producers(now)
        # Last, so that nobody is judged by what has come but was not read yet.
        self.exchange.tick(time.monotonic())

    def _make_calls(self, now: float) -> None:
        while self._calls:
            self._calls.popleft()(now)

    def _receive(self, now: float) -> None:
        with suppress(zmq.Again):
            while True:
                routing_id, *frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
                self.exchange.hear(routing_id.bytes, [frame.buffer for frame in frames], now)

    def _watch_producers(self, now: float) -> None:
        try:
            for child in self._producers.watch(now):
                self.exchange.lost_process(child.process.pid, child.epitaph, now)
        except ProducerCrashError as error:
            logger.error(str(error))  # noqa: TRY400 - the child's last words say more than our traceback
            self.exchange.doom = error
            self.exchange.withdraw_all(error, now)

    def _send(self, routing_id: bytes, frames: list[Buffer]) -> bool:
        try:
            self._socket.send_multipart([routing_id, *frames], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno in {zmq.EHOSTUNREACH, zmq.EAGAIN}:
                return False
            raise
        return True

    def _shut(self, error: FeedlineError) -> None:
        self._stopping = True
        now = time.monotonic()
        try:
            self._make_calls(now)
            self.exchange.withdraw_all(error, now)
            self.exchange.say_goodbye()
        except Exception:
            logger.exception("the pool could not say goodbye")
        self._socket.close(linger=FLUSH_MS)
        self._producers.stop()
        # What those of its producers left behind that were killed.
        sweep()
        self._context.term()
        if self._folder is not None:
            self._folder.remove()

    def _bind(self, endpoint: str | None, budget_bytes: int) -> zmq.Socket[bytes]:
        if endpoint is not None and leaves_machine(endpoint):
            logger.warning(f"{endpoint} is open to the network: nothing is encrypted or authenticated")
        socket = self._context.socket(zmq.ROUTER)
        # A message to a producer whose connection is gone is an error, not silence.
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, max(budget_bytes, MAX_HEADER_BYTES))
        address = endpoint or (self._folder.endpoint if self._folder else "")
        try:
            socket.bind(address.replace("localhost", "127.0.0.1"))
        except zmq.ZMQError as error:
            socket.close()
            raise ConfigurationError(f"cannot listen on {address}: {error.strerror}") from error
        return socket

    def _advice(self) -> str:
        """How to start a producer for this pool."""
        if self._folder is not None:
            return "The pool starts them itself; the log says what became of them"
        address = self.endpoint.replace("0.0.0.0", platform.node())  # noqa: S104 - to be told, not bound
        insecure = " --insecure" if leaves_machine(address) else ""
        return (
            f"The trainer listens on {self.endpoint}; start a producer where the images are:"
            f" feedline-producer --connect {address} --data-root DIR{insecure}"
        )
