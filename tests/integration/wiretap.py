"""A TCP proxy that notes what passes, in either direction, and may change it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

CHUNK = 1 << 16

Change = Callable[[bytes], bytes]


class Wiretap:
    """Listens on a port of its own and hands everything on to another.

    Parameters
    ----------
    port : int
        Where to hand it on to.
    change : callable
        Is called for each connection, and gives what the pieces of it that a producer sends go through.
        Where TCP cuts a stream into pieces is chance.

    Attributes
    ----------
    port : int
        Where to connect.
    to_producers, to_trainer : list of bytearray
        What passed, one for each connection.
    """

    def __init__(self, port: int, change: Callable[[], Change] = lambda: bytes) -> None:
        self._target = port
        self._change = change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.to_producers: list[bytearray] = []
        self.to_trainer: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="wiretap")]
        self._threads[0].start()

    @property
    def endpoint(self) -> str:
        """Where producers connect."""
        return f"tcp://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread that waits in `accept` hears of this, but not of a close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                with suppress(ConnectionRefusedError):
                    far = socket.create_connection(("127.0.0.1", self._target))
                    self._sockets.append(far)
                    self._pass_on(near, far, self.to_trainer, self._change())
                    self._pass_on(far, near, self.to_producers, bytes)

    def _pass_on(
        self, source: socket.socket, sink: socket.socket, notes: list[bytearray], change: Change
    ) -> None:
        note = bytearray()
        notes.append(note)

        def pump() -> None:
            with suppress(OSError):
                while data := source.recv(CHUNK):
                    note.extend(data)
                    sink.sendall(change(data))
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=pump, name="wiretap")
        self._threads.append(thread)
        thread.start()
