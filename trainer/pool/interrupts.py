"""Lets Ctrl-C end a wait that Python's own signal handler cannot reach.

While TensorFlow runs a training step, the main thread is in C++ and waits, by way of another
thread, for a batch. Python's handler for SIGINT runs in the main thread when that is back in
Python, which is when the batch came: too late. But the C part of Python's signal handling writes
the signal's number into a file descriptor at once (`signal.set_wakeup_fd`); a thread that reads it
tells the pools, which end their waits, and KeyboardInterrupt follows in the main thread.

It follows at the first line of Python there, which is in the midst of TensorFlow's C++ making an
error of the wait that ended: an exception raised then comes out as a RuntimeError about a mismatch.
So Python's own handler is replaced by one that lets TensorFlow finish first.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from feedline.common.processes.waker import Pipe

logger = logging.getLogger(__name__)

_END = b"\0"
"""In the pipe: no signal, but the end of watching it."""

_FRAGILE = "tensorflow.python.framework.errors_impl"
"""Where TensorFlow makes its errors, called by C++ that expects nothing to come up meanwhile."""


def raise_keyboard_interrupt(number: int, frame: FrameType | None) -> None:
    """Handle SIGINT as Python does, but not while TensorFlow makes an error: then as soon as it is made."""
    caller = _caller_of_fragile(frame)
    if caller is None:
        signal.default_int_handler(number, frame)
    else:
        _raise_in(caller)


def _caller_of_fragile(frame: FrameType | None) -> FrameType | None:
    """The frame that is to get the error that TensorFlow makes; None if it makes none."""
    caller = None
    while frame is not None:
        if frame.f_globals.get("__name__") == _FRAGILE:
            caller = frame.f_back
        frame = frame.f_back
    return caller


def _raise_in(frame: FrameType) -> None:
    """Raise KeyboardInterrupt in a frame when it is next its turn: with a trace function, as debuggers do."""

    def raise_it(*_: object) -> None:
        sys.settrace(None)
        raise KeyboardInterrupt

    frame.f_trace = raise_it
    sys.settrace(lambda *_: None)


class InterruptWatch:
    """Tells subscribers of SIGINT. One for the process, as there is one wake-up descriptor.

    A descriptor that somebody else had set gets its bytes all the same, and is put back when the
    last subscriber leaves.
    """

    def __init__(self) -> None:
        # A pool that is collected as garbage leaves from wherever the collector runs: also from in here.
        self._lock = threading.RLock()
        # Of its own: whoever is told takes locks that a pool holds when it leaves.
        self._passing = threading.RLock()
        self._subscribers: dict[int, Callable[[], None]] = {}
        self._thread: threading.Thread | None = None
        self._pipe: Pipe | None = None
        self._previous_fd = -1

    def subscribe(self, key: int, on_interrupt: Callable[[], None]) -> None:
        """Call `on_interrupt` from a thread of ours at every SIGINT, until `unsubscribe`."""
        with self._lock:
            self._subscribers[key] = on_interrupt
            self.arm()
            if self._thread is None:
                self._install()
            else:
                self._install_again()

    def unsubscribe(self, key: int) -> None:
        """Undo `subscribe`."""
        with self._lock:
            self._subscribers.pop(key, None)
            if not self._subscribers:
                self._disarm()
            thread, pipe = self._thread, self._pipe
            if self._subscribers or thread is None or pipe is None or not self._uninstall(pipe):
                return
        thread.join()

    @staticmethod
    def arm() -> None:
        """Put our handler where Python's own is: Jupyter puts that back for every cell.

        Called in the main thread before every wait. A user's own handler stays where it is.
        """
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            with suppress(ValueError):
                signal.signal(signal.SIGINT, raise_keyboard_interrupt)

    @staticmethod
    def _disarm() -> None:
        if signal.getsignal(signal.SIGINT) is raise_keyboard_interrupt:
            with suppress(ValueError):
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def _install(self) -> None:
        pipe = Pipe()
        try:
            self._previous_fd = signal.set_wakeup_fd(pipe.write_fd, warn_on_full_buffer=False)
        except ValueError:
            # Only the main thread may; without it, Ctrl-C takes effect when the next batch came.
            logger.debug("no fast Ctrl-C: the pool was not made in the main thread")
            return
        self._pipe = pipe
        self._thread = threading.Thread(
            target=self._watch, args=(pipe,), name="feedline-interrupts", daemon=True
        )
        self._thread.start()

    def _install_again(self) -> None:
        """Somebody, such as asyncio, may have replaced ours since."""
        if self._pipe is None:
            return
        with suppress(ValueError):
            present = signal.set_wakeup_fd(self._pipe.write_fd, warn_on_full_buffer=False)
            if present != self._pipe.write_fd:
                self._previous_fd = present

    def _uninstall(self, pipe: Pipe) -> bool:
        """Put the previous descriptor back; not possible outside the main thread, or if ours was replaced."""
        try:
            present = self._restore()
        except ValueError:
            return False
        if present != pipe.write_fd:
            signal.set_wakeup_fd(present)
            return False
        self._thread = self._pipe = None
        os.write(pipe.write_fd, _END)
        return True

    def _restore(self) -> int:
        try:
            return signal.set_wakeup_fd(self._previous_fd)
        except OSError:
            # Whoever had set it has closed it in the meantime.
            return signal.set_wakeup_fd(-1)

    def leave_to_parent(self) -> None:
        """In a forked child: its signals are none of the parent's business, and its pools are closed."""
        pipe = self._pipe
        if pipe is not None:
            with suppress(ValueError):
                present = self._restore()
                if present != pipe.write_fd:
                    signal.set_wakeup_fd(present)
        self.__init__()  # type: ignore[misc]  # the locks may be held by a thread that is not here

    def pass_on(self) -> None:
        """Have told the subscribers, on return, of every SIGINT that came before the call.

        Called by a thread for which those are settled, before it begins anew: the watching thread, which
        may not have had its turn yet, would take what was begun since for what was interrupted.
        """
        pipe = self._pipe
        if pipe is not None and self._pass_on(pipe):
            # Meant for the watching thread.
            os.write(pipe.write_fd, _END)

    def _watch(self, pipe: Pipe) -> None:
        poll = select.poll()
        poll.register(pipe.read_fd, select.POLLIN)
        while not self._pass_on(pipe):
            poll.poll()

    def _pass_on(self, pipe: Pipe) -> bool:
        """Tell the subscribers of what is in the pipe; whether it is the end, too."""
        with self._passing:
            try:
                numbers = os.read(pipe.read_fd, 4096)
            except BlockingIOError:
                return False
            if signals := numbers.replace(_END, b""):
                self._tell(signals)
        return _END in numbers

    def _tell(self, numbers: bytes) -> None:
        if self._previous_fd >= 0:
            with suppress(OSError):
                os.write(self._previous_fd, numbers)
        # Who has a handler of their own decides what Ctrl-C means; waits are not ours to end.
        is_ours = signal.getsignal(signal.SIGINT) in (signal.default_int_handler, raise_keyboard_interrupt)
        if signal.SIGINT in numbers and is_ours:
            for on_interrupt in list(self._subscribers.values()):
                on_interrupt()


WATCH = InterruptWatch()
"""The one of this process."""

os.register_at_fork(after_in_child=WATCH.leave_to_parent)
