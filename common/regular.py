"""Files of samples are opened here: without ever waiting, and only if they are files."""

from __future__ import annotations

import errno
import os
import stat

LOOK = os.O_PATH | os.O_CLOEXEC
"""Flags that open nothing, but hold on to what is there."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Whatever it has become since it was looked at must not stop whoever opens it."""

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | bytes | os.PathLike[str]) -> int:
    """Open a file for reading, and return its descriptor.

    Raises
    ------
    OSError
        It cannot be opened, or is no file: a pipe would be waited for, for ever if nobody writes into it.
    """
    return open_found(os.open(path, LOOK))


def open_found(found: int) -> int:
    """Open for reading what a descriptor was opened to `LOOK` at, which is closed; raises as `open_regular`.

    Not found out by opening: to open a pipe and close it again is an end to whoever writes into it, and
    devices do things when they are opened. What was looked at is what is opened, whatever has its name now.
    """
    try:
        _check(os.fstat(found))
        return os.open(b"/proc/self/fd/%d" % found, _FLAGS)
    finally:
        os.close(found)


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EISDIR if kind == "a directory" else errno.EINVAL, f"it is {kind}, not a file")
