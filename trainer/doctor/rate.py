"""How fast bytes get from one machine to another: two ends of a TCP connection, without Feedline's protocol.

The trainer's side listens, the producer's sends for two seconds.
"""

from __future__ import annotations

import socket
import time

from feedline.common.errors import ConfigurationError
from feedline.trainer.console.units import in_bytes
from feedline.trainer.doctor.findings import Finding

SEND_S = 2.0
CHUNK_BYTES = 1 << 20
CONNECT_S = 10.0

GIGABIT = 125e6
"""Bytes in a second."""


def address(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT``, with or without ``tcp://``.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    host, _, port = text.removeprefix("tcp://").rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"expected HOST:PORT, such as trainer:5556, got {text!r}")
    return host.strip("[]"), int(port)


def receive(server: socket.socket) -> tuple[str, int]:
    """Take in all that one sender sends; returns its address and the bytes. May wait for ever."""
    connection, (host, *_) = server.accept()
    total = 0
    with connection:
        buffer = bytearray(CHUNK_BYTES)
        while num := connection.recv_into(buffer):
            total += num
        connection.sendall(total.to_bytes(8, "big"))
    return host, total


def send(host: str, port: int, seconds: float = SEND_S) -> float:
    """Send for a while, until all has arrived; returns bytes in a second.

    Raises
    ------
    ConfigurationError
        Nobody listens there, or the connection broke.
    """
    try:
        with socket.create_connection((host, port), CONNECT_S) as connection:
            began = time.perf_counter()
            while time.perf_counter() - began < seconds:
                connection.sendall(bytes(CHUNK_BYTES))
            connection.shutdown(socket.SHUT_WR)
            arrived = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
            return arrived / (time.perf_counter() - began)
    except OSError as error:
        raise ConfigurationError(
            f"nothing can be sent to {host}:{port} ({error}): on the trainer's machine, run"
            f" feedline doctor --listen 0.0.0.0:{port}"
        ) from error


def network(where: str, bytes_per_s: float, batch_bytes: int, batch_size: int) -> Finding:
    """Say what the network allows.

    Parameters
    ----------
    where : str
        The other end.
    bytes_per_s : float
        As measured.
    batch_bytes, batch_size : int
        Of a batch, and its samples.
    """
    images_per_s = bytes_per_s / batch_bytes * batch_size
    seen = (
        f"{in_bytes(bytes_per_s)}/s ({bytes_per_s / GIGABIT:.2g} Gbit/s) to {where}:"
        f" {images_per_s:,.0f} images/s of {in_bytes(batch_bytes / batch_size)}"
    )
    return Finding("network", seen)
