"""What is said of a wait for a trainer: that it began, that it goes on, and that it is over."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum

from feedline.common.wire.endpoints import unknown_host

logger = logging.getLogger(__name__)

NEXT_NOTE_S = 30.0
"""Seconds between two lines about the same wait."""


class Turn(Enum):
    """What has become of a wait since it was last looked at."""

    NOTHING = "nothing new"
    BEGAN = "nobody is there yet"
    CHANGED = "somebody is there who will not have us, for another reason than before"
    GOES_ON = "nobody is there still"
    ENDED = "somebody is there"


@dataclass(slots=True)
class Waits:
    """The waits for one trainer, one after the other.

    Attributes
    ----------
    since : float or None
        When the present one began; None while there is somebody.
    """

    since: float | None = None
    _was_served: bool = False
    _next_note_at: float = 0.0
    _trouble: str = ""

    def review(self, now: float, *, is_served: bool, trouble: str = "") -> Turn:
        """Time passed, and there is somebody or there is nobody: says what is new about it.

        `trouble` is why somebody who is there does not serve.
        """
        if is_served:
            is_news, self._was_served, self.since = not self._was_served, True, None
            self._trouble = ""
            return Turn.ENDED if is_news else Turn.NOTHING
        self._was_served = False
        if self.since is None:
            self.since, self._next_note_at, self._trouble = now, now + NEXT_NOTE_S, trouble
            return Turn.BEGAN
        if trouble and trouble != self._trouble:
            self._trouble, self._next_note_at = trouble, now + NEXT_NOTE_S
            return Turn.CHANGED
        if now < self._next_note_at:
            return Turn.NOTHING
        self._next_note_at = now + NEXT_NOTE_S
        return Turn.GOES_ON


def note_wait(endpoint: str, turn: Turn, trouble: str = "") -> None:
    """Log that nobody is there, or who, and if its name is not known, that."""
    still = "still " if turn is Turn.GOES_ON else ""
    fault = trouble or unknown_host(endpoint)
    if fault:
        logger.warning(f"{still}waiting for a trainer at {endpoint}: {fault}")
    else:
        logger.info(f"{still}waiting for a trainer at {endpoint}: nobody answers there yet")
