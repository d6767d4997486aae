"""Files of samples are opened here: without ever waiting, and only if they are files."""

from __future__ import annotations

import errno
import os
import stat

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
    # Not found out by opening alone: to open a pipe and close it again is an end to whoever writes into it.
    _check(os.stat(path))  # noqa: PTH116 - thousands are opened in a second
    file = os.open(path, _FLAGS)
    try:
        _check(os.fstat(file))
    except OSError:
        os.close(file)
        raise
    return file


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EISDIR if kind == "a directory" else errno.EINVAL, f"it is {kind}, not a file")
