"""Who was sent away, and why: counted by reason, and logged at most once a second. Knows no socket."""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from feedline.common.wire.names import one_line
from feedline.trainer.pool.verification import Breach

logger = logging.getLogger(__name__)

PAUSE_S = 1.0
"""Between two lines of all that were refused together."""

MAX_LINES = 50
"""So many lines of what producers say, and of who left, are logged at once; then one in `PAUSE_S`."""

MAX_LINE_CHARS = 500
"""Of what is logged of one breach."""

MAX_KEPT = 64
"""So many different ones are told apart while none may be logged."""

MAX_ANSWERS = 8
"""A connection whose messages were refused so often gets no answer any more; nobody honest asks so often."""

MAX_UNREADABLE = 2
"""... and here after so many that were no messages at all."""

MAX_IGNORED = 8
"""It is hung up on when it goes on after so many more: little each, but some send thousands in a second."""

PATIENCE_S = 1.0
"""... or after so long: what it had said before is still on the way."""

MAX_STRANGE_BYTES = 1 << 20
"""... nor does one that has sent so much in vain: a hello has some hundreds."""

MAX_REMEMBERED = 1 << 12
"""So many connections of strangers are told apart: of more, those that spoke longest ago are forgotten."""


@dataclass(slots=True)
class Stranger:
    """A connection whose messages were refused: how many, of how many bytes; and ignored, since when."""

    num: int = 0
    num_unreadable: int = 0
    num_bytes: int = 0
    num_ignored: int = 0
    ignored_since: float = 0.0

    @property
    def is_tiresome(self) -> bool:
        """Whether it is not worth an answer any more."""
        is_deaf = self.num_unreadable >= MAX_UNREADABLE
        return is_deaf or self.num >= MAX_ANSWERS or self.num_bytes > MAX_STRANGE_BYTES

    def goes_on(self, now: float) -> bool:
        """Whether it does though it is ignored."""
        return self.num_ignored > MAX_IGNORED or now - self.ignored_since > PATIENCE_S


@dataclass(slots=True)
class Refusals:
    """All that was refused by a pool.

    Attributes
    ----------
    counts : Counter of str
        Messages, by `Breach`.
    """

    counts: Counter[str] = field(default_factory=Counter)
    _strangers: OrderedDict[bytes, Stranger] = field(default_factory=OrderedDict)
    _left_out: Counter[str] = field(default_factory=Counter)
    _lines: Counter[str] = field(default_factory=Counter)
    _told: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _told_at: float = float("-inf")
    _lines_left: float = 0.0
    _lined_at: float = float("-inf")

    def note(self, breach: Breach, who: str, text: str, now: float) -> None:
        """Something was refused: count it, and say so unless somebody was just told of."""
        self.counts[str(breach)] += 1
        line = f"refused {who}: {one_line(text, MAX_LINE_CHARS)} [{breach}]"
        if not self._lines and now - self._told_at >= PAUSE_S:
            self._tell(line, now)
            return
        self._left_out[str(breach)] += 1
        if line in self._lines or len(self._lines) < MAX_KEPT:
            self._lines[line] += 1

    def review(self, now: float) -> None:
        """Time passed: say what was left out, if nothing else came that would have."""
        if (self._left_out or self._lines) and now - self._told_at >= PAUSE_S:
            # Whoever comes once is not to be lost among those who come all the time.
            self._tell(min(self._lines, key=self._lines.__getitem__, default="refused more"), now)

    def may_tell(self, now: float) -> bool:
        """Whether something may be logged that producers can have happen again and again."""
        self._lines_left = min(float(MAX_LINES), self._lines_left + (now - self._lined_at) / PAUSE_S)
        self._lined_at = now
        if self._lines_left < 1:
            self._left_out["lines of producers"] += 1
            return False
        self._lines_left -= 1
        return True

    def weigh(self, routing_id: bytes, num_bytes: int, breach: Breach) -> None:
        """What came over a connection was refused."""
        stranger = self._strangers.setdefault(routing_id, Stranger())
        stranger.num += 1
        stranger.num_unreadable += breach is Breach.UNREADABLE
        stranger.num_bytes += num_bytes
        self._strangers.move_to_end(routing_id)
        if len(self._strangers) > MAX_REMEMBERED:
            self._strangers.popitem(last=False)

    def ignored(self, routing_id: bytes, now: float) -> Stranger | None:
        """Who spoke, if nothing that comes over its connection is looked at; what came now is counted."""
        stranger = self._strangers.get(routing_id)
        if stranger is None or not stranger.is_tiresome:
            return None
        self.counts[str(Breach.FLOOD)] += 1
        if not stranger.num_ignored:
            stranger.ignored_since = now
        stranger.num_ignored += 1
        return stranger

    def _tell(self, line: str, now: float) -> None:
        others = ", ".join(f"{num} {breach}" for breach, num in self._left_out.most_common())
        logger.warning(f"{line} (not logged before: {others})" if others else line)
        self._told_at = now
        self._told[line] = None
        if len(self._told) > MAX_KEPT:
            self._told.popitem(last=False)
        self._left_out.clear()
        # The others have been counted now; those that nobody has read yet have their turn later.
        self._lines = Counter({one: num for one, num in self._lines.items() if one not in self._told})
