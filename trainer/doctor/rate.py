"""How fast bytes get from one machine to another: two ends of a TCP connection, without Feedline's protocol.

The trainer's side listens, the producer's sends for two seconds.
"""

from __future__ import annotations

import socket
import time
from typing import NamedTuple

from feedline.common.errors import ConfigurationError
from feedline.trainer.console.units import in_bytes
from feedline.trainer.doctor.findings import Finding

SEND_S = 2.0
CHUNK_BYTES = 1 << 20
CONNECT_S = 10.0

GIGABIT = 125e6
"""Bytes in a second."""


class Received(NamedTuple):
    """What one sender sent.

    Attributes
    ----------
    sender : str
        Its address.
    num_bytes : int
        That came.
    trouble : str
        Why they are not all; empty if they are.
    """

    sender: str
    num_bytes: int
    trouble: str


def address(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT``, with or without ``tcp://``.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    host, _, port = text.removeprefix("tcp://").rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise ConfigurationError(f"expected HOST:PORT, such as trainer:5556, got {text!r}")
    return host.strip("[]"), int(port)


def listen(host: str, port: int) -> socket.socket:
    """Let senders connect.

    Raises
    ------
    ConfigurationError
        The address is taken, or is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        # Python says the address once more.
        why = str(getattr(error, "strerror", None) or error).partition(" (while ")[0]
        raise ConfigurationError(
            f"cannot listen on {host!r}, port {port} ({why}): name an address of this machine and a port that"
            " nobody has, such as 0.0.0.0:5556"
        ) from error


def receive(server: socket.socket) -> Received:
    """Take in all that one sender sends. May wait for ever."""
    connection, (host, *_) = server.accept()
    total = 0
    with connection:
        buffer = bytearray(CHUNK_BYTES)
        try:
            while num := connection.recv_into(buffer):
                total += num
            connection.sendall(total.to_bytes(8, "big"))
        except OSError as error:
            return Received(host, total, str(error))
    return Received(host, total, "")


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
            answer = connection.recv(8, socket.MSG_WAITALL)
            if len(answer) < 8:
                raise ConnectionError("who listens there does not say how much has arrived")
            return int.from_bytes(answer, "big") / (time.perf_counter() - began)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"nothing can be sent to {host}:{port} ({error}): on the trainer's machine, run"
            f" feedline doctor --listen 0.0.0.0:{port}"
        ) from error


def network(where: str, bytes_per_s: float, image_bytes: int) -> Finding:
    """Say what the network allows.

    Parameters
    ----------
    where : str
        The other end.
    bytes_per_s : float
        As measured.
    image_bytes : int
        Of one image.
    """
    seen = (
        f"{in_bytes(bytes_per_s)}/s ({bytes_per_s / GIGABIT:.2g} Gbit/s) to {where}:"
        f" {bytes_per_s / image_bytes:,.0f} images/s of {in_bytes(image_bytes)}"
    )
    return Finding("network", seen)
