"""A bare ZeroMQ socket that moves the same buffers: what frames over TCP are measured by.

Run as ``python -P -m feedline.trainer.bench.sockets ENDPOINT BYTES`` it pushes until it is ended.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import zmq

from feedline.trainer.bench.runner import start_module

HIGH_WATER = 4
WARM_S = 0.3


def bare_gb_per_s(num_bytes: int, seconds: float) -> float:
    """Receive buffers from another process for a while; thousand million bytes a second."""
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        sender = start_module("feedline.trainer.bench.sockets", f"tcp://127.0.0.1:{port}", str(num_bytes))
        try:
            _received(socket, WARM_S)
            return _received(socket, seconds) / 1e9
        finally:
            sender.terminate()
            sender.communicate()


def _received(socket: zmq.Socket[bytes], seconds: float) -> float:
    socket.recv(copy=False)
    began, num_bytes = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        num_bytes += len(socket.recv(copy=False))
    return num_bytes / passed


def _push(endpoint: str, num_bytes: int) -> None:
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        socket.connect(endpoint)
        buffer = np.zeros(num_bytes, np.uint8)
        while True:
            socket.send(buffer.data, copy=False)


if __name__ == "__main__":
    _push(sys.argv[1], int(sys.argv[2]))
