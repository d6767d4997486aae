"""Warnings of a producer that its trainers' logs have, too."""

from __future__ import annotations

import logging
from collections import deque

from feedline.common.processes.waker import Waker
from feedline.common.wire.protocol import MAX_TEXT_CHARS, Notice
from feedline.producer.serving import waits
from feedline.producer.serving.whereabouts import with_job

MAX_NOTICES = 20
"""So many wait for a trainer; of more, the oldest are forgotten."""


class Notices(logging.Handler):
    """Keeps what is logged as a warning until a trainer is there to hear it. Called from any thread.

    A record that has a `topic`, by ``extra={"topic": ...}``, is of one kind with those of its job that have
    the same; see `Notice`.

    Parameters
    ----------
    waker : Waker
        Wakes the talking thread.
    """

    def __init__(self, waker: Waker) -> None:
        super().__init__(logging.WARNING)
        # An error is the answer to a ticket, or the end: either is told anyway. A wait for a trainer is over
        # when that one could hear of it, and no business of others.
        self.addFilter(lambda record: record.levelno == logging.WARNING and record.name != waits.__name__)
        self._waker = waker
        self._kept: deque[Notice] = deque(maxlen=MAX_NOTICES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning."""
        topic = with_job(getattr(record, "topic", ""))
        self._kept.append(Notice(record.getMessage()[:MAX_TEXT_CHARS], topic[:MAX_TEXT_CHARS]))
        self._waker.wake()

    def take(self) -> list[Notice]:
        """All that were kept, the oldest first; they are kept no longer."""
        taken = list(self._kept)
        self._kept.clear()
        return taken
