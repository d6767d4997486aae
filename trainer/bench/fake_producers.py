"""Producers that decode nothing: many in one process, each with a socket of its own.

They speak the real protocol and answer every ticket at once, with a batch that holds the ticket's
targets and whatever else is in its slot. What a trainer takes to serve them is all that is measured.
Run as ``python -P -m feedline.trainer.bench.fake_producers``; they end with their trainer's goodbye.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from feedline.common.batch.layout import BatchLayout, empty_buffer
from feedline.common.job.kinds import AnyJob, job_from_wire
from feedline.common.keys.curve import connect_securely
from feedline.common.keys.files import ProducerKeys
from feedline.common.memory.arena import Arena, arena_name
from feedline.common.wire.checksums import checksum
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import (
    HEARTBEAT_S,
    VERSION,
    ArenaAnswer,
    ArenaOffer,
    Batch,
    FromProducer,
    Goodbye,
    Heartbeat,
    Hello,
    OpenJob,
    Session,
    Ticket,
    Welcome,
    new_id,
)

POLL_S = 0.2


@dataclass(slots=True, eq=False)
class FakeJob:
    """One job as one fake producer has it: memory for its slots, shared or not."""

    job: AnyJob
    num_slots: int
    arena: Arena | None = None
    shared: bool = False
    own: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict)

    def fill(self, ticket: Ticket) -> Any:
        """Put the targets into the slot; what a batch message is to carry."""
        slot = self._slot(ticket.slot)
        layout = BatchLayout(self.job.layout(1).specs, len(ticket.samples))
        for offset, values in zip(layout.offsets[1:], ticket.targets, strict=True):
            slot[offset : offset + len(values)] = np.frombuffer(values, np.uint8)
        return None if self.shared else slot[: layout.num_bytes]

    def _slot(self, index: int) -> npt.NDArray[np.uint8]:
        if index not in self.own:
            shared = self.arena.slot(index) if self.arena and self.shared else None
            self.own[index] = empty_buffer(self.job.slot_bytes) if shared is None else shared
        return self.own[index]


class FakeProducer:
    """One producer.

    Parameters
    ----------
    context : zmq.Context
        Of the process.
    endpoint : str
        Where the trainer listens.
    name : str
        For its log lines.
    keys : ProducerKeys, optional
        With which it encrypts.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        name: str,
        keys: ProducerKeys | None = None,
    ) -> None:
        self.ids = Session(new_id())
        self.ended = False
        self._jobs: dict[int, FakeJob] = {}
        self._adds_up = False
        self.socket = context.socket(zmq.DEALER)
        if keys is not None:
            connect_securely(self.socket, keys)
        self.socket.connect(endpoint)
        self.say(Hello(VERSION, name, "simulated", os.getpid(), {}))

    def say(self, message: FromProducer) -> None:
        """Send a message."""
        self.socket.send_multipart(encode(self.ids, message), zmq.NOBLOCK, copy=False)

    def hear(self) -> None:
        """Take in all there is, and answer it."""
        with suppress(zmq.Again):
            while True:
                self._answer(*decode(self.socket.recv_multipart(zmq.NOBLOCK)))

    def beat(self) -> None:
        """Say that it lives, once it was let in. It never holds a lease for long."""
        if self.ids.pool_id:
            self.say(Heartbeat())
        # What came while something was said makes no event any more.
        self.hear()

    def _answer(self, ids: Session, message: object) -> None:
        match message:
            case Ticket(job_id):
                data = self._jobs[job_id].fill(message)
                total = checksum(data) if self._adds_up and data is not None else b""
                self.say(Batch(job_id, message.lease_id, 0, data, checksum=total))
            case Welcome(checksums):
                self.ids, self._adds_up = ids, checksums
            case OpenJob(wire, num_slots):
                self._offer(FakeJob(job_from_wire(wire), num_slots))
            case ArenaAnswer(job_id, _, attached):
                self._settle(self._jobs[job_id], attached=attached)
            case Goodbye():
                self.ended = True
            case _:
                pass

    def _offer(self, fake: FakeJob) -> None:
        job_id = fake.job.job_id
        self._jobs[job_id] = fake
        name = arena_name(self.ids.pool_id, self.ids.producer_id, job_id)
        fake.arena = Arena(name, fake.job.slot_bytes, fake.num_slots)
        self.say(ArenaOffer(job_id, name, fake.arena.nonce, fake.job.slot_bytes, fake.num_slots))

    @staticmethod
    def _settle(fake: FakeJob, *, attached: bool) -> None:
        fake.own.clear()
        fake.shared = attached
        if fake.arena is not None:
            fake.arena.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the trainer says goodbye, or the process that started this one is gone."""
    parser = argparse.ArgumentParser("fake_producers")
    parser.add_argument("--connect", required=True)
    parser.add_argument("--num", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--keys")
    settings = parser.parse_args(arguments)
    keys = ProducerKeys.read(settings.keys) if settings.keys else None
    with zmq.Context() as context:
        context.set(zmq.MAX_SOCKETS, max(1024, 2 * settings.num))
        producers = [
            FakeProducer(context, settings.connect, f"{settings.name}.{i}", keys) for i in range(settings.num)
        ]
        try:
            _serve(producers)
        finally:
            for producer in producers:
                producer.socket.close(linger=0)
    return 0


def _serve(producers: list[FakeProducer]) -> None:
    """Answer whoever is spoken to, until all have ended.

    `zmq.Poller` asks every socket at every turn, which would take longer than all the answers. So the
    kernel is asked about the sockets' descriptors; they say only that something happened since a socket was
    last read to its end, and `FakeProducer.hear` reads to the end.
    """
    parent, beat_at = os.getppid(), 0.0
    by_descriptor = {producer.socket.fileno(): producer for producer in producers}
    with select.epoll() as epoll:
        for descriptor in by_descriptor:
            epoll.register(descriptor, select.EPOLLIN)
        while os.getppid() == parent and not all(producer.ended for producer in producers):
            for descriptor, _ in epoll.poll(POLL_S):
                by_descriptor[descriptor].hear()
            now = time.monotonic()
            if now - beat_at >= HEARTBEAT_S:
                beat_at = now
                for producer in producers:
                    producer.beat()


if __name__ == "__main__":
    sys.exit(main())
