"""Removes what killed processes left in shared memory, known by a lock that nobody holds."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from feedline.common.memory.arena import ARENA_NAME, CACHE_PREFIX, NEW, PREFIX, folders

logger = logging.getLogger(__name__)

ABANDONED_AFTER_S = 60.0
"""An arena that is not locked yet is about to be, unless it is older than this."""

_NEW_NAME = re.compile(ARENA_NAME.pattern + re.escape(NEW))
_CACHE_NAME = re.compile(CACHE_PREFIX + r"\d{1,20}-[0-9a-f]{1,64}")


def sweep() -> None:
    """Remove arenas and caches in memory whose users were killed: their locks are free.

    Called when pools and producers start, and when a pool has ended its producers.
    """
    for folder in folders():
        for path in folder.glob(f"{PREFIX}*"):
            is_new = _NEW_NAME.fullmatch(path.name)
            is_ours = is_new or ARENA_NAME.fullmatch(path.name) or _CACHE_NAME.fullmatch(path.name)
            if is_ours and remove_if_unlocked(path, ABANDONED_AFTER_S if is_new else 0.0):
                logger.info(f"removed {path}, which a killed producer left behind")


def is_at(fd: int, path: Path) -> bool:
    """Whether a name means the open file still: it may have been removed, and made anew by somebody else."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def remove_if_unlocked(path: Path, older_than_s: float = 0.0) -> bool:
    """Remove a file that nobody has locked.

    Parameters
    ----------
    path : Path
        Its name.
    older_than_s : float
        One that was changed since may be about to be locked, and stays.

    Returns
    -------
    bool
        Whether it was removed. Not so if it is another user's, in use, or was removed by somebody else.
    """
    with suppress(OSError):
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not is_at(fd, path) or time.time() - os.fstat(fd).st_mtime < older_than_s:
                return False
            path.unlink()
        finally:
            os.close(fd)
        return True
    return False
