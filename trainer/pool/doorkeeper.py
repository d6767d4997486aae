"""Connections of those who were not let in: how many there may be, how long, and what they may send.

ZeroMQ takes in whatever comes over a connection before anybody can look at it, and each connection takes a
descriptor of the process. So strangers are watched by their descriptors: of too many, the oldest are hung up
on, and so is who is silent for long, or sends far more than a hello has, whether it ever ends or not. Who is
let in is not watched any more. Used by the pool's thread alone.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SILENCE_S = 10.0
"""So long a connection may be there without a hello that is accepted."""

MAX_STRANGERS = 512
"""So many connections may be of strangers at a time: hundreds of producers come at once when a trainer is
started anew, and are strangers until it has read what they said."""

MAX_SHARE = 1 / 3
"""... but so many of the descriptors that this process may have."""

MAX_STRANGE_BYTES = 1 << 18
"""So much may come over each; a hello has some hundreds of bytes."""

MAX_REMEMBERED = 1 << 12
"""So many producers' connections are told apart."""

REVIEW_S = 0.05
"""Between two looks at what came from strangers, while there are any, ..."""

AT_A_LOOK = 128
"""... for each so many of them: more take no more of the pool's thread."""

_BYTES_RECEIVED = struct.Struct("=128xQ")
"""Linux' ``struct tcp_info`` up to ``tcpi_bytes_received``."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A stranger's connection.

    Attributes
    ----------
    since : float
        When it came, on the pool's clock.
    inode : int
        Of its socket: the descriptor may be another's since, and what had come before is read only now.
    """

    since: float
    inode: int


def _most_strangers() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_STRANGERS if soft == resource.RLIM_INFINITY else min(MAX_STRANGERS, int(MAX_SHARE * soft))


@dataclass(slots=True)
class Doorkeeper:
    """Watches strangers.

    Attributes
    ----------
    num_hung_up : int
        Connections that were ended.
    max_strangers : int
        So many may be there.
    """

    num_hung_up: int = 0
    max_strangers: int = field(default_factory=_most_strangers)
    _visits: OrderedDict[int, Visit] = field(default_factory=OrderedDict)
    _let_in: OrderedDict[bytes, tuple[int, int | None]] = field(default_factory=OrderedDict)
    _review_at: float = 0.0

    @property
    def is_alone(self) -> bool:
        """Whether no stranger is there."""
        return not self._visits

    def arrived(self, fd: int, now: float) -> None:
        """Somebody connected."""
        inode = _inode(fd)
        self._visits.pop(fd, None)
        if inode is not None:
            self._visits[fd] = Visit(now, inode)
        while len(self._visits) > self.max_strangers:
            self.hang_up(next(iter(self._visits)))

    def left(self, fd: int, _now: float) -> None:
        """A connection ended."""
        self._visits.pop(fd, None)

    def let_in(self, routing_id: bytes, fd: int) -> None:
        """A connection is a producer's."""
        self._visits.pop(fd, None)
        self._let_in[routing_id] = (fd, _inode(fd))
        if len(self._let_in) > MAX_REMEMBERED:
            self._let_in.popitem(last=False)

    def sent_away(self, routing_id: bytes, now: float) -> None:
        """What came over a connection was refused: if it was a producer's until now, it is watched again."""
        fd, inode = self._let_in.pop(routing_id, (-1, None))
        if inode is not None and inode == _inode(fd):
            self._visits[fd] = Visit(now, inode)

    def cut(self, routing_id: bytes, now: float) -> None:
        """End the connection of a producer."""
        fd, _ = self._let_in.get(routing_id, (-1, None))
        self.sent_away(routing_id, now)
        self.hang_up(fd)

    def review(self, now: float) -> None:
        """Hang up on who was silent for too long, and on who sends too much."""
        if now < self._review_at:
            return
        self._review_at = now + REVIEW_S * max(1.0, len(self._visits) / AT_A_LOOK)
        for fd, visit in list(self._visits.items()):
            if now - visit.since > SILENCE_S or _bytes_received(fd) > MAX_STRANGE_BYTES:
                self.hang_up(fd)

    def hang_up(self, fd: int) -> None:
        """End a stranger's connection; ZeroMQ finds it ended, and gives back all that belongs to it."""
        visit = self._visits.pop(fd, None)
        if visit is not None and visit.inode == _inode(fd):
            self.num_hung_up += 1
            with suppress(OSError), _borrowed(fd) as connection:
                connection.shutdown(socket.SHUT_RDWR)


def _inode(fd: int) -> int | None:
    """What tells a socket from another one that had its descriptor; None if it is gone."""
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return None


@contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """A socket of ZeroMQ's, which stays open and its own; of whatever family, nothing here depends on it."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=fd)
    try:
        yield connection
    finally:
        connection.detach()


def _bytes_received(fd: int) -> int:
    """What came over a TCP connection, read or not; 0 of any other, and of one that is gone."""
    with suppress(OSError, struct.error), _borrowed(fd) as connection:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.size)
        received: int = _BYTES_RECEIVED.unpack(info)[0]
        return received
    return 0
