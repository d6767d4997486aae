"""A process of strangers: ``python strangers.py MANNER ENDPOINT`` does one thing to a pool until it is ended.

hellos
    A thousand times a second it says hello in another version, over one connection, and reads no answer.
crowd
    It opens a thousand connections, which say nothing, and holds them.
sockets
    It does so, and makes new ones for those that were ended, 500 in a second.
large
    It sends frames of 64 MiB.
floods
    It sends what is no message, as fast as it can, over eight connections.
endless
    It sends message after message that has no last frame.
waits
    It sends nothing, and is there.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable

import zmq

from feedline.common.wire.encoding import encode
from feedline.common.wire.protocol import VERSION, Hello, Session, new_id

MIB = 1 << 20


def hellos(endpoint: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Say hello without end; whoever is hung up on connects again."""
    peer = connected(endpoint, context)
    frames = encode(Session(new_id()), Hello(VERSION + 1, "stranger", "nowhere", 1, {}))
    while True:
        peer.send_multipart(frames)
        time.sleep(0.001)


def crowd(endpoint: str, _: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Hold connections, whatever becomes of them."""
    host, port = endpoint.removeprefix("tcp://").split(":")
    held = [socket.create_connection((host, int(port))) for _ in range(1000)]
    while held:
        time.sleep(1.0)


def sockets(endpoint: str, _: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Hold connections, and make new ones for those that were ended."""
    host, port = endpoint.removeprefix("tcp://").split(":")
    held = []
    while True:
        held.append(socket.create_connection((host, int(port))))
        if len(held) > 1000:
            held.pop(0).close()
        time.sleep(0.002)


def large(endpoint: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Send large frames."""
    peer, frame = connected(endpoint, context), bytes(64 * MIB)
    while True:
        peer.send(frame, copy=False)


def floods(endpoint: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Send rubbish."""
    peers = [connected(endpoint, context) for _ in range(8)]
    while True:
        for peer in peers:
            peer.send(b"GET / HTTP/1.1")


def endless(endpoint: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Send frames of which none is the last."""
    peer, frame = connected(endpoint, context), bytes(MIB)
    while True:
        peer.send(frame, zmq.SNDMORE, copy=False)
        time.sleep(0.002)


def waits(_: str, __: zmq.Context[zmq.Socket[bytes]]) -> None:
    """Be there: what every other manner is compared with."""
    while True:
        time.sleep(1.0)


def connected(endpoint: str, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """A socket that keeps little back."""
    peer = context.socket(zmq.DEALER)
    peer.setsockopt(zmq.SNDHWM, 2)
    peer.connect(endpoint)
    return peer


MANNERS: dict[str, Callable[[str, zmq.Context[zmq.Socket[bytes]]], None]] = {
    "hellos": hellos,
    "crowd": crowd,
    "sockets": sockets,
    "large": large,
    "floods": floods,
    "endless": endless,
}

if __name__ == "__main__":
    manner, where = sys.argv[1:]
    with zmq.Context() as one:
        (MANNERS | {"waits": waits})[manner](where, one)
