"""Where cache files lie, and how much room they may take together."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from feedline.common.job.caching import CacheKind
from feedline.common.memory.arena import CACHE_PREFIX, folders
from feedline.common.memory.free import free_memory, free_on
from feedline.common.memory.sweeping import remove_if_unlocked

logger = logging.getLogger(__name__)

_NETWORK = re.compile(r"nfs|cifs|smb|9p|afs|lustre|ceph|gluster|gpfs|beegfs|fuse\.(sshfs|rclone|s3fs|gcs)")
"""File systems on which two hosts may see different bytes in one file."""


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What the operator of a producer allows.

    Attributes
    ----------
    folder : str or None
        Where caches on disk lie; None for `disk_folder`.
    num_bytes : int or None
        All caches of one kind together take no more, and 0 forbids them; None for what the job says, or
        half of what is free.
    """

    folder: str | None = None
    num_bytes: int | None = None


DEFAULTS = CacheSettings()
"""The operator said nothing."""


@dataclass(frozen=True, slots=True)
class CacheFolder:
    """One folder of cache files, those of other jobs and other runs included.

    Attributes
    ----------
    path : Path
        The folder.
    limit_bytes : int
        All cache files in it together stay below.
    """

    path: Path
    limit_bytes: int

    @classmethod
    def of(cls, kind: CacheKind, settings: CacheSettings, job_bytes: int | None) -> CacheFolder:
        """The folder for a kind of cache; the smaller of the two limits holds.

        Raises
        ------
        OSError
            There is none that can be used.
        """
        path = _memory_folder() if kind is CacheKind.MEMORY else _disk_folder(settings.folder)
        limits = [limit for limit in (settings.num_bytes, job_bytes) if limit is not None]
        return cls(path, min(limits) if limits else _half_of_free(path, kind))

    def has_room(self, num_bytes: int, own: Path) -> bool:
        """Whether so many bytes more may be used; files that nobody uses give way, the oldest first."""
        while self._used_bytes() + num_bytes > self.limit_bytes:
            if not self._remove_unused(own):
                return False
        return True

    def _used_bytes(self) -> int:
        return sum(status.st_blocks * 512 for _, status in _cache_files(self.path))

    def _remove_unused(self, own: Path) -> bool:
        others = [(status.st_mtime, path) for path, status in _cache_files(self.path) if path != own]
        return any(_remove_if_unused(path) for _, path in sorted(others))


def _cache_files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for entry in os.scandir(folder):
        if entry.name.startswith(CACHE_PREFIX):
            with suppress(FileNotFoundError):
                yield Path(entry.path), entry.stat(follow_symlinks=False)


def _remove_if_unused(path: Path) -> bool:
    if not remove_if_unlocked(path):
        return False
    logger.info(f"removed the cache {path}, which nobody uses, to make room")
    return True


def _memory_folder() -> Path:
    found = folders()
    if not found:
        raise OSError(errno.ENOENT, "there is no folder for shared memory")
    return found[0]


def _disk_folder(chosen: str | None) -> Path:
    folder = Path(chosen) if chosen else _default_disk_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kind = _file_system(folder)
    if _NETWORK.match(kind):
        raise OSError(errno.EXDEV, f"{folder} is on a network ({kind}); give --cache-dir a local folder")
    return folder


def _default_disk_folder() -> Path:
    """``$XDG_CACHE_HOME/feedline``, else ``~/.cache/feedline``, else ``/var/tmp/feedline-UID``."""
    chosen, home = os.environ.get("XDG_CACHE_HOME"), os.environ.get("HOME")
    if chosen and os.path.isabs(chosen):  # noqa: PTH117 - a str so far
        return Path(chosen) / "feedline"
    if home and os.access(home, os.W_OK | os.X_OK):
        return Path(home) / ".cache" / "feedline"
    return Path(f"/var/tmp/feedline-{os.getuid()}")  # noqa: S108 - outlives a restart; files are ours alone


def _file_system(folder: Path) -> str:
    """The type of the file system that a folder is on; empty where nothing tells."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            fields, _, rest = line.partition(" - ")
            if fields.split()[2] == number:
                return rest.split()[0]
    return ""


def _half_of_free(folder: Path, kind: CacheKind) -> int:
    """Half of what caches could take: of the file system, and of memory where they take that."""
    free = [free_on(folder)]
    if kind is CacheKind.MEMORY:
        free += free_memory()
    used = sum(status.st_blocks * 512 for _, status in _cache_files(folder))
    return max(min(free) + used, 0) // 2
