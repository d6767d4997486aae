"""Open what lies below a folder, and never what lies outside of it, whoever moves things meanwhile.

A name that was checked and is then opened may lead elsewhere by then. So nothing is checked beforehand: the
kernel walks down from the folder's descriptor and refuses to leave it (openat2(2), RESOLVE_BENEATH), or that
is done here, component by component, where the kernel is too old, a sandbox forbids it, or a link names its
target from the root of the file system and yet stays inside.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable

from feedline.common.regular import LOOK

OpenBeneath = Callable[[int, bytes], int]
"""(descriptor of a folder, name) → descriptor, good for looking at what is there (O_PATH)."""

_OPENAT2 = 437
"""The number of the system call, on all architectures."""

_RESOLVE_NO_MAGICLINKS, _RESOLVE_BENEATH = 0x02, 0x08

_MOST_LINKS = 40
"""As the kernel has it."""

_OUTSIDE = errno.EXDEV


class _OpenHow(ctypes.Structure):
    """``struct open_how`` of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW = _OpenHow(LOOK, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
_SYSCALL = ctypes.CDLL(None, use_errno=True).syscall


def by_kernel(folder: int, name: bytes) -> int:
    """Open `name` below `folder` by one system call; OSError as the kernel has it."""
    if b"\0" in name:
        raise ValueError("embedded null byte")
    found: int = _SYSCALL(_OPENAT2, folder, name, ctypes.byref(_HOW), ctypes.sizeof(_HOW))
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


def by_hand(folder: int, name: bytes) -> int:
    """Open `name` below `folder` component by component, following links that stay inside."""
    walk = _Walk(folder)
    try:
        walk.down(name)
    except BaseException:
        walk.close()
        raise
    return walk.leave()


class _Walk:
    """The folders that were gone through, all of them open: what is above one need not be asked for."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._opened: list[int] = []
        self._num_links = 0

    def down(self, name: bytes) -> None:
        """Go on from where we are; OSError EXDEV if that leads out."""
        for part in name.split(b"/"):
            if part == b"..":
                self._up()
            elif part not in {b"", b"."}:
                self._into(part)

    def leave(self) -> int:
        """Close what was gone through, and hand over where we are."""
        found = self._opened.pop() if self._opened else os.dup(self._folder)
        self.close()
        return found

    def close(self) -> None:
        """Close everything."""
        while self._opened:
            os.close(self._opened.pop())

    def _up(self) -> None:
        if not self._opened:
            raise OSError(_OUTSIDE, os.strerror(_OUTSIDE))
        os.close(self._opened.pop())

    def _into(self, part: bytes) -> None:
        here = self._opened[-1] if self._opened else self._folder
        found = os.open(part, LOOK | os.O_NOFOLLOW, dir_fd=here)
        if not stat.S_ISLNK(os.fstat(found).st_mode):
            self._opened.append(found)
            return
        try:
            target = os.readlink(b"", dir_fd=found)
        finally:
            os.close(found)
        self._follow(target)

    def _follow(self, target: bytes) -> None:
        self._num_links += 1
        if self._num_links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith(b"/"):
            target = _below(self._folder, target)
            self.close()
        self.down(target)


def _below(folder: int, target: bytes) -> bytes:
    """What an absolute name is called from `folder` on. Whatever it says, the walk starts there."""
    inside = os.path.realpath(os.readlink(b"/proc/self/fd/%d" % folder))  # noqa: PTH115 - names are bytes
    real = os.path.realpath(target)
    if real != inside and not real.startswith(inside.rstrip(b"/") + b"/"):
        raise OSError(_OUTSIDE, os.strerror(_OUTSIDE))
    return real[len(inside) :]


def open_beneath(folder: int, name: bytes, quick: OpenBeneath = by_kernel) -> int:
    """Open what `name` leads to, for looking at it; links are followed as long as they stay inside.

    Parameters
    ----------
    folder : int
        Descriptor of the folder.
    name : bytes
        Relative to it.
    quick : callable
        What is tried first; where that fails for any reason but that there is no such name, we go by hand.

    Raises
    ------
    OSError
        It is not there, or cannot be opened; EXDEV: it leads out of the folder.
    ValueError
        It is no name.
    """
    try:
        return quick(folder, name)
    except FileNotFoundError:
        raise
    except OSError:
        return by_hand(folder, name)
