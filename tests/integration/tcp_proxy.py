"""A link between a trainer and its producers that can be cut, stopped, and be as bad as a test wants it.

What is sent goes through one thread for each direction of each connection. Bytes are never lost or changed,
as TCP does neither: what a lossy link does to TCP is to stop it now and then, and to cut it.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

CHUNK_BYTES = 16_384
LOOK_S = 0.02
"""A thread looks so often whether it is to go on."""


@dataclass
class Way:
    """One direction of the link.

    Attributes
    ----------
    delay_s, jitter_s : float
        Each chunk comes so much later, and up to so much more.
    bytes_per_s : float
        Bandwidth; 0: any.
    is_open : bool
        Otherwise what is sent is not heard, and nobody is told.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0
    is_open: bool = True

    def pause_s(self, num_bytes: int, rng: random.Random) -> float:
        """What a chunk takes on the way."""
        line_s = num_bytes / self.bytes_per_s if self.bytes_per_s else 0.0
        return line_s + self.delay_s + rng.uniform(0, self.jitter_s)


class TcpProxy:
    """Listens at `endpoint` and hands on to a trainer.

    Parameters
    ----------
    target : str
        The trainer's ``tcp://HOST:PORT``.
    seed : int
        Of the jitter.

    Attributes
    ----------
    to_trainer, to_producer : Way
        May be changed at any time.
    accepts : bool
        Whether new connections are taken.
    """

    def __init__(self, target: str, seed: int = 0) -> None:
        host, _, port = target.removeprefix("tcp://").rpartition(":")
        self._target = host, int(port)
        self._rng = random.Random(seed)
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self.to_trainer, self.to_producer = Way(), Way()
        self.accepts = True
        self.num_connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LOOK_S)
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._listen)

    def cut(self) -> None:
        """End all connections, with a reset where bytes are on their way."""
        for one in list(self._sockets):
            self._drop(one)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name="proxy")
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                near, _ = self._listener.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target) if self.accepts else None
        except OSError:
            far = None
        if far is None:
            near.close()
            return
        self.num_connections += 1
        self._sockets |= {near, far}
        for one in (near, far):
            one.settimeout(LOOK_S)
        self._start(lambda: self._hand_on(near, far, lambda: self.to_trainer))
        self._start(lambda: self._hand_on(far, near, lambda: self.to_producer))

    def _hand_on(self, source: socket.socket, sink: socket.socket, way: Callable[[], Way]) -> None:
        """Hand on until either side ends."""
        with suppress(OSError):
            while not self._over.is_set():
                if not way().is_open:
                    time.sleep(LOOK_S)
                    continue
                with suppress(TimeoutError):
                    if not (chunk := source.recv(CHUNK_BYTES)):
                        break
                    self._over.wait(way().pause_s(len(chunk), self._rng))
                    self._send(sink, chunk)
        for one in (source, sink):
            self._drop(one)

    def _send(self, sink: socket.socket, chunk: bytes) -> None:
        while chunk and not self._over.is_set():
            with suppress(TimeoutError):
                chunk = chunk[sink.send(chunk) :]

    def _drop(self, one: socket.socket) -> None:
        self._sockets.discard(one)
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
