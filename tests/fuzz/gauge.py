"""How much memory a process has, and how that is told."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field

import psutil

MIB = 1 << 20


@dataclass(slots=True)
class Gauge:
    """Looks at a process at the beginning, once it is warm, and at the end."""

    pid: int | None = None
    _looks: list[tuple[float, int, int]] = field(default_factory=list)

    def look(self) -> None:
        """Take down what it has now."""
        process = psutil.Process(self.pid)
        self._looks.append((time.monotonic(), process.memory_info().rss, process.num_fds()))

    def __str__(self) -> str:
        """The first and the last look, and the growth between the last two thirds."""
        (_, first, fds), (_, last, fds_after) = self._looks[0], self._looks[-1]
        warm = self._looks[len(self._looks) // 3 :]
        return (
            f"memory {first / MIB:.1f} MiB at the start, {last / MIB:.1f} MiB at the end"
            f" ({(last - warm[0][1]) / MIB:+.1f} MiB in the last two thirds);"
            f" descriptors {fds}, then {fds_after}"
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a target is fuzzed: until either is reached."""

    seconds: float
    messages: int
    seed: int

    @classmethod
    def of_command(cls, words: list[str] | None = None) -> Limits:
        """Read the arguments of a target."""
        command = argparse.ArgumentParser()
        command.add_argument("--seconds", type=float, default=60.0)
        command.add_argument("--messages", type=int, default=1 << 40)
        command.add_argument("--seed", type=int, default=0)
        settings = command.parse_args(words)
        return cls(settings.seconds, settings.messages, settings.seed)
