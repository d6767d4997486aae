"""Takes in what a pool tells, and has the view of it for whoever asks."""

from __future__ import annotations

import platform
import secrets
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from resource import getpagesize

from feedline.trainer.monitor.facts import Facts, ProducerFacts
from feedline.trainer.monitor.history import KEPT_S, History
from feedline.trainer.monitor.view import View, view_of


class Recorder:
    """Between the pool's thread, which tells, and those that show. Thread-safe.

    What is told is a call that makes the facts: judging them takes time that the pool's thread has not.
    """

    def __init__(self) -> None:
        self._told: deque[Callable[[], Facts]] = deque(maxlen=KEPT_S)
        self._lock = threading.Lock()
        self._history = History()
        self._facts = Facts(0.0)
        # The clock of a training that was started anew goes on; this is another.
        self._pool = secrets.token_hex(8)

    def tell(self, facts: Callable[[], Facts]) -> None:
        """A second went by. Called by the pool's thread; waits for nobody."""
        self._told.append(facts)

    def review(self) -> None:
        """Take in what was told."""
        with self._lock:
            self._review()

    def view(self, since_s: float = float("-inf"), *, can_scale: bool = False) -> View:
        """The pool as it was told last."""
        with self._lock:
            self._review()
            return view_of(
                self._facts,
                self._history,
                since_s,
                memory_of=resident_bytes,
                can_scale=can_scale,
                pool=self._pool,
            )

    def bad_file(self, job_id: int, number: int) -> str | None:
        """Where a bad file lies, by its number in the view; None if the view has no such file."""
        with self._lock:
            self._review()
            jobs = (job for job in self._facts.jobs if job.standing.job_id == job_id)
            job = next(jobs, None)
            return None if job is None else job.bad_file(number)

    def _review(self) -> None:
        # Another thread appends meanwhile, and only this one takes out: it never becomes empty in between.
        while self._told:
            self._facts = self._told.popleft()()
            self._history.add(self._facts)


def resident_bytes(producer: ProducerFacts) -> int | None:
    """What a producer's process takes, shared memory included; None if it is not seen from here."""
    process = Path(f"/proc/{producer.pid}")
    try:
        if producer.host != platform.node() or b"feedline" not in (process / "cmdline").read_bytes():
            return None
        return int((process / "statm").read_text().split()[1]) * getpagesize()
    except (OSError, IndexError, ValueError):
        return None
