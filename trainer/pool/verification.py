"""What a producer may say. Nothing that it says is believed: all of it is compared with what it was given.

Every message passes here before anything is made of it, so that whatever comes after may rely on it: a lease
is one of this producer's and for the job that is named, a batch has exactly the bytes of its step, memory has
the name and the size that was asked for, a text fits into a line. What breaks a rule raises `BreachError`:
the producer is sent away, its leases go to others, and nobody who waits for a batch hears of it.

Answers to leases that are over are no breach: a network may be late, and repeat itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from feedline.common.errors import RemoteProtocolError
from feedline.common.memory.arena import NONCE_BYTES, arena_name
from feedline.common.stages import NUM_TIMES
from feedline.common.wire.checksums import checksum
from feedline.common.wire.names import one_line, printable
from feedline.common.wire.protocol import (
    ID_BYTES,
    VERSION,
    ArenaOffer,
    BadFile,
    Batch,
    Cancelled,
    Failure,
    FailureKind,
    Goodbye,
    Heartbeat,
    Hello,
    JobUnknown,
    Message,
    Notice,
    Session,
    Ticket,
)
from feedline.trainer.dispatch.dispatcher import Dispatcher
from feedline.trainer.dispatch.peers import Lease
from feedline.trainer.pool.job_source import JobSource

MAX_NAME_CHARS = 255
"""Of a producer's name, its host's, of one of its libraries and that one's version; and of a topic."""

MAX_LIBRARIES = 64
"""So many a hello may name."""

MAX_PID = (1 << 31) - 1
"""Of a process; Linux has fewer."""

MAX_LINE_CHARS = 2000
"""So much of what a producer says in a line is kept."""

MAX_LISTED = 1 << 14
"""A heartbeat lists no more leases: nobody holds so many."""

MAX_US = 1 << 50
"""Thirty years, in microseconds: no batch took longer."""

MAX_UNKNOWN = 64
"""A producer that was told of a job knows it. So often it may say that it does not."""

BURST, UNASKED_PER_S = 1000, 100.0
"""What a producer may say that answers no lease of its: at once, and in the long run a second.

It has heartbeats, memory to offer, and warnings. After a pause of the trainer, some hundreds come at once.
"""


class Breach(StrEnum):
    """The rules, by what `ProducerPool.stats` counts breaches as."""

    UNREADABLE = "unreadable"
    """It is no message of this protocol."""

    VERSION = "version"
    """It is of another version."""

    LIBRARIES = "mixed-versions"
    """Its libraries are not those of the first producer, and ``strict_versions`` was asked for."""

    STRANGER = "unknown-peer"
    """It was not let in, or in an earlier run: it has to say hello first."""

    KEY = "key"
    """It has no key, or one that is not on the list, or another than in the session that it speaks in."""

    IDENTITY = "identity"
    """A hello with a name, an id or numbers that nobody has; or of a process that is not the pool's own."""

    CONNECTION = "connection"
    """It speaks for a producer that is there, over another connection."""

    DIRECTION = "direction"
    """It says what only a trainer says."""

    LEASE = "lease"
    """It answers what nobody was asked, gives up what it was not told to give up, or names another job."""

    SIZE = "size"
    """A batch does not have the bytes of its step."""

    MEMORY = "memory"
    """It offers memory that nobody asked for, or leaves a batch in memory that is not there."""

    CHECKSUM = "checksum"
    """A batch has other bytes than were built."""

    CONTENT = "content"
    """A batch that says itself what is in it does not."""

    PATH = "path"
    """A failure names a file that is none of the batch."""

    NUMBERS = "numbers"
    """A number, or how many there are, is out of all range."""

    FLOOD = "flood"
    """It says far more than it was asked."""


class BreachError(RemoteProtocolError):
    """A producer broke a rule.

    Parameters
    ----------
    breach : Breach
        Which.
    text : str
        What came and what was expected; it is told to who sent it, too.
    """

    def __init__(self, breach: Breach, text: str) -> None:
        super().__init__(text)
        self.breach = breach


@dataclass(slots=True)
class Allowance:
    """What a producer may still say unasked: so much at once, and some more every second.

    Attributes
    ----------
    left : float
        Messages, at the time `at`.
    num_unknown : int
        Jobs that it did not know.
    """

    left: float = float(BURST)
    at: float = 0.0
    num_unknown: int = 0

    def spend(self, now: float) -> None:
        """One message. Raises BreachError if there were too many."""
        self.left = min(float(BURST), self.left + (now - self.at) * UNASKED_PER_S) - 1
        self.at = now
        if self.left < 0:
            raise BreachError(
                Breach.FLOOD,
                f"it says more than {UNASKED_PER_S:g} messages a second that answer no ticket of its",
            )

    def forgot_job(self) -> None:
        """It was told of a job and does not know it. Raises BreachError if it forgets all the time."""
        self.num_unknown += 1
        if self.num_unknown > MAX_UNKNOWN:
            raise BreachError(Breach.FLOOD, f"it did not know jobs it was told of {self.num_unknown} times")


def checked_hello(ids: Session, hello: Hello) -> Hello:
    """A hello that somebody may have said. One of another version is none of ours to judge.

    Raises
    ------
    BreachError
        Names of no length, of absurd length or with characters that no name has; numbers out of range.
    """
    if hello.version != VERSION:
        return hello
    if len(ids.producer_id) != ID_BYTES or ids.pool_id:
        raise BreachError(Breach.IDENTITY, f"a hello comes under {ID_BYTES} bytes of its sender's own")
    libraries = [text for pair in hello.libraries.items() for text in pair]
    for text in (hello.name, hello.host, *libraries):
        _check_name(text)
    if not hello.name or len(hello.libraries) > MAX_LIBRARIES or not 0 < hello.pid <= MAX_PID:
        raise BreachError(
            Breach.IDENTITY,
            f"a producer has a name, a process id up to {MAX_PID} and up to {MAX_LIBRARIES} libraries, got"
            f" {hello.name!r:.80}, {hello.pid} and {len(hello.libraries)}",
        )
    return hello


def _check_name(text: str) -> None:
    if len(text) > MAX_NAME_CHARS or one_line(text, MAX_NAME_CHARS) != text:
        raise BreachError(
            Breach.IDENTITY, f"a name has up to {MAX_NAME_CHARS} characters, all printable, got {text!r:.80}"
        )


@dataclass(slots=True)
class Verifier:
    """Compares what producers say with what they were given. Used by the pool's thread alone.

    Attributes
    ----------
    dispatcher : Dispatcher
        Knows the leases.
    jobs : mapping of int to JobSource
        The open ones, by job_id.
    shares_memory : callable
        (producer_id, job_id) -> whether there is memory that both see, all of it.
    checksums : bool
        Batches that come with their bytes come with the sum of them.
    """

    dispatcher: Dispatcher
    jobs: Mapping[int, JobSource]
    shares_memory: Callable[[bytes, int], bool]
    checksums: bool = False
    _allowances: dict[bytes, Allowance] = field(default_factory=dict)

    def forget(self, producer_id: bytes) -> None:
        """A producer is gone."""
        self._allowances.pop(producer_id, None)

    def checked(self, session: Session, message: Message, now: float) -> Message:
        """The message, with texts that fit into a log.

        Raises
        ------
        BreachError
            A producer never says such a thing.
        """
        lease = self._lease_of(session.producer_id, message)
        allowance = self._allowances.setdefault(session.producer_id, Allowance(at=now))
        if lease is None:
            allowance.spend(now)
        match message:
            case Batch() if lease is not None:
                self._check_batch(session.producer_id, message, lease)
            case Failure():
                return self._checked_failure(message, lease)
            case Cancelled() if lease is not None and not lease.void:
                raise BreachError(Breach.LEASE, f"it gave up lease {message.lease_id}, which is wanted")
            case ArenaOffer():
                self._check_offer(session, message)
            case Heartbeat(leases, doing):
                _check_range("leases", len(leases), MAX_LISTED)
                return replace(message, doing=one_line(doing, MAX_LINE_CHARS))
            case Notice() | Goodbye():
                return _in_a_line(message)
            case JobUnknown():
                allowance.forgot_job()
            case Batch() | Cancelled():
                pass
            case _:
                raise BreachError(Breach.DIRECTION, f"only a trainer says {message.tag}")
        return message

    def _lease_of(self, producer_id: bytes, message: Message) -> Lease | None:
        """The lease that a message answers; None if it answers none, or one that is over."""
        if not isinstance(message, Batch | Failure | Cancelled | JobUnknown):
            return None
        lease = self.dispatcher.lease_of(producer_id, message.lease_id)
        if lease is None:
            if message.lease_id >= self.dispatcher.next_lease_id:
                raise BreachError(Breach.LEASE, f"nobody was ever given a lease {message.lease_id}")
            return None
        job_id = getattr(message, "job_id", lease.slot.job_id)
        if job_id != lease.slot.job_id:
            raise BreachError(
                Breach.LEASE, f"lease {lease.lease_id} is for job {lease.slot.job_id}, and not for {job_id}"
            )
        return lease

    def _check_batch(self, producer_id: bytes, batch: Batch, lease: Lease) -> None:
        for number in (batch.build_us, len(batch.stages_us), *batch.stages_us):
            _check_range("a time in microseconds", number, MAX_US)
        if len(batch.stages_us) > NUM_TIMES:
            raise BreachError(Breach.NUMBERS, f"a batch has {NUM_TIMES} times, got {len(batch.stages_us)}")
        source = self.jobs.get(lease.slot.job_id)
        if source is None:
            # Its job was closed meanwhile: nobody looks into it.
            return
        if batch.data is None:
            if not self.shares_memory(producer_id, lease.slot.job_id):
                raise BreachError(
                    Breach.MEMORY,
                    f"{lease.key} came without bytes, and no memory is shared, or it was cut",
                )
            return
        got, expected = memoryview(batch.data).nbytes, _bytes_of(source, lease)
        if expected is not None and got != expected:
            raise BreachError(Breach.SIZE, f"{lease.key} has {got} bytes instead of {expected}")
        if self.checksums and checksum(batch.data) != batch.checksum:
            raise BreachError(
                Breach.CHECKSUM,
                f"the bytes of {lease.key} are not those that were built: their checksum is wrong",
            )

    def _checked_failure(self, failure: Failure, lease: Lease | None) -> Failure:
        source = None if lease is None else self.jobs.get(lease.slot.job_id)
        if source is not None and lease is not None and failure.kind is not FailureKind.BUILD:
            ticket = source.ticket(lease.lease_id, lease.key, lease.slot.index, lease.lineup)
            paths = {printable(path) for sample in ticket.samples for path in sample.paths}
            if failure.path not in paths:
                raise BreachError(Breach.PATH, f"{failure.path!r:.200} is no file of {lease.key}")
            for bad in failure.bad_files:
                _check_bad_file(bad, ticket)
        bad_files = tuple(
            bad._replace(reason=one_line(bad.reason, MAX_LINE_CHARS)) for bad in failure.bad_files
        )
        return replace(
            failure,
            path=one_line(failure.path, MAX_LINE_CHARS),
            text=printable(failure.text),
            traceback=printable(failure.traceback),
            bad_files=bad_files,
        )

    def _check_offer(self, session: Session, offer: ArenaOffer) -> None:
        """Memory has the name and the size that follow from what the producer was told of the job."""
        source = self.jobs.get(offer.job_id)
        if source is None:
            # It was closed meanwhile, and the offer is declined.
            return
        name = arena_name(session.pool_id, session.producer_id, offer.job_id)
        got: tuple[Any, ...] = (offer.name, len(offer.nonce), offer.slot_bytes, offer.num_slots)
        expected = (name, NONCE_BYTES, source.job.slot_bytes, source.max_slots)
        if got != expected:
            raise BreachError(
                Breach.MEMORY,
                "memory is offered with (name, bytes of its nonce, bytes of a slot, slots) ="
                f" {got!r:.300} instead of {expected!r}",
            )


def _in_a_line(said: Notice | Goodbye) -> Notice | Goodbye:
    text = one_line(said.text, MAX_LINE_CHARS)
    return Goodbye(text) if isinstance(said, Goodbye) else Notice(text, one_line(said.topic, MAX_NAME_CHARS))


def _bytes_of(source: JobSource, lease: Lease) -> int | None:
    """The bytes of what was ordered; None if that cannot be told, which is told when it is delivered."""
    if lease.lineup is None:
        return None
    try:
        return source.layout(lease.key, len(lease.lineup)).num_bytes
    except Exception:  # noqa: BLE001 - a plan of somebody's may raise anything, and no producer is to blame
        return None


def _check_bad_file(bad: BadFile, ticket: Ticket) -> None:
    """A producer calls files bad that it was given, each of them once at most."""
    if not 0 <= bad.sample < len(ticket.samples) or not 0 <= bad.file < len(ticket.samples[bad.sample].paths):
        raise BreachError(Breach.PATH, f"there is no file {bad.file} of sample {bad.sample} in that batch")
    if bad.kind is FailureKind.BUILD:
        raise BreachError(Breach.PATH, "a file is bad because it cannot be read or decoded, not built")


def _check_range(what: str, number: int, limit: int) -> None:
    if number > limit:
        raise BreachError(Breach.NUMBERS, f"{what}: {number:.4g} is more than {limit}")
