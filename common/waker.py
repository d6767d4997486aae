"""Wakes a thread that waits in a poller, from any thread, also from inside the garbage collector."""

from __future__ import annotations

import os
from contextlib import suppress


class Waker:
    """A pipe whose readable end goes into a poller.

    It is closed when the last reference is gone and not before: a finalizer that wakes a pool long
    after its end must not write into a file that got the same number since.
    """

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._is_awake = False

    def fileno(self) -> int:
        """The file descriptor to poll for reading."""
        return self._read_fd

    def wake(self) -> None:
        """Make the pipe readable, unless it is. Never blocks: a full pipe wakes just as well."""
        if not self._is_awake:
            self._is_awake = True
            with suppress(BlockingIOError):
                os.write(self._write_fd, b"\0")

    def clear(self) -> None:
        """Take out what `wake` put in. Called by the thread that was woken, before it looks for its work.

        In this order: who finds it awake has put the work where it is about to be looked for.
        """
        with suppress(BlockingIOError):
            os.read(self._read_fd, 4096)
        self._is_awake = False

    def __del__(self) -> None:
        os.close(self._read_fd)
        os.close(self._write_fd)
