"""Hostile producers: ``python -m fuzz.attackers ENDPOINT RECORDING SEED`` attacks until its input ends.

Of every three sessions two are let in: a correct hello, then what a producer says, replayed, mutated, or
neither. The others are strangers. None lies where nobody could know: a whole batch of the right size is never
sent.
"""

from __future__ import annotations

import select
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import msgpack
import zmq
from fuzz.recording import Recording
from fuzz.traffic import FORMAT, Frames, mutated, noise, with_fields, with_ids

from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import (
    VERSION,
    Heartbeat,
    Hello,
    Notice,
    Refuse,
    Session,
    Ticket,
    Welcome,
    new_id,
)
from feedline.errors import RemoteProtocolError

HELLO = Hello(VERSION, "hostile", "nowhere", 1, {})
WELCOME_MS, SEND_MS = 5000, 500

NEWER = 10_000
"""So many leases are not given to anybody while a message is on its way."""


class Attacker:
    """One session at a time, on one socket each."""

    def __init__(self, endpoint: str, recording: Recording, seed: int) -> None:
        self._endpoint, self._said = endpoint, recording.of_producer
        # Answers to leases that are over, and what is said unasked.
        self._harmless = [
            frames for frames in self._said if _tag(frames) in {"batch", "cancelled", "heartbeat"}
        ]
        self._draw = Random(seed)
        self._context = zmq.Context()
        self.num_sent = 0

    def attack(self) -> None:
        """One session more."""
        socket = self._context.socket(zmq.DEALER)
        # As fast as the pool takes it, or nearly so.
        socket.setsockopt(zmq.SNDHWM, 16)
        socket.setsockopt(zmq.SNDTIMEO, SEND_MS)
        socket.connect(self._endpoint)
        try:
            if self._draw.randrange(3):
                self._lie(socket)
            else:
                for _ in range(10):
                    self._send(socket, self._strange())
        finally:
            socket.close(linger=200)

    def close(self) -> None:
        """End it."""
        self._context.destroy(linger=0)

    def _strange(self) -> Frames:
        if self._draw.random() < 0.3:
            return noise(self._draw)
        return mutated(self._draw.choice(self._said), self._draw)

    def _lie(self, socket: zmq.Socket[bytes]) -> None:
        """Be let in, then speak as a producer would, but for some of it."""
        ids = Session(new_id())
        self._send(socket, encode(ids, HELLO))
        tickets: list[Ticket] = []
        share = self._draw.choice((0.003, 0.01, 0.03, 0.1, 0.5))
        for nth in range(self._draw.choice((50, 300, 900))):
            if nth % 8 == 0:
                ids, refused = self._hear(socket, ids, tickets)
                if refused or not ids.pool_id:
                    return
            self._send(socket, self._said_in(ids, tickets, share))

    def _hear(self, socket: zmq.Socket[bytes], ids: Session, tickets: list[Ticket]) -> tuple[Session, bool]:
        if not ids.pool_id:
            socket.poll(WELCOME_MS)
        with suppress(zmq.Again, RemoteProtocolError):
            while True:
                heard, message = decode(socket.recv_multipart(zmq.NOBLOCK))
                match message:
                    case Welcome():
                        ids = heard
                    case Ticket():
                        tickets.append(message)
                    case Refuse():
                        return ids, True
                    case _:
                        pass
        return ids, False

    def _said_in(self, ids: Session, tickets: list[Ticket], share: float) -> Frames:
        """A message of this session; a share of them is no replay that does no harm, so that it lasts."""
        lies = self._draw.random() < share
        if not lies and self._draw.random() < 0.3:
            held = tuple(ticket.lease_id for ticket in tickets[-4:])
            notice = Notice("x" * self._draw.randrange(9000), "y" * self._draw.randrange(9000))
            said = self._draw.choice((Heartbeat(held, "\x1b[31m"), Heartbeat(), notice))
            return encode(ids, said)
        said = self._draw.choice(self._said if lies else self._harmless)
        frames = with_ids(said, ids.producer_id, ids.pool_id)
        if not lies:
            return _found_out(frames, tickets)
        if tickets and self._draw.random() < 0.5:
            ticket = self._draw.choice(tickets)
            frames = with_fields(frames, lease_id=ticket.lease_id, job_id=ticket.job_id)
        if self._draw.random() < 0.8:
            frames = mutated(frames, self._draw)
        return _found_out(frames, tickets)

    def _send(self, socket: zmq.Socket[bytes], frames: Frames) -> None:
        with suppress(zmq.Again):
            socket.send_multipart(frames)
            self.num_sent += 1


def _tag(frames: Frames) -> str:
    tag: str = msgpack.unpackb(frames[0], **FORMAT)[0]
    return tag


def _found_out(frames: Frames, tickets: list[Ticket]) -> Frames:
    """The message; of a lease that it may have, a batch or failure that can be known for a lie."""
    try:
        tag, _, _, fields = msgpack.unpackb(frames[0], **FORMAT)
        lease_id: Any = fields.get("lease_id")
    except Exception:  # noqa: BLE001 - then it is found out anyway
        return frames
    if not isinstance(lease_id, int) or not _may_hold(lease_id, tickets):
        return frames
    if tag == "batch" and len(frames) > 1:
        return [frames[0], frames[1] + b"x", *frames[2:]]
    return with_fields(frames, path="none of it", kind="decode") if tag == "failure" else frames


def _may_hold(lease_id: int, tickets: list[Ticket]) -> bool:
    """Whether a lease is one of those that were heard of, or newer, so that its ticket may be on the way."""
    held = [ticket.lease_id for ticket in tickets]
    newest = max(held, default=-1)
    return lease_id in held or newest < lease_id < newest + NEWER


def main(endpoint: str, recording: str, seed: str) -> None:
    """Attack until the standard input ends; then say how often."""
    attacker = Attacker(endpoint, Recording.load(Path(recording)), int(seed))
    while not select.select([sys.stdin], [], [], 0)[0]:
        attacker.attack()
    print(attacker.num_sent)
    attacker.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
