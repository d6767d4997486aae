"""How many batches of a job each producer may have in hand, where nobody has said so.

Batches that lie ready carry a trainer over what comes unevenly: a checkpoint, a validation, slow images in a
row. More than that needs is memory for nothing. So it begins with a few, and a queue that was full and then
ran dry becomes longer: by what could have been built while it was full, as far as it was missed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FIRST_SLOTS = 10
"""It begins with so many, Keras' own `max_queue_size` ..."""

MOST_SLOTS = 256
"""... and there are never more of one producer for one job. Of large ones `memory_budget` ends it before."""

MISSED_SHARE = 0.05
"""Who waits for less of the time is fed well, as in the verdict."""


@dataclass(slots=True)
class QueueGauge:
    """Watches one job, from one moment at which its queue is full to the next.

    Attributes
    ----------
    since : float
        Where it looks back to, in seconds on the pool's clock.
    came_at : float
        When the last batch came.
    full_since : float or None
        When the queue became full, if it is: there is no slot to build into, and nothing is being built.
    spare_s, missed_s : float
        Seconds that producers stood still because it was full, and seconds that were waited afterwards.
    found_s : float
        What was found before `since`, added up: see `short_s`.
    """

    since: float
    came_at: float = 0.0
    full_since: float | None = None
    spare_s: float = 0.0
    missed_s: float = 0.0
    found_s: float = 0.0

    @property
    def short_s(self) -> float:
        """Seconds of waiting, all that there ever was, that a longer queue would have saved."""
        return self.found_s + min(self.spare_s, self.missed_s)

    def waited(self, since: float) -> None:
        """Somebody has waited for the batch that came last: how long it took to be handed over is no matter.

        A longer queue can only help if it was full before.
        """
        if self.spare_s:
            self.missed_s += max(0.0, self.came_at - since)

    def freed(self, now: float) -> None:
        """There is a slot again."""
        if self.full_since is not None:
            self.spare_s += now - self.full_since
            self.full_since = None

    def put_down(self) -> None:
        """All that was ready is given back: what comes next says nothing about the queue before."""
        self.full_since, self.spare_s, self.missed_s = None, 0.0, 0.0

    def filled(self, now: float) -> float:
        """The queue is full; returns the seconds by which it was too short since it last was."""
        if self.full_since is not None:
            return 0.0
        self.full_since = now
        if not self.missed_s:
            return 0.0
        short_s = min(self.spare_s, self.missed_s)
        is_missed = self.missed_s >= MISSED_SHARE * (now - self.since)
        self.found_s += short_s
        self.since, self.spare_s, self.missed_s = now, 0.0, 0.0
        return short_s if is_missed else 0.0


def longer(num: int, most: int, short_s: float, build_s: float) -> int:
    """So many batches of each producer instead of `num`: those that it builds in `short_s` more.

    All producers stood still while the queue was full, so their number does not matter. What is less than a
    batch is none, and there are at most `most`.
    """
    if build_s <= 0 or short_s < build_s:
        return num
    return min(most, num + math.ceil(short_s / build_s))
