"""The far ends of a pool without a socket: producers that say and hear, and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from feedline.common.batch.layout import ArraySpec
from feedline.common.job.images import Job
from feedline.common.processes.waker import Waker
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import (
    VERSION,
    Batch,
    Buffer,
    Failure,
    FailureKind,
    Hello,
    Message,
    Session,
    Ticket,
    Welcome,
    new_id,
)
from feedline.trainer.dispatch.dispatcher import Dispatcher
from feedline.trainer.plan.epochs import EpochPlan, StepKey
from feedline.trainer.pool.exchange import Exchange
from feedline.trainer.pool.handover.arenas import Arenas
from feedline.trainer.pool.handover.delivery import Delivery, Releases
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.roster import Roster
from feedline.trainer.pool.waiters import Waiter

POOL = b"p" * 16
NUM_STEPS = 6
FIRST = StepKey(0, 0)


def source(job_id: int = 1, num_rows: int = 2 * NUM_STEPS) -> JobSource:
    """A job of steps with two rows each, whose images are four bytes."""
    job = Job(job_id, 0, 2, ImageSpec(2, 2, "grayscale"), (), "uint8", (ArraySpec("y", (), "int64"),))
    paths = [f"{row}.png" for row in range(num_rows)]
    return JobSource(f"job {job_id}", job, EpochPlan(num_rows, 2), paths, (np.arange(num_rows),), 4)


@dataclass
class Producer:
    """The far end of a connection: says what a producer says, and reads what it is told."""

    pool: Pool
    name: str = "far/0"
    pid: int = 7
    ids: Session = field(default_factory=lambda: Session(new_id()))
    routing_id: bytes = field(default_factory=new_id)
    inbox: list[Message] = field(default_factory=list)
    is_connected: bool = True
    is_liar: bool = False

    def says(self, message: Message) -> None:
        """Send a message in its session."""
        self.says_frames(encode(self.ids, message))

    def says_frames(self, frames: Sequence[Buffer]) -> None:
        """Send anything."""
        self.pool.exchange.hear(self.routing_id, frames, self.pool.now)

    def joins(self, **hello: Any) -> Producer:
        """Say hello and be welcomed."""
        self.says(replace(Hello(VERSION, self.name, "far", self.pid, {"numpy": "2"}), **hello))
        assert isinstance(self.heard(Welcome)[0], Welcome)
        self.ids = replace(self.ids, pool_id=POOL)
        return self

    def gets(self, frames: Sequence[Buffer]) -> bool:
        """The pool sends something."""
        if self.is_connected:
            ids, message = decode(frames)
            assert self.is_liar or ids.producer_id in {self.ids.producer_id, b""}
            self.inbox.append(message)
        return self.is_connected

    def heard(self, kind: type[Message]) -> list[Any]:
        """Take the messages of a kind out of the inbox."""
        found = [message for message in self.inbox if isinstance(message, kind)]
        self.inbox = [message for message in self.inbox if not isinstance(message, kind)]
        return found

    def builds(self, ticket: Ticket) -> None:
        """Answer a ticket with the bytes a producer would make of it."""
        layout = source(ticket.job_id).job.layout(len(ticket.samples))
        data = np.zeros(layout.num_bytes, np.uint8)
        arrays = layout.views(data)
        arrays["x"][:] = np.array([sample.row for sample in ticket.samples]).reshape(-1, 1, 1, 1)
        arrays["y"][:] = np.frombuffer(ticket.targets[0], np.int64)
        self.says(Batch(ticket.job_id, ticket.lease_id, 1, data))

    def builds_all(self) -> None:
        """Answer tickets until there are no more."""
        while tickets := self.heard(Ticket):
            for ticket in tickets:
                self.builds(ticket)

    def fails(self, ticket: Ticket, kind: FailureKind = FailureKind.DECODE) -> None:
        """Answer a ticket with a failure."""
        path = ticket.samples[0].paths[0]
        self.says(Failure(ticket.job_id, ticket.lease_id, kind, path, "is half a file", "Traceback: ..."))


class Pool:
    """An exchange, its producers, and the clock."""

    def __init__(self, *, strict_versions: bool = False, own_pids: set[int] | None = None) -> None:
        self.now = 1000.0
        self.cut: set[bytes] = set()
        self.producers: list[Producer] = []
        self.welcomed: list[int] = []
        self.exchange = Exchange(
            Dispatcher(1 << 20, "Start a producer."),
            Roster(POOL, strict_versions),
            self._send,
            Releases(Waker()),
            self.welcomed.append,
            Arenas(share_memory=True),
            own_pids.__contains__ if own_pids else None,
        )

    def _send(self, routing_id: bytes, frames: list[Buffer]) -> bool:
        if routing_id in self.cut:
            return False
        (producer,) = [p for p in self.producers if p.routing_id == routing_id]
        return producer.gets(frames)

    def producer(self, name: str = "far/0", pid: int = 7) -> Producer:
        """Have another one connect."""
        self.producers.append(Producer(self, name, pid))
        return self.producers[-1]

    def opens(self, job_id: int = 1) -> None:
        """Make a sequence."""
        self.exchange.open_job(source(job_id), self.now)

    def asks(
        self, key: StepKey = FIRST, job_id: int = 1, timeout_s: float = 60.0, *, in_main_thread: bool = False
    ) -> Future[Delivery]:
        """Wait for a step."""
        waiter = Waiter(Future(), timeout_s, dealt_with_interrupts=in_main_thread)
        self.exchange.demand(job_id, key, waiter, self.now)
        return waiter.future

    def passes(self, seconds: float) -> None:
        """Let time pass, second by second, as the pool's thread does."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 1.0)
            self.exchange.tick(self.now)


def error_of(future: Future[Delivery]) -> BaseException:
    """What a wait ended with; it must have ended."""
    error = future.exception(timeout=0)
    assert error is not None
    return error


def rows_of(future: Future[Delivery]) -> list[int]:
    """Take the batch; the rows its pixels and its labels speak of."""
    arrays = future.result(timeout=0).arrays()
    assert arrays["x"].shape == (2, 2, 2, 1)
    assert arrays["x"][:, 0, 0, 0].tolist() == arrays["y"].tolist()
    return arrays["y"].tolist()
