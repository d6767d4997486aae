"""CPU seconds and memory of processes, from /proc; and sleeps that end on time."""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path

from feedline.common.memory.arena import PREFIX, folders

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
QUIET_SHARE = 0.1
"""Of one core: processes that use less have come to rest."""

KIB = 1024
KINDS = {
    "Rss": "resident",
    "Private_Clean": "private",
    "Private_Dirty": "private",
    "Shared_Clean": "shared",
    "Shared_Dirty": "shared",
}
"""What the lines of /proc/PID/smaps count as."""


_PR_SET_TIMERSLACK = 29
"""Of Linux' prctl; by default a sleep may last 50 µs longer than it was told to."""


def sleep_exactly() -> None:
    """Have sleeps of the calling thread end on time: a device's interrupt does not come late, either."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Children of a process, their children, and so on."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, IndexError):
                parents[int(folder.name)] = int(_stat(int(folder.name))[1])
    found: list[int] = []
    level = {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found += sorted(level)
    return found


def cpu_s(pids: list[int]) -> float:
    """User and system time of processes that are alive, in seconds."""
    total = 0
    for pid in pids:
        with suppress(OSError, IndexError):
            fields = _stat(pid)
            total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_S


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on: a name may hold spaces and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def memory_mb(pid: int) -> dict[str, float]:
    """Memory of a process in millions of bytes: resident, and of that slots, shared, and its own.

    Slots count as slots even while only the producer has touched them, which the kernel calls private.
    """
    sizes = {"resident": 0, "slots": 0, "shared": 0, "private": 0}
    slots = False
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in KINDS:
                kind = "slots" if slots and name != "Rss" else KINDS[name]
                sizes[kind] += int(rest.split()[0]) * KIB
            elif "-" in name and " " in name:
                slots = _is_shared(line)
    return {kind: size / 1e6 for kind, size in sizes.items()}


def _is_shared(mapping: str) -> bool:
    """Whether a line of smaps is of an arena or a cache: by its name; or by its folder, if it had none."""
    return f"/{PREFIX}" in mapping or any(f" {folder}/#" in mapping for folder in folders())


def wait_until_quiet(timeout_s: float) -> None:
    """Wait until this process and its children rest: queues that fill up would cost the next in turn."""
    pids, until, pause_s = [os.getpid(), *descendants(os.getpid())], time.monotonic() + timeout_s, 0.15
    before = cpu_s(pids)
    while time.monotonic() < until:
        time.sleep(pause_s)
        after = cpu_s(pids)
        if after - before < QUIET_SHARE * pause_s:
            return
        before = after
