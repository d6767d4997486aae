"""Fuzzing of a live producer: ``PYTHONPATH=integration python -m fuzz.producer --seconds 60`` in ``tests``.

A hostile trainer lets it in and says all that `traffic` can think of; an honest one, which it serves, too,
takes epoch after epoch meanwhile. Each of these must come whole, and the producer must stay as it was.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import zmq
from fuzz.gauge import Gauge, Limits
from fuzz.recording import BATCH, NUM_ROWS, Recording, check_rows, record
from fuzz.traffic import Frames, mutated, noise, with_fields, with_ids
from integration.bare_trainer import BareTrainer

from feedline import ProducerPool
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import Goodbye, Heartbeat, Hello, Session, Welcome, new_id
from feedline.errors import RemoteProtocolError

MESSAGES_AN_EPOCH = 2000
HELLO_MS = 10_000


@dataclass
class HostileTrainer:
    """Listens, says welcome to whoever says hello, and then anything.

    Attributes
    ----------
    num, num_let_in : int
        Messages sent; those in a session that the producer had been welcomed to.
    heard : Counter of str
        What the producer said.
    """

    recording: Recording
    draw: Random
    num: int = 0
    num_let_in: int = 0
    heard: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Listen."""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.bind("tcp://127.0.0.1:*")
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._route, self._ids = b"", Session(b"")
        self._lease_id = 1 << 20

    def attack(self, num: int) -> None:
        """Say so much, in as many sessions as it takes."""
        until = self.num + num
        while self.num < until:
            self._hear(0 if self._ids.pool_id else HELLO_MS)
            share = self.draw.choice((0.003, 0.01, 0.1, 0.5))
            for _ in range(self.draw.choice((20, 100, 200))):
                self._say(self._said(share))

    def close(self) -> None:
        """End it."""
        self._context.destroy(linger=0)

    def _hear(self, patience_ms: int) -> None:
        """Take in what was said, and welcome whoever says hello."""
        self._socket.poll(patience_ms)
        with suppress(zmq.Again):
            while True:
                route, *frames = self._socket.recv_multipart(zmq.NOBLOCK)
                ids, message = decode(frames)
                self.heard[message.tag] += 1
                if isinstance(message, Hello):
                    self._route, self._ids = route, Session(ids.producer_id, new_id())
                    self._say(encode(self._ids, Welcome()))
                    self._say_job()
                elif isinstance(message, Goodbye):
                    self._ids = Session(b"")
                    self._hear(HELLO_MS)
                    return

    def _say_job(self) -> None:
        job = next(frames for frames in self.recording.of_trainer if _is(frames, "job"))
        self._say(with_ids(job, self._ids.producer_id, self._ids.pool_id))

    def _said(self, share: float) -> Frames:
        """Something: a share of it nobody would say."""
        if self.draw.random() < share * 0.1:
            return noise(self.draw)
        frames = self.draw.choice(self.recording.of_trainer)
        frames = with_ids(frames, self._ids.producer_id, self._ids.pool_id)
        if self.draw.random() < share:
            return mutated(frames, self.draw)
        tag = decode(frames)[1].tag
        if tag in {"welcome", "job-closed", "goodbye", "slots-gone"}:
            return encode(self._ids, Heartbeat())
        self._lease_id += 1
        return with_fields(frames, lease_id=self._lease_id)

    def _say(self, frames: Frames) -> None:
        with suppress(zmq.Again):
            self._socket.send_multipart([self._route, *frames], zmq.NOBLOCK)
            self.num += 1
            self.num_let_in += bool(self._ids.pool_id)


def _is(frames: Frames, tag: str) -> bool:
    with suppress(RemoteProtocolError):
        return decode(frames)[1].tag == tag
    return False


def fuzz(limits: Limits) -> str:
    """Attack a producer, and have it serve somebody else meanwhile."""
    num_epochs, gauge = 0, Gauge()
    with tempfile.TemporaryDirectory() as name, ProducerPool("tcp://127.0.0.1:*") as pool:
        folder = Path(name)
        hostile = HostileTrainer(record(folder), Random(limits.seed))
        command = [sys.executable, "-m", "fuzz.hasty_producer", "--data-root", name, "--name", "victim"]
        command += ["--connect", pool.endpoint, "--connect", hostile.endpoint]
        producer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        gauge.pid = producer.pid
        try:
            names = [f"{row:04}.png" for row in range(NUM_ROWS)]
            trainer = BareTrainer(pool, folder, names, batch_size=BATCH)
            until = time.monotonic() + limits.seconds
            while time.monotonic() < until and hostile.num < limits.messages:
                for step in range(trainer.num_steps):
                    check_rows(trainer.fetch_arrays(step, num_epochs, timeout_s=120.0), step)
                num_epochs += 1
                gauge.look()
                hostile.attack(MESSAGES_AN_EPOCH)
                assert producer.poll() is None, "the producer ended"
        finally:
            producer.terminate()
            producer.wait()
            hostile.close()
    return (
        f"{hostile.num:,} messages, {hostile.num_let_in:,} of them in sessions of the producer's;"
        f" {num_epochs} epochs meanwhile, all whole\n{gauge}\nheard: {dict(hostile.heard)}"
    )


if __name__ == "__main__":
    print(fuzz(Limits.of_command()))
