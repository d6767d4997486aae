"""The socket that producers connect to, and the thread that serves it.

The thread owns the socket, the exchange behind it and the embedded producers. Everybody else posts
calls, which it makes one after another.
"""

from __future__ import annotations

import atexit
import logging
import os
import platform
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import zmq

from feedline.common.errors import ClosedError, FeedlineError, ProducerCrashError
from feedline.common.memory.sweeping import sweep
from feedline.common.processes.clock import AwakeClock
from feedline.common.processes.waker import Waker
from feedline.common.wire.endpoints import leaves_machine
from feedline.common.wire.protocol import MAX_HEADER_BYTES, Buffer, new_id
from feedline.trainer.dispatch.answers import NO_GRACE, Grace
from feedline.trainer.dispatch.dispatcher import Dispatcher
from feedline.trainer.dispatch.slots import MIN_SLOTS
from feedline.trainer.monitor.facts import EventKind
from feedline.trainer.monitor.glimpses import Glimpses
from feedline.trainer.monitor.recorder import Recorder
from feedline.trainer.pool.door import Door
from feedline.trainer.pool.doorkeeper import REVIEW_S
from feedline.trainer.pool.embedded import EmbeddedProducers, PrivateFolder
from feedline.trainer.pool.exchange import Exchange, Standing
from feedline.trainer.pool.handover.arenas import Arenas
from feedline.trainer.pool.handover.delivery import Releases
from feedline.trainer.pool.roster import Roster
from feedline.trainer.pool.settings import PoolSettings
from feedline.trainer.pool.sizer import Sizer
from feedline.trainer.pool.stats import PoolStats
from feedline.trainer.pool.telling import facts_of
from feedline.trainer.pool.verification import Breach
from feedline.trainer.pool.watch import PoolWatch
from feedline.trainer.verdict.sizing import Workers

logger = logging.getLogger(__name__)

POLL_MS = 250
"""The thread looks at the clock this often, if nothing else wakes it."""

GRACE = Grace(one_file_s=5.0, everything_s=60.0)
"""Files that no producer has wait so long for another producer to connect; embedded ones are all alike."""

MAX_RECEIVED = 256
"""Messages that are taken in at a time: whoever says more without end does not stop all else."""

UNJUDGED_S = 1.0
"""So long nobody is judged while there is more to be taken in. Everybody's turn comes within that time."""

MAX_MESSAGE_BYTES = (1 << 63) - 1
"""What ZeroMQ can be told; no machine has so much memory."""

FLUSH_MS = 1000
"""How long the last messages may take to leave."""

LEAVE_S = 2.0
"""At the interpreter's exit, threads of others that are in Python may take so long to leave it."""

LOOK_AGAIN_S = 0.005
"""Pause between two looks at them."""


_MORE, _LAST = int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.NOBLOCK)
"""Flags of a message's frames. pyzmq combines its own anew for each, which takes as long as to send one."""


class PoolThread(threading.Thread):
    """Owns the socket and all that is behind it.

    Parameters
    ----------
    settings : PoolSettings
        Where to listen, and with what limits.

    Attributes
    ----------
    waker : Waker
        Has it look at what was posted.
    says_goodbye : bool
        Whether producers are told when it ends, and those that end with their trainer do.
    watch : PoolWatch
        The counters of the last seconds.
    glimpses : Glimpses
        Offered each batch that is taken.
    at_end : callable
        Called when the thread ends.
    """

    def __init__(self, settings: PoolSettings) -> None:
        super().__init__(name="feedline-pool", daemon=True)
        sweep()
        self._pid = os.getpid()
        # A pool or sequence that is collected as garbage posts from wherever the collector runs.
        self._lock = threading.RLock()
        self._calls: deque[Callable[[float], object]] = deque()
        self.says_goodbye = True
        self._stopping, self._watch_at = False, 0.0
        self._error: FeedlineError | None = None
        self.waker, self._clock = Waker(), AwakeClock()
        self.watch, self.glimpses, self._sizer = PoolWatch(), Glimpses(), Sizer()
        self._recorder: Recorder | None = None
        self.at_end: Callable[[], None] = _do_nothing
        with ExitStack() as opened:
            self._open(settings, opened)
            # From here on it is `_shut` that gives everything back.
            opened.pop_all()

    def _open(self, settings: PoolSettings, opened: ExitStack) -> None:
        """Open the socket and what is behind it; `opened` closes all of it if anything fails."""
        budget_bytes = settings.memory_budget
        opened.callback(self.waker.close)
        self._folder = PrivateFolder() if settings.endpoint is None else None
        if self._folder is not None:
            opened.callback(self._folder.remove)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        opened.callback(self._context.term)
        self._has_keys, self._drained_at = settings.trainer_keys is not None, self._clock()
        self._door = self._open_door(settings)
        opened.callback(self._door.close, linger_ms=0)
        self._socket, self.endpoint = self._door.socket, self._door.endpoint
        self._usual: set[Any] = {self._socket, self.waker.fileno()}
        self._producers = EmbeddedProducers(self.endpoint)
        self._children, self._guards = list[int](), self._door.guards
        self._poller = self._make_poller()
        self.exchange = Exchange(
            Dispatcher(budget_bytes, self._advice(), GRACE if self._folder is None else NO_GRACE),
            Roster(new_id(), settings.strict_versions),
            self._send,
            Releases(self.waker),
            self._producers.welcomed,
            Arenas(share_memory=settings.transport == "auto"),
            None if self._folder is None else self._producers.has,
            checksums=settings.adds_up,
        )

    def _open_door(self, settings: PoolSettings) -> Door:
        if settings.endpoint is not None:
            most = largest_message(settings.memory_budget)
            return Door(self._context, settings.endpoint, settings.trainer_keys, self._refused, most)
        # Whoever gets into its folder is this user, who could do anything to this process.
        address = self._folder.endpoint if self._folder else ""
        return Door(self._context, address, None, self._refused, None)

    def post(self, call: Callable[[float], object], *, wakes: bool = True) -> None:
        """Have the thread make a call, with the time as its argument. From any thread.

        Without `wakes` that may be as late as `POLL_MS`, unless `waker` is told.

        Raises
        ------
        FeedlineError
            The thread has ended; says why.
        """
        with self._lock:
            error = self._error
            if error is None:
                self._calls.append(call)
        if error is not None:
            raise type(error)(str(error))
        if wakes:
            self.waker.wake()

    @property
    def has_ended(self) -> bool:
        """Whether calls are not made any more."""
        return self._error is not None

    def interrupt(self) -> None:
        """Ctrl-C: end all waits. From the thread that watches for signals."""
        with suppress(FeedlineError):
            self.post(self.exchange.interrupt)

    def resize(self, workers: Workers, now: float) -> None:
        """Have so many embedded producers; where that is a range, the sizer says how many."""
        self.exchange.doom = None
        self._have(self._sizer.adopt(workers, self._producers.num_wanted), now)

    @property
    def sizes_itself(self) -> bool:
        """Whether it finds out how many producers there are to be. From any thread."""
        return self._sizer.has_choice

    def tell(self, recorder: Recorder, now: float) -> None:
        """Tell `recorder` how the pool stands: now, and each second from now on."""
        self._recorder = recorder
        self._record(now)

    def stop(self) -> None:
        """Begin to end. From any thread; never waits, because the garbage collector calls it, too."""
        self._stopping = True
        self.waker.wake()

    def close(self) -> None:
        """End, and wait until everything is given back. Does nothing in a forked child."""
        if os.getpid() == self._pid:
            self.stop()
            if threading.current_thread() is not self:
                self.join()

    def close_at_exit(self) -> None:
        """`close`, and let TensorFlow's threads, whose waits that ended, out of Python.

        From the exit on, a thread that wants to go on in Python is ended instead: its caller in C++
        never hears of it, and the interpreter waits for that caller for ever.
        """
        self.close()
        until = time.monotonic() + LEAVE_S
        while _foreign_threads() and time.monotonic() < until:
            time.sleep(LOOK_AGAIN_S)

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
        ready = self._wait()
        if self.waker.fileno() in ready:
            self.waker.clear()
        now = self._clock()
        if self._door.is_due(ready, now):
            for routing_id in self.exchange.shut_out(self._door.attend(now), now):
                self._door.keeper.cut(routing_id, now)
        if self._socket not in ready or self._receive(now):
            self._drained_at = now
        # Behind what was received: who got a batch has asked for the next one in the meantime.
        self._make_calls(now)
        self.exchange.take_releases(now)
        if now >= self._watch_at or not ready.isdisjoint(self._children):
            self._watch_at = now + POLL_MS / 1000
            self._watch_producers(now)
        # Last, so that nobody is judged by what has come but was not read yet.
        self.exchange.tick(self._clock(), heard_all=now - self._drained_at < UNJUDGED_S)
        noted = self.watch.tick(self.exchange, now)
        if noted is not None:
            self._size(noted, now)
            self._record(now)

    def _size(self, noted: PoolStats, now: float) -> None:
        """Have more or fewer producers if what they did asks for that."""
        num = self._sizer.look(
            noted,
            self._producers.num_wanted,
            now,
            is_asked=self.exchange.is_asked,
            num_idle=self.exchange.num_idle,
        )
        if num is not None:
            self._have(num, now)

    def _have(self, num: int, now: float) -> None:
        """Want so many embedded producers from now on."""
        before = self._producers.num_wanted
        if before not in {0, num}:
            text = f"{num} embedded producers are wanted instead of {before}"
            self.exchange.chronicle.add(now, EventKind.SCALED, text)
        self._producers.resize(num, now)

    def _record(self, now: float) -> None:
        """Tell whoever monitors the pool how it stands."""
        if self._recorder is not None:
            num_asked = None if self._folder is None else self._producers.num_wanted
            self._recorder.tell(facts_of(self.exchange, self.watch, now, num_asked))

    def _wait(self) -> set[Any]:
        """Wait until something happens; returns the sockets and descriptors that have something to say."""
        children = [child.stderr.fileno() for child in self._producers.children]
        if children != self._children or self._door.guards is not self._guards:
            self._children, self._guards = children, self._door.guards
            self._poller = self._make_poller()
        # Calls that wake nobody may have come since they were made last.
        timeout_ms = POLL_MS if self._door.is_alone else int(REVIEW_S * 1000)
        if self.exchange.wants_releases() or self._calls:
            timeout_ms = 0
        return {source for source, _ in self._poller.poll(timeout_ms)}

    def _make_poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        for source in (*self._usual, *self._guards, *self._children):
            poller.register(source, zmq.POLLIN)
        return poller

    def _make_calls(self, now: float) -> None:
        while self._calls:
            self._calls.popleft()(now)

    def _answer_door(self, standing: Standing, routing_id: bytes, fd: int, now: float) -> None:
        """Say what became of who spoke over a connection."""
        self._door.catch_up(now)
        match standing:
            case Standing.LET_IN:
                self._door.keeper.let_in(routing_id, fd)
            case Standing.STRANGER:
                self._door.keeper.sent_away(routing_id, now)
            case Standing.TIRESOME:
                self._door.keeper.hang_up(fd)
            case Standing.KNOWN:
                pass

    def _receive(self, now: float) -> bool:
        """Take in what came; whether that was all."""
        with suppress(zmq.Again):
            for _ in range(MAX_RECEIVED):
                frames = [self._socket.recv(_LAST, copy=False)]
                while frames[-1].more:
                    frames.append(self._socket.recv(_LAST, copy=False))
                key = self._door.key_behind(frames[0])
                if key is None:
                    continue
                routing_id, *buffers = [frame.buffer for frame in frames]
                standing = self.exchange.hear(bytes(routing_id), buffers, now, key)
                if standing is not Standing.KNOWN:
                    self._answer_door(standing, bytes(routing_id), frames[-1].get(zmq.SRCFD), now)
            return False
        return True

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
            for frame in (routing_id, *frames[:-1]):
                self._socket.send(frame, _MORE, copy=False)
            self._socket.send(frames[-1], _LAST, copy=False)
        except zmq.ZMQError as error:
            if error.errno in {zmq.EHOSTUNREACH, zmq.EAGAIN}:
                return False
            raise
        return True

    def _shut(self, error: FeedlineError) -> None:
        self._stopping = True
        with self._lock:
            self._error = self.exchange.doom = error
        now = self._clock()
        try:
            self._make_calls(now)
            self.exchange.withdraw_all(error, now)
            if self.says_goodbye:
                self.exchange.say_goodbye()
        except Exception:
            logger.exception("the pool could not say goodbye")
        self.exchange.close()
        self._door.close(FLUSH_MS)
        self._producers.stop()
        # What those of its producers left behind that were killed.
        sweep()
        self._context.term()
        if self._folder is not None:
            self._folder.remove()
        self.waker.close()
        self.at_end()
        atexit.unregister(self.close_at_exit)

    def start(self) -> None:
        """Begin to serve; what was opened is closed if there can be no thread."""
        try:
            super().start()
        except BaseException:
            self._shut(ClosedError("the pool's thread could not be started"))
            raise

    def _refused(self, who: str, why: str) -> None:
        """Somebody was not let in."""
        self.exchange.refusals.note(Breach.KEY, who, why, self._clock())

    def _advice(self) -> str:
        """How to start a producer for this pool."""
        if self._folder is not None:
            return "The pool starts them itself; the log says what became of them"
        address = self.endpoint.replace("0.0.0.0", platform.node())  # noqa: S104 - to be told, not bound
        insecure = " --insecure" if leaves_machine(address) else ""
        trust = " --keys DIR" if self._has_keys else insecure
        return (
            f"The trainer listens on {self.endpoint}; start a producer where the images are:"
            f" feedline-producer --connect {address} --data-root DIR{trust}"
        )


def largest_message(budget_bytes: int) -> int:
    """Bytes of the largest frame that may come where others can connect.

    A job needs room for two batches at least, and ZeroMQ makes room for a frame before it has come.
    """
    return min(max(budget_bytes // MIN_SLOTS, MAX_HEADER_BYTES), MAX_MESSAGE_BYTES)


def _do_nothing() -> None:
    """Nobody is to be told."""


def _foreign_threads() -> set[int]:
    """Threads that run Python and were not started by it."""
    ours = {thread.ident for thread in threading.enumerate() if not thread.name.startswith("Dummy-")}
    return set(sys._current_frames()) - ours  # noqa: SLF001 - its own documentation is for uses like this
