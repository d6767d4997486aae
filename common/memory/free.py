"""How much memory is free, by every limit there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""What a container may take and has taken, of cgroups version 2 and 1."""


def free_memory() -> Iterator[int]:
    """Bytes that are free, by each limit that this machine, or its container, has."""
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/meminfo").read_text()
        yield int(text.split("MemAvailable:")[1].split()[0]) * 1024
    for limit, used in _LIMITS:
        with suppress(OSError, ValueError):
            yield int(Path(limit).read_text()) - int(Path(used).read_text())


def free_on(folder: Path) -> int:
    """Bytes that are free on the file system of a folder."""
    file_system = os.statvfs(folder)
    return file_system.f_bavail * file_system.f_frsize
