"""`ProducerPool`: the socket that producers connect to, the thread that serves it, and the way in.

The thread owns the socket, the exchange behind it and the embedded producers. Everybody else posts
calls, which the thread makes one after another, and waits on futures. The only file of the trainer
that imports zmq.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import platform
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy.typing as npt
import zmq

from common.endpoints import check_endpoint, leaves_machine
from common.errors import ClosedError, ConfigurationError, FeedlineError, ProducerCrashError
from common.processes import usable_cores
from common.protocol import MAX_HEADER_BYTES, Buffer, new_id
from common.waker import Waker
from trainer.delivery import Delivery, Releases
from trainer.dispatcher import Dispatcher
from trainer.exchange import Exchange, Waiter
from trainer.interrupts import WATCH
from trainer.jobs import JobSource
from trainer.local import EmbeddedProducers, PrivateFolder
from trainer.plan import StepKey
from trainer.roster import Roster

logger = logging.getLogger(__name__)

MEMORY_BUDGET_BYTES = 1 << 30
"""Default bound on the batches that a pool has in hand."""

POLL_MS = 250
"""The pool's thread looks at the clock this often, if nothing else wakes it."""

READ_GRACE_S = 5.0
"""A file that no producer has waits so long for another producer to connect."""

FLUSH_MS = 1000
"""How long the last messages may take to leave."""

SAFETY_S = 30.0
"""The pool's thread ends waits at their timeout; a wait ends by itself only if that thread hangs."""

T = TypeVar("T")


class ProducerPool:
    """Serves any number of sequences with batches from any number of producers.

    Parameters
    ----------
    endpoint : str, optional
        Where producers connect: ``tcp://HOST:PORT`` (port ``*`` takes a free one) or ``ipc://PATH``.
        Without it the pool starts embedded producers of its own, over a private socket.
    workers : int, optional
        Number of embedded producers, by default the usable cores. Not together with `endpoint`.
    insecure : bool
        Allow an endpoint that other machines can reach: nothing is encrypted or authenticated.
    memory_budget : int
        Bytes that all batches in hand may take, at the trainer and at the producers each.
    strict_versions : bool
        Refuse producers whose libraries differ from the first one's, instead of logging it once.

    Attributes
    ----------
    endpoint : str
        Where producers connect, with the port that was taken.
    embedded : bool
        Whether the producers are child processes of this one.

    Raises
    ------
    ConfigurationError
        Arguments that cannot work, or an endpoint that is taken.

    Notes
    -----
    All methods may be called from any thread. Close it, or use ``with``; losing the last reference
    and the interpreter's exit close it too. In a forked child it belongs to the parent, and raises
    `ClosedError`.

    Examples
    --------
    >>> with ProducerPool("tcp://0.0.0.0:5555", insecure=True) as pool:  # doctest: +SKIP
    ...     model.fit(BatchSequence(data, pool=pool))
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        workers: int | None = None,
        insecure: bool = False,
        memory_budget: int = MEMORY_BUDGET_BYTES,
        strict_versions: bool = False,
    ) -> None:
        _check(endpoint, workers, memory_budget)
        self.embedded = endpoint is None
        self._job_ids = itertools.count(1)
        self._pid = os.getpid()
        self._thread = PoolThread(endpoint, memory_budget, insecure=insecure, strict_versions=strict_versions)
        self._thread.start()
        self._end = weakref.finalize(self, _end, self._thread, self._pid)
        self._end.atexit = False
        # Not left to `weakref`: what was registered last runs first, so before TensorFlow's own.
        atexit.register(self._end)
        WATCH.subscribe(id(self._thread), self._thread.interrupt)
        if self.embedded:
            self.resize(workers or usable_cores())

    @property
    def endpoint(self) -> str:
        """Where producers connect, with the port that was taken."""
        return self._thread.endpoint

    @property
    def producers(self) -> list[str]:
        """Names of the producers that are connected."""
        return self._call(lambda _: self._thread.exchange.producer_names)

    def resize(self, workers: int) -> None:
        """Have so many embedded producers from now on."""
        if not self.embedded:
            raise ConfigurationError(f"producers of {self.endpoint} are started elsewhere, not by the pool")
        self._call(partial(self._thread.resize, workers))

    def set_memory_budget(self, memory_budget: int) -> None:
        """Allow so many bytes from now on; slots above it go when they become free."""
        self._call(partial(self._thread.exchange.set_budget, memory_budget))

    @property
    def is_open(self) -> bool:
        """Whether it was not closed, and belongs to this process."""
        return self._end.alive and os.getpid() == self._pid

    def new_job_id(self) -> int:
        """A number that no other job of this pool has."""
        return next(self._job_ids)

    def open_job(self, source: JobSource) -> None:
        """Begin to serve a sequence: producers are told, and may prefetch two batches.

        Raises
        ------
        ConfigurationError
            The memory budget has no room for it.
        """
        self._call(partial(self._thread.exchange.open_job, source))

    def close_job(self, job_id: int) -> None:
        """End it. Waits for its batches raise `ClosedError`; arrays already delivered stay good."""
        if self._end.alive:
            error = ClosedError("the sequence was closed")
            self._post(partial(self._thread.exchange.close_job, job_id, error))

    def fetch(self, job_id: int, key: StepKey, timeout_s: float) -> dict[str, npt.NDArray[Any]]:
        """Wait for a batch and take it.

        Returns
        -------
        dict of str to ndarray
            The arrays of `Job.layout`, by name.

        Raises
        ------
        BatchError
            It cannot be built.
        StarvedError
            `timeout_s` seconds went by.
        InterruptedWaitError
            Ctrl-C.
        ClosedError
            The pool or the sequence was closed.
        """
        if threading.current_thread() is threading.main_thread():
            # Python runs its signal handlers here: whatever Ctrl-C there was has been dealt with.
            self._thread.exchange.interrupted_until = 0.0
        future: Future[Delivery] = Future()
        self._post(partial(self._thread.exchange.demand, job_id, key, Waiter(future, timeout_s)))
        try:
            return future.result(timeout_s + SAFETY_S).arrays()
        except BaseException:
            self._abandon(job_id, key, future)
            raise

    def expect(self, job_id: int, keys: Iterable[StepKey]) -> None:
        """Steps that were delivered will be asked for again: have them ready."""
        self._post(partial(self._thread.exchange.expect, job_id, list(keys)))

    def close(self) -> None:
        """Say goodbye to all producers, end embedded ones, and give everything back. May be repeated."""
        atexit.unregister(self._end)
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "" if self._end.alive else ", closed"
        return f"ProducerPool({self.endpoint!r}{state})"

    def _abandon(self, job_id: int, key: StepKey, future: Future[Delivery]) -> None:
        """A wait ended early: neither the request nor a batch on its way must be left over."""
        if future.cancel():
            with suppress(ClosedError):
                self._post(partial(self._thread.exchange.withdraw, job_id, key, future))
        elif future.exception() is None:
            future.result().release()

    def _call(self, call: Callable[[float], T]) -> T:
        """Have the pool's thread make a call, and wait for its result."""
        future: Future[T] = Future()

        def answer(now: float) -> None:
            try:
                future.set_result(call(now))
            except Exception as error:
                # It belongs to the caller, whatever it is.
                future.set_exception(error)

        self._post(answer)
        return future.result(SAFETY_S)

    def _post(self, call: Callable[[float], object]) -> None:
        if not self._end.alive:
            raise ClosedError("the producer pool is closed")
        if os.getpid() != self._pid:
            raise ClosedError("this producer pool belongs to the process that was forked; make one here")
        self._thread.post(call)


class PoolThread(threading.Thread):
    """Owns the socket and all that is behind it.

    Parameters
    ----------
    endpoint : str or None
        Where to listen; None for a private socket and embedded producers.
    budget_bytes : int
        Bound on all slots.
    insecure, strict_versions : bool
        See `ProducerPool`.
    """

    def __init__(
        self, endpoint: str | None, budget_bytes: int, *, insecure: bool, strict_versions: bool
    ) -> None:
        super().__init__(name="feedline-pool", daemon=True)
        self._folder = PrivateFolder() if endpoint is None else None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._socket = self._bind(endpoint, budget_bytes, insecure=insecure)
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
            Roster(new_id(), strict_versions),
            self._send,
            Releases(self._waker),
            self._producers.welcomed,
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
        self._context.term()
        if self._folder is not None:
            self._folder.remove()

    def _bind(self, endpoint: str | None, budget_bytes: int, *, insecure: bool) -> zmq.Socket[bytes]:
        if endpoint is not None:
            check_endpoint(endpoint, insecure=insecure)
            if leaves_machine(endpoint):
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


def _check(endpoint: str | None, workers: int | None, memory_budget: int) -> None:
    if endpoint is not None and workers is not None:
        raise ConfigurationError(
            "workers are embedded producers, an endpoint is for producers elsewhere: pass one of them"
        )
    if workers is not None and workers < 1:
        raise ConfigurationError(f"workers must be at least 1, got {workers}")
    if memory_budget < 1:
        raise ConfigurationError(f"memory_budget must be a number of bytes, got {memory_budget}")


def _end(thread: PoolThread, pid: int) -> None:
    """Close a pool; in a forked child, where its thread does not exist, leave it to the parent."""
    if os.getpid() == pid:
        WATCH.unsubscribe(id(thread))
        thread.stop()
