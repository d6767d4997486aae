"""The pool without its socket: frames in, frames out, batches to whoever waits for them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from common.batch import ArraySpec
from common.errors import (
    BatchError,
    ClosedError,
    FeedlineError,
    InterruptedWaitError,
    RemoteProtocolError,
    StarvedError,
)
from common.image import ImageSpec
from common.job import Job
from common.protocol import (
    HEARTBEAT_S,
    LOST_AFTER_S,
    VERSION,
    Batch,
    Buffer,
    Cancel,
    Cancelled,
    CloseJob,
    Failure,
    FailureKind,
    Goodbye,
    Heartbeat,
    Hello,
    JobUnknown,
    Message,
    OpenJob,
    Refusal,
    Refuse,
    Session,
    Ticket,
    Welcome,
    decode,
    encode,
    new_id,
)
from common.waker import Waker
from trainer.delivery import Delivery, Releases
from trainer.dispatcher import Dispatcher
from trainer.exchange import INTERRUPT_S, Exchange
from trainer.jobs import JobSource
from trainer.plan import EpochPlan, StepKey
from trainer.roster import Roster
from trainer.waiters import Waiter

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
            assert ids.producer_id in {self.ids.producer_id, b""}
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

    def __init__(self, *, strict_versions: bool = False) -> None:
        self.now = 1000.0
        self.producers: list[Producer] = []
        self.welcomed: list[int] = []
        self.exchange = Exchange(
            Dispatcher(1 << 20, "Start a producer."),
            Roster(POOL, strict_versions),
            self._send,
            Releases(Waker()),
            self.welcomed.append,
        )

    def _send(self, routing_id: bytes, frames: list[Buffer]) -> bool:
        (producer,) = [p for p in self.producers if p.routing_id == routing_id]
        return producer.gets(frames)

    def producer(self, name: str = "far/0", pid: int = 7) -> Producer:
        """Have another one connect."""
        self.producers.append(Producer(self, name, pid))
        return self.producers[-1]

    def opens(self, job_id: int = 1) -> None:
        """Make a sequence."""
        self.exchange.open_job(source(job_id), self.now)

    def asks(self, key: StepKey = FIRST, job_id: int = 1, timeout_s: float = 60.0) -> Future[Delivery]:
        """Wait for a step."""
        future: Future[Delivery] = Future()
        self.exchange.demand(job_id, key, Waiter(future, timeout_s), self.now)
        return future

    def passes(self, seconds: float) -> None:
        """Let time pass, second by second, as the pool's thread does."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 1.0)
            self.exchange.tick(self.now)


@pytest.fixture
def pool() -> Pool:
    return Pool()


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


# --- batches ------------------------------------------------------------------------------------


def test_a_batch_travels_from_the_demand_to_the_arrays(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    (job,) = producer.heard(OpenJob)
    assert Job.from_wire(job.job) == source().job

    future = pool.asks(StepKey(0, 2))
    ticket = next(t for t in producer.heard(Ticket) if t.step == 2)
    assert [sample.paths for sample in ticket.samples] == [("4.png",), ("5.png",)]
    producer.builds(ticket)
    assert rows_of(future) == [4, 5]


def test_prefetched_batches_are_kept_until_asked_for(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    producer.builds_all()
    for step in range(NUM_STEPS):
        future = pool.asks(StepKey(0, step))
        pool.exchange.take_releases(pool.now)
        producer.builds_all()
        assert rows_of(future) == [2 * step, 2 * step + 1]


def test_two_threads_that_ask_for_the_same_step_get_arrays_of_their_own(pool: Pool) -> None:
    pool.opens()
    first, second = pool.asks(), pool.asks()
    pool.producer().joins().builds_all()
    arrays = [future.result(timeout=0).arrays() for future in (first, second)]
    assert [a["y"].tolist() for a in arrays] == [[0, 1], [0, 1]]
    assert not np.shares_memory(arrays[0]["x"], arrays[1]["x"])


def test_a_batch_of_the_wrong_size_is_an_error_and_the_step_can_be_asked_for_again(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()
    for ticket in producer.heard(Ticket):
        producer.says(Batch(1, ticket.lease_id, 1, b"short"))
    error = error_of(future)
    assert isinstance(error, RemoteProtocolError)
    assert "batch 0 of epoch 0 has 5 bytes instead of" in str(error)

    again = pool.asks()
    producer.builds_all()
    assert rows_of(again) == [0, 1]


def test_answers_to_no_lease_change_nothing(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()
    ticket = producer.heard(Ticket)[0]
    producer.says(Batch(1, 999, 1, b""))
    producer.says(Cancelled(999))
    producer.fails(replace(ticket, lease_id=999))
    producer.builds(ticket)
    producer.builds(ticket)
    producer.fails(ticket)
    assert rows_of(future) == [0, 1]


def test_a_producer_that_does_not_know_the_job_is_told_again(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()
    producer.heard(OpenJob)
    for ticket in producer.heard(Ticket):
        producer.says(JobUnknown(1, ticket.lease_id))
    assert producer.heard(OpenJob)
    producer.builds_all()
    assert rows_of(future) == [0, 1]


# --- failures -----------------------------------------------------------------------------------


def test_a_failure_names_file_producer_and_traceback(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer("far/3").joins()
    producer.fails(producer.heard(Ticket)[0])
    error = error_of(future)
    assert isinstance(error, BatchError)
    for part in ("batch 0 of epoch 0", "0.png", "is half a file", "far/3", "Traceback: ..."):
        assert part in str(error)


def test_a_step_that_failed_is_tried_again_when_it_is_asked_for_again(pool: Pool) -> None:
    pool.opens()
    producer = pool.producer().joins()
    error_of_first = pool.asks()
    producer.fails(producer.heard(Ticket)[0])
    assert isinstance(error_of(error_of_first), BatchError)
    again = pool.asks()
    producer.builds_all()
    assert rows_of(again) == [0, 1]


def test_a_ticket_that_cannot_be_sent_fails_its_step_and_nothing_else(pool: Pool) -> None:
    """A path that is no text at all: one odd file name must not end the training of others."""
    odd = source()
    paths = ["0.png", "\ud800.png", *odd.paths[2:]]
    pool.exchange.open_job(replace(odd, paths=paths), pool.now)
    producer = pool.producer().joins()
    bad, good = pool.asks(), pool.asks(StepKey(0, 1))
    producer.builds_all()
    assert isinstance(error_of(bad), BatchError)
    assert "ticket message that cannot be sent" in str(error_of(bad))
    assert rows_of(good) == [2, 3]


def test_a_wait_ends_when_its_time_is_up_and_says_what_to_start(pool: Pool) -> None:
    pool.opens()
    future = pool.asks(timeout_s=3.0)
    pool.passes(2.5)
    assert not future.done()
    pool.passes(1.0)
    error = error_of(future)
    assert isinstance(error, StarvedError)
    assert "no producer is connected. Start a producer." in str(error)


# --- who may talk -------------------------------------------------------------------------------


def test_a_producer_is_greeted_once_and_its_process_told(pool: Pool) -> None:
    producer = pool.producer(pid=123).joins()
    producer.says(Hello(VERSION, "far/0", "far", 123, {"numpy": "2"}))
    assert producer.heard(Welcome) == []
    assert pool.welcomed == [123]
    assert pool.exchange.producer_names == ["far/0"]


def test_another_version_is_refused_and_is_no_producer(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    producer = pool.producer()
    producer.says(Hello(VERSION + 1, "far/0", "far", 1, {}))
    (refusal,) = producer.heard(Refuse)
    assert refusal.reason is Refusal.VERSION
    assert pool.exchange.producer_names == []
    assert pool.welcomed == []
    assert "install the same version" in caplog.text


def test_a_mixture_of_libraries_is_logged_once(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    for numpy in ("2", "1", "1"):
        pool.producer().joins(libraries={"numpy": numpy})
    assert caplog.text.count("equal bytes are promised among equal versions only") == 1
    assert "numpy 1 instead of 2" in caplog.text


def test_strict_versions_refuses_a_mixture() -> None:
    pool = Pool(strict_versions=True)
    pool.producer().joins()
    other = pool.producer()
    other.says(Hello(VERSION, "other", "far", 1, {"numpy": "1"}))
    (refusal,) = other.heard(Refuse)
    assert refusal.reason is Refusal.MIXED_VERSIONS
    assert pool.exchange.producer_names == ["far/0"]


@pytest.mark.parametrize(
    "ids",
    [Session(b"a" * 16, POOL), Session(b"a" * 16, b"q" * 16), Session(b"a" * 16), Session(b"", b"")],
    ids=["this pool", "an earlier pool", "no pool", "no ids"],
)
def test_whoever_is_not_known_is_sent_away_and_changes_nothing(pool: Pool, ids: Session) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()
    ticket = producer.heard(Ticket)[0]
    stranger = pool.producer("stranger")
    stranger.ids = ids
    for message in (Batch(1, ticket.lease_id, 1, b"x"), Goodbye(), Heartbeat((1,)), Cancelled(ticket.lease_id)):
        stranger.says(message)
        (refusal,) = stranger.heard(Refuse)
        assert refusal.reason is Refusal.UNKNOWN_PEER
    assert not future.done()
    producer.builds(ticket)
    assert rows_of(future) == [0, 1]


def test_a_producer_of_an_earlier_run_is_sent_away_under_its_own_id(pool: Pool) -> None:
    producer = pool.producer().joins()
    producer.ids = replace(producer.ids, pool_id=b"q" * 16)
    producer.says(Heartbeat())
    (refusal,) = producer.heard(Refuse)
    assert refusal.reason is Refusal.UNKNOWN_PEER


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"GET / HTTP/1.1\r\n\r\n"],
        [b"\x93\x01\x02\x03"],
        [b"\xc1" * 100],
        [b""] * 50,
        encode(Session(b"a" * 16, POOL), Heartbeat((1,)))[:1] + [b"one more"],
    ],
    ids=["empty", "http", "other msgpack", "no msgpack", "many frames", "a frame too many"],
)
def test_a_strangers_garbage_is_answered_and_changes_nothing(pool: Pool, frames: list[bytes]) -> None:
    pool.opens()
    producer = pool.producer().joins()
    stranger = pool.producer("stranger")
    stranger.says_frames(frames)
    (refusal,) = stranger.heard(Refuse)
    assert refusal.reason is Refusal.BROKEN_MESSAGE
    assert pool.exchange.producer_names == [producer.name]
    future = pool.asks()
    producer.builds_all()
    assert rows_of(future) == [0, 1]


def test_what_only_a_trainer_says_is_ignored(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    producer = pool.producer().joins()
    producer.says(CloseJob(1))
    assert "producer far/0 said job-closed: ignored" in caplog.text
    assert pool.exchange.producer_names == ["far/0"]
