"""A real socket, and what its door makes of who connects."""

from __future__ import annotations

import socket

import zmq

from feedline.trainer.pool.door import Door
from feedline.trainer.pool.doorkeeper import SILENCE_S

MOST_MS = 60_000


def test_who_is_let_in_beside_a_stranger_is_none_however_late_the_door_is_attended() -> None:
    """While a stranger is there nobody looks at once who came; a hello may be read before."""
    with zmq.Context() as context:
        door = Door(context, "tcp://127.0.0.1:*", None, lambda *_: None, None)
        host, _, port = door.endpoint.removeprefix("tcp://").rpartition(":")
        with socket.create_connection((host, int(port))):
            assert door.guards[0].poll(MOST_MS)
            door.attend(0.0)
            assert not door.is_alone
            honest = context.socket(zmq.DEALER)
            honest.connect(door.endpoint)
            honest.send(b"hello")
            assert door.socket.poll(MOST_MS)
            frames = door.socket.recv_multipart(copy=False)
            door.catch_up(1.0)
            door.keeper.let_in(frames[0].bytes, frames[-1].get(zmq.SRCFD))
            door.attend(2.0)
            door.attend(SILENCE_S + 3.0)
            assert door.keeper.num_hung_up == 1
            door.socket.send_multipart([frames[0].bytes, b"still there"])
            assert honest.poll(MOST_MS)
            assert honest.recv() == b"still there"
            honest.close(linger=0)
        door.close(linger_ms=0)
