"""Tells the stages of building a batch apart, at next to no cost."""

from __future__ import annotations

import time

from feedline.common.stages import Stage, Stages

VERBS = {Stage.READ: "reading", Stage.DECODE: "decoding", Stage.TRANSFORM: "transforming"}
"""What is done in a stage, for whoever waits for it."""


class StageClock:
    """Adds up nanoseconds by stage. Used by the thread that builds, and but for `doing` by no other.

    Two looks at the clock a stage: some 0.1 µs each, beside a millisecond of decoding.
    """

    def __init__(self) -> None:
        self._ns = [0] * len(Stage)
        self._last_ns = time.perf_counter_ns()
        self._cpu_ns = time.process_time_ns()
        self._doing: tuple[Stage, str, float] | None = None

    def lap(self, stage: Stage) -> None:
        """All time since the last look at the clock went into `stage`."""
        now_ns = time.perf_counter_ns()
        self._ns[stage] += now_ns - self._last_ns
        self._last_ns = now_ns

    def begin(self, stage: Stage, name: str) -> None:
        """Something begins that may never end; `name` is the file, or what else there is to wait for."""
        self._doing = stage, name, time.monotonic()

    @property
    def doing(self) -> str:
        """What began last, and how long ago; empty if nothing is in work. From any thread."""
        if self._doing is None:
            return ""
        stage, name, since = self._doing
        return f"{VERBS[stage]} {name} for {time.monotonic() - since:.0f} s"

    def rest(self) -> None:
        """Nothing is in work."""
        self._doing = None

    def add(self, stage: Stage, seconds: float) -> None:
        """Add time that was measured elsewhere, and passed beside that of the other stages."""
        self._ns[stage] += int(seconds * 1e9)

    def take(self) -> Stages:
        """What was added up; begins anew."""
        cpu_ns = time.process_time_ns()
        taken = Stages(*(ns // 1000 for ns in (*self._ns, cpu_ns - self._cpu_ns)))
        self._ns, self._cpu_ns = [0] * len(Stage), cpu_ns
        return taken
