"""`ProducerPool`: the way to the producers, for sequences and for users.

What it promises is done by a thread, see `feedline.trainer.pool.hub`; here calls are posted to it and waited
for.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import numpy.typing as npt

from feedline.common.arguments import whole
from feedline.common.errors import (
    ClosedError,
    ConfigurationError,
    FeedlineError,
    RemoteProtocolError,
    StarvedError,
)
from feedline.common.signatures import suggests
from feedline.trainer.monitor.access import Access, Address
from feedline.trainer.monitor.recorder import Recorder
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.handover.delivery import Delivery
from feedline.trainer.pool.hub import PoolThread
from feedline.trainer.pool.interrupts import WATCH
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.settings import PoolSettings, WorkersArgument, check_source, workers_of
from feedline.trainer.pool.stats import PoolStats
from feedline.trainer.pool.waiters import Waiter
from feedline.trainer.pool.watch import Tally
from feedline.trainer.verdict.sizing import Workers

MEMORY_BUDGET_BYTES = 1 << 30
"""Default bound on the batches that a pool has in hand."""

SAFETY_S = 30.0
"""The pool's thread ends waits at their timeout; a wait ends by itself only if that thread hangs."""

T = TypeVar("T")

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]
"""Of a batch, by name."""


class ProducerPool:
    """Serves any number of sequences with batches from any number of producers.

    Parameters
    ----------
    endpoint : str, optional
        Where producers connect: ``tcp://HOST:PORT`` (port ``*`` takes a free one) or ``ipc://PATH``.
        Without it the pool starts embedded producers of its own, over a private socket.
    workers : int, "auto" or (min, max), optional
        Number of embedded producers, by default the usable cores. ``"auto"`` finds it while the trainer
        runs, from 1 to four for each core, and (min, max) between these. Not together with `endpoint`.
    keys : path, optional
        A folder that ``feedline keygen`` made: all traffic is encrypted, and only producers with listed keys
        are served. By default what ``FEEDLINE_KEYS`` names. For ``tcp://`` endpoints; those that other
        machines can reach need them.
    insecure : bool
        Allow such an endpoint without keys: nothing is encrypted or authenticated.
    memory_budget : int
        Bytes that all batches in hand may take, at the trainer and at the producers each.
    strict_versions : bool
        Refuse producers whose libraries differ from the first one's, instead of logging it once.
    transport : {"auto", "frames"}
        Batches come in shared memory where there is any, or always over the socket.
    checksums : bool
        Add up the bytes of batches that come over TCP where they are built, and again here. A batch with
        another sum is built anew.
    monitor : str, optional
        ``HOST:PORT`` where a page shows what the pool does, and its metrics; port 0 takes a free one. Needs
        the extra ``monitor``. Beyond this machine ``FEEDLINE_MONITOR_TOKEN`` has to be set.

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
    `ClosedError`. When an exception leaves the ``with`` block, producers elsewhere are not told goodbye:
    they wait for the trainer that is started next, also with ``--exit-with-trainer``.

    Examples
    --------
    >>> with ProducerPool("tcp://0.0.0.0:5555", keys="keys") as pool:  # doctest: +SKIP
    ...     model.fit(BatchSequence(data, pool=pool))
    """

    @suggests(
        address="it is called endpoint",
        host="say endpoint='tcp://HOST:PORT'",
        port="say endpoint='tcp://HOST:PORT'",
    )
    def __init__(
        self,
        endpoint: str | None = None,
        *,
        workers: WorkersArgument = None,
        keys: str | os.PathLike[str] | None = None,
        insecure: bool = False,
        memory_budget: int = MEMORY_BUDGET_BYTES,
        strict_versions: bool = False,
        transport: str = "auto",
        checksums: bool = True,
        monitor: str | None = None,
    ) -> None:
        check_source(endpoint, workers)
        access = None if monitor is None else Access.of(monitor, os.environ)
        self.embedded = endpoint is None
        self._job_ids = itertools.count(1)
        self._pid = os.getpid()
        self._monitor_address: Address | None = None
        settings = PoolSettings(
            endpoint, memory_budget, insecure, strict_versions, transport, keys, checksums
        )
        self._thread = PoolThread(settings)
        self._thread.start()
        self._end = weakref.finalize(self, _end, self._thread, self._pid)
        self._end.atexit = False
        try:
            self._begin(workers)
            if access is not None:
                self._monitor(access)
        except BaseException:
            self.close()
            raise

    def _begin(self, workers: WorkersArgument) -> None:
        """Be found at the interpreter's exit and by Ctrl-C, and have producers."""
        # Not left to `weakref`: what was registered last runs first, so before TensorFlow's own.
        atexit.register(self._thread.close_at_exit)
        WATCH.subscribe(id(self._thread), self._thread.interrupt)
        if self.embedded:
            self.resize(workers)

    def _monitor(self, access: Access, resize: Callable[[Workers], None] | None = None) -> None:
        # What it is made of takes a moment to load, and may be missing.
        from feedline.trainer.pool.monitoring import monitored  # noqa: PLC0415

        recorder = Recorder()
        # Before anybody can ask: what was never told is shown as a pool without anything.
        self._call(partial(self._thread.tell, recorder))
        self._monitor_address = monitored(
            self._thread, recorder, access, embedded=self.embedded, resize=resize
        )

    def open_monitor(self, monitor: str, resize: Callable[[Workers], None] | None = None) -> None:
        """Serve the page as `monitor=` does, if it is not served there yet.

        Parameters
        ----------
        resize : callable, optional
            Has as many producers as the page asks for, and waits for nobody. By default that holds until
            `resize`.

        Raises
        ------
        ConfigurationError
            It is served somewhere else, or cannot be served there.
        """
        access, now = Access.of(monitor, os.environ), self._monitor_address
        if now is None:
            self._monitor(access, resize)
        elif access.address.host != now.host or access.address.port not in {0, now.port}:
            raise ConfigurationError(f"monitor={monitor!r}: this pool is shown at {str(now)!r} already")

    @property
    def monitor(self) -> str | None:
        """Where its page is, as HOST:PORT, with the port that was taken; None without `monitor=`."""
        return None if self._monitor_address is None else str(self._monitor_address)

    @property
    def endpoint(self) -> str:
        """Where producers connect, with the port that was taken."""
        return self._thread.endpoint

    @property
    def producers(self) -> list[str]:
        """Names of the producers that are connected."""
        return self._call(lambda _: self._thread.exchange.producer_names)

    @property
    def num_producers(self) -> int:
        """How many producers are connected; costs nothing."""
        return self._thread.exchange.num_producers

    @property
    def sizes_itself(self) -> bool:
        """Whether it finds out how many producers there are to be: `workers` is no fixed number."""
        return self._thread.sizes_itself

    def resize(self, workers: WorkersArgument) -> None:
        """Have so many embedded producers from now on, ``"auto"`` or (min, max) included."""
        if not self.embedded:
            raise ConfigurationError(f"producers of {self.endpoint} are started elsewhere, not by the pool")
        self._call(partial(self._thread.resize, workers_of(workers)))

    def shrink(self, workers: Workers, memory_budget: int) -> None:
        """`resize` and `set_memory_budget` without waiting for it: for finalizers."""
        self._post(partial(self._thread.resize, workers))
        self._post(partial(self._thread.exchange.set_budget, memory_budget))

    def set_memory_budget(self, memory_budget: int) -> None:
        """Allow so many bytes from now on; slots above it go when they become free."""
        budget = whole("memory_budget", memory_budget, at_least=1, at_most=None, unit=" of bytes")
        self._call(partial(self._thread.exchange.set_budget, budget))

    @property
    def is_open(self) -> bool:
        """Whether it was not closed, and belongs to this process."""
        return self._end.alive and os.getpid() == self._pid

    @property
    def has_failed(self) -> bool:
        """Whether its thread ended by an error; everything that is asked of it raises that."""
        return self._thread.has_ended and self._end.alive

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
        if self.is_open:
            error = ClosedError("the sequence was closed")
            self._thread.glimpses.forget(job_id)
            self._post(partial(self._thread.exchange.close_job, job_id, error))

    def fetch(self, job_id: int, key: StepKey, timeout_s: float, read: Callable[[Arrays], Any] = dict) -> Any:
        """Wait for a batch and take it.

        Parameters
        ----------
        read : callable
            Makes something of the arrays of `Job.layout`, by name. Of a batch of which it raises
            RemoteProtocolError the producer is sent away, and others build it again.

        Returns
        -------
        object
            What `read` made; by default the arrays themselves.

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
        until = time.monotonic() + timeout_s
        while True:
            delivery, arrays = self._take(job_id, key, max(0.0, until - time.monotonic()))
            try:
                return read(arrays)
            except RemoteProtocolError as error:
                text = f"{key} is no batch: {error}"
                self._call(partial(self._thread.exchange.disown, delivery.producer_id, text))

    def _take(self, job_id: int, key: StepKey, timeout_s: float) -> tuple[Delivery, Arrays]:
        """Take the next batch of a step that comes, whatever is in it."""
        self._check_open()
        began = time.monotonic()
        exchange = self._thread.exchange
        found = exchange.shelves.take(job_id, key)
        delivery = found or self._wait_for(job_id, key, timeout_s)
        try:
            if found:
                # Nothing hangs on it: the thread hears of it when something else wakes it.
                self._thread.post(partial(exchange.taken, job_id, key), wakes=False)
            arrays = delivery.arrays()
            self._thread.glimpses.offer(job_id, arrays)
        except BaseException:
            delivery.release()
            raise
        self._thread.watch.hand_over.count(time.monotonic() - max(began, delivery.since))
        return delivery, arrays

    def expect(self, job_id: int, keys: Iterable[StepKey]) -> None:
        """Steps that were delivered will be asked for again: have them ready."""
        self._post(partial(self._thread.exchange.expect, job_id, list(keys)))

    def move_to(self, job_id: int, key: StepKey) -> None:
        """Another step than the next will be asked for: prefetch goes there, also backwards."""
        self._post(partial(self._thread.exchange.move_to, job_id, key))

    def stats(self) -> PoolStats:
        """Where the time of batches went so far, by producer; and what the last ten seconds show.

        ``str()`` of it is that verdict in words; `PoolStats.report` has it as numbers.
        """
        watch, exchange = self._thread.watch, self._thread.exchange
        return self._call(lambda _: watch.with_report(exchange, embedded=self.embedded))()

    def counters(self) -> PoolStats:
        """The same without the verdict."""
        return self._call(lambda _: self._thread.watch.look(self._thread.exchange))

    @property
    def tally(self) -> Tally:
        """What all sequences together have given to Keras: each tells it."""
        return self._thread.watch.tally

    def close(self) -> None:
        """Say goodbye to all producers, end embedded ones, and give everything back. May be repeated."""
        self.leave()
        self._thread.close()

    def leave(self) -> None:
        """Begin to close, without waiting for it: for finalizers, which run inside whatever goes on."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Producers that end with their trainer are to stay for the one that is started after a failure.
        self._thread.says_goodbye = error is None or self.embedded
        self.close()

    def __repr__(self) -> str:
        state = "" if self._end.alive else ", closed"
        return f"ProducerPool({self.endpoint!r}{state})"

    def _wait_for(self, job_id: int, key: StepKey, timeout_s: float) -> Delivery:
        """Ask for a step and wait for it."""
        exchange = self._thread.exchange
        is_main = threading.current_thread() is threading.main_thread()
        if is_main:
            # Python runs its signal handlers here: whatever Ctrl-C there was has been dealt with. What ends
            # the waits that it met is to be posted before this one is.
            WATCH.arm()
            WATCH.pass_on()
        future: Future[Delivery] = Future()
        waiter = Waiter(future, timeout_s, dealt_with_interrupts=is_main)
        self._thread.post(partial(exchange.demand, job_id, key, waiter), wakes=False)
        if not exchange.comes_by_itself(job_id, key):
            self._thread.waker.wake()
        try:
            return future.result(timeout_s + SAFETY_S)
        except BaseException as error:
            self._abandon(job_id, key, future)
            if isinstance(error, TimeoutError) and not isinstance(error, FeedlineError):
                raise self._not_answered(f"{key} was waited for", timeout_s + SAFETY_S) from error
            raise

    def _not_answered(self, what: str, seconds: float) -> StarvedError:
        """Say what the pool's thread has not done: a wait that ends by itself has no text of its own."""
        state = "is at something else" if self._thread.is_alive() else "has ended"
        return StarvedError(
            f"{what} for {seconds:.0f} s, and the pool's thread {state}: either this machine has far too much"
            " to do, such as for more producers than it has cores, or this is a fault of Feedline"
        )

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
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call(now))
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
                future.set_exception(error)

        self._post(answer)
        try:
            return future.result(SAFETY_S)
        except TimeoutError as error:
            # Nobody is there to make use of it any more.
            future.cancel()
            raise self._not_answered("an answer was waited for", SAFETY_S) from error

    def _post(self, call: Callable[[float], object]) -> None:
        self._check_open()
        self._thread.post(call)

    def _check_open(self) -> None:
        if not self._end.alive:
            raise ClosedError("the producer pool is closed")
        if os.getpid() != self._pid:
            raise ClosedError("this producer pool belongs to the process that was forked; make one here")


def _end(thread: PoolThread, pid: int) -> None:
    """Begin to close a pool; in a forked child, where its thread does not exist, leave it to the parent."""
    if os.getpid() == pid:
        WATCH.unsubscribe(id(thread))
        thread.stop()
