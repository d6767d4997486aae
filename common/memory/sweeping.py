"""Removes what killed processes left in shared memory, known by a lock that nobody holds."""

from __future__ import annotations

import fcntl
import logging
import os
import re
from contextlib import suppress
from pathlib import Path

from feedline.common.memory.arena import ARENA_NAME, CACHE_PREFIX, PREFIX, folders

logger = logging.getLogger(__name__)

_CACHE_NAME = re.compile(CACHE_PREFIX + r"\d{1,20}-[0-9a-f]{1,64}")


def sweep() -> None:
    """Remove arenas and caches in memory whose users were killed: their locks are free.

    Called when pools and producers start, and when a pool has ended its producers.
    """
    for folder in folders():
        for path in folder.glob(f"{PREFIX}*"):
            is_ours = ARENA_NAME.fullmatch(path.name) or _CACHE_NAME.fullmatch(path.name)
            if is_ours and remove_if_unlocked(path):
                logger.info(f"removed {path}, which a killed producer left behind")


def is_at(fd: int, path: Path) -> bool:
    """Whether a name means the open file still: it may have been removed, and made anew by somebody else."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def remove_if_unlocked(path: Path) -> bool:
    """Remove a file that nobody has locked; whether it was one.

    It stays if it is another user's or in use, and may have been removed by somebody else.
    """
    with suppress(OSError):
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not is_at(fd, path):
                return False
            path.unlink()
        finally:
            os.close(fd)
        return True
    return False
