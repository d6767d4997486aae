"""The time by which a thread judges others."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_STEP_S = 1.0
"""More than this between two looks was a pause of the whole process, or of its machine."""


class AwakeClock:
    """A monotonic clock that hardly goes on while nobody looks at it.

    A machine that is suspended, or a container that is paused, stops those who would answer together
    with the one who waits. When all go on, no deadline may have passed: none of them had a chance.

    Called by one thread, which looks at it several times a second.

    Parameters
    ----------
    read : callable
        The clock behind it, in seconds; replaced by tests.
    """

    def __init__(self, read: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._last = read()
        self._paused_s = 0.0

    def __call__(self) -> float:
        """Seconds since some moment, pauses left out."""
        now = self._read()
        self._paused_s += max(0.0, now - self._last - LONGEST_STEP_S)
        self._last = now
        return now - self._paused_s
