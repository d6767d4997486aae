"""Tells the stages of building a batch apart, at next to no cost."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from types import FrameType

from feedline.common.stages import Stage, Stages

VERBS = {Stage.READ: "reading", Stage.DECODE: "decoding", Stage.TRANSFORM: "transforming"}
"""What is done in a stage, for whoever waits for it."""

OURS = "feedline."
"""What the names of our own modules begin with."""


@dataclass(frozen=True, slots=True)
class InWork:
    """Something that began, and may never end.

    Attributes
    ----------
    name : str
        The file, or what else there is to wait for.
    since : float
        When it began, in seconds of `time.monotonic`.
    thread : int
        Which thread is at it.
    """

    stage: Stage
    name: str
    since: float = field(default_factory=time.monotonic)
    thread: int = field(default_factory=threading.get_ident)

    def __str__(self) -> str:
        text = f"{VERBS[self.stage]} {self.name} for {time.monotonic() - self.since:.0f} s"
        # Only what transforms and Sequences do is done by code of users.
        foreign = foreign_code(self.thread) if self.stage is Stage.TRANSFORM else ""
        return f"{text}, in {foreign}" if foreign else text


def foreign_code(thread: int) -> str:
    """Which function that is not Feedline's a thread is in, and at which line; empty if it is in none.

    Of several that call each other that one which Feedline called: a function of the user's, rather than what
    he uses. The thread goes on meanwhile.
    """
    frame: FrameType | None = sys._current_frames().get(thread)  # noqa: SLF001 - documented for such uses
    called = None
    while frame is not None and not _module_of(frame).startswith(OURS):
        called, frame = frame, frame.f_back
    if called is None or frame is None:
        return ""
    return f"{_module_of(called)}:{called.f_code.co_qualname}, line {called.f_lineno}"


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


class StageClock:
    """Adds up nanoseconds by stage. Used by the thread that builds, and but for `doing` by no other.

    Two looks at the clock a stage: some 0.1 µs each, beside a millisecond of decoding.
    """

    def __init__(self) -> None:
        self._ns = [0] * len(Stage)
        self._last_ns = time.perf_counter_ns()
        self._doing: InWork | None = None
        self._cpu_ns = time.process_time_ns()

    def lap(self, stage: Stage) -> None:
        """All time since the last look at the clock went into `stage`."""
        now_ns = time.perf_counter_ns()
        self._ns[stage] += now_ns - self._last_ns
        self._last_ns = now_ns

    def begin(self, stage: Stage, name: str) -> None:
        """Something begins that may never end; `name` is the file, or what else there is to wait for."""
        self._doing = InWork(stage, name)

    @property
    def doing(self) -> str:
        """What began last, how long ago, and in which function of a user it is; empty if nothing is in work.

        From any thread.
        """
        return "" if self._doing is None else str(self._doing)

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
