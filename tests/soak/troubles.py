"""What happens to producers, files and consumers, at random."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from children import connected
from consumers import Consumer

from feedline import ProducerPool

MAX_WORKERS = 6
LONGEST_STOP_S = 14.0
"""Longer than a silence after which a producer is given up."""


class Troubles(threading.Thread):
    """Makes one trouble after another.

    Parameters
    ----------
    pool : ProducerPool
        Whose producers suffer.
    consumers : list of Consumer
        Who pause.
    folder : Path
        Of the images.
    seed : int
        Of what happens, and when.

    Attributes
    ----------
    counts : Counter of str
        What was done how often.
    error : str
        Why it ended before its time.
    """

    def __init__(self, pool: ProducerPool, consumers: list[Consumer], folder: Path, seed: int) -> None:
        super().__init__(name="troubles", daemon=True)
        self.counts: Counter[str] = Counter()
        self.error = ""
        self._pool, self._consumers, self._folder = pool, consumers, folder
        self._rng = random.Random(seed)
        self._over = threading.Event()
        self._undo: list[tuple[float, Callable[[], None]]] = []
        self._waited_s = 0.0

    def run(self) -> None:
        """Go on until `stop`, then undo what is not undone."""
        troubles = [self._scale, self._kill, self._stop_one, self._damage, self._pause]
        try:
            while not self._over.is_set():
                self._wait(self._rng.uniform(0.2, 2.0))
                self._rng.choice(troubles)()
        except Exception as error:  # noqa: BLE001 - the report has it
            self.error = f"troubles: {type(error).__name__}: {error}"
        for _, undo in self._undo:
            undo()

    def stop(self) -> None:
        """End."""
        self._over.set()

    def _wait(self, seconds: float) -> None:
        """Let time pass, and undo what is due."""
        self._over.wait(seconds)
        self._waited_s += seconds
        due = [item for item in self._undo if item[0] <= self._waited_s]
        self._undo = [item for item in self._undo if item not in due]
        for _, undo in due:
            undo()

    def _later(self, longest_s: float, undo: Callable[[], None]) -> None:
        self._undo.append((self._waited_s + self._rng.uniform(0.1, longest_s), undo))

    def _scale(self) -> None:
        self.counts["scalings"] += 1
        self._pool.resize(self._rng.randint(1, MAX_WORKERS))

    def _victim(self) -> psutil.Process | None:
        found = sorted(connected(self._pool).items())
        return self._rng.choice(found)[1] if found else None

    def _kill(self) -> None:
        victim = self._victim()
        if victim is not None:
            self.counts["kills"] += 1
            with suppress(psutil.NoSuchProcess):
                victim.kill()

    def _stop_one(self) -> None:
        victim = self._victim()
        if victim is None:
            return
        self.counts["stops"] += 1
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGSTOP)

        def go_on() -> None:
            with suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGCONT)

        self._later(LONGEST_STOP_S, go_on)

    def _damage(self) -> None:
        """Cut a file off; later it is whole again. Renamed, so that nobody reads half of either."""
        path = self._rng.choice(sorted(self._folder.glob("*.png")))
        aside = path.with_suffix(".whole")
        if aside.exists():
            return
        self.counts["bad files"] += 1
        whole = path.read_bytes()
        aside.write_bytes(whole)
        broken = path.with_suffix(".broken")
        broken.write_bytes(whole[: len(whole) // 2])
        broken.replace(path)
        self._later(3.0, lambda: aside.replace(path))

    def _pause(self) -> None:
        consumer = self._rng.choice(self._consumers)
        self.counts["pauses"] += 1
        consumer.may_go_on.clear()
        self._later(5.0, consumer.may_go_on.set)
