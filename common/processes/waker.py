"""Wakes a thread that waits in a poller, from any thread, also from inside the garbage collector."""

from __future__ import annotations

import os
from contextlib import suppress


class Waker:
    """A pipe whose readable end goes into a poller.

    A finalizer may wake a pool long after its end, and must not write into a file that got the same
    number since. So whoever is about to use the pipe holds a reference to it; it is closed with the last.
    """

    def __init__(self) -> None:
        self._pipe: Pipe | None = Pipe()
        self._is_awake = False

    def fileno(self) -> int:
        """The file descriptor to poll for reading; -1 when it is closed."""
        return -1 if self._pipe is None else self._pipe.read_fd

    def wake(self) -> None:
        """Make the pipe readable, unless it is, or is closed. Never blocks: a full one wakes just as well."""
        pipe = self._pipe
        if pipe is not None and not self._is_awake:
            self._is_awake = True
            with suppress(BlockingIOError):
                os.write(pipe.write_fd, b"\0")

    def clear(self) -> None:
        """Take out what `wake` put in. Called by the thread that was woken, before it looks for its work.

        In this order: who finds it awake has put the work where it is about to be looked for.
        """
        pipe = self._pipe
        if pipe is not None:
            with suppress(BlockingIOError):
                os.read(pipe.read_fd, 4096)
        self._is_awake = False

    def close(self) -> None:
        """Nobody needs to be woken any more. May be repeated; losing the last reference does it too."""
        self._pipe = None


class Pipe:
    """Two ends that never block, for as long as somebody has it.

    Attributes
    ----------
    read_fd, write_fd : int
        File descriptors.
    """

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)

    def __del__(self) -> None:
        os.close(self.read_fd)
        os.close(self.write_fd)
