"""What a producer and one trainer have told each other. Knows no socket, thread or clock.

::

    GREETING --welcome--> SERVING --goodbye--> ENDED
       ^  |                  |  +--what no trainer says--> ENDED, for a while
       |  +--refuse(version)-|---------------> ENDED
       +-------- silence, refuse(unknown-peer): a new session on a new socket

A session that begins anew shares nothing with the one before: new id, no jobs, no leases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from feedline.common.errors import RemoteProtocolError
from feedline.common.job.kinds import AnyJob, job_from_wire
from feedline.common.memory.arena import Arena
from feedline.common.wire.names import one_line, printable
from feedline.common.wire.protocol import (
    HEARTBEAT_S,
    LOST_AFTER_S,
    MAX_TEXT_CHARS,
    ArenaAnswer,
    Cancel,
    Cancelled,
    CloseJob,
    Failure,
    FailureKind,
    ForgetSlots,
    FromProducer,
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
    new_id,
)
from feedline.producer.serving.verification import (
    check_ticket,
    check_welcome,
    fault_of,
    memory_bytes,
    number_of_job,
    why_too_large,
)

MAX_LINE_CHARS = 2000
"""So much of what a trainer says is told or logged."""

GREETING_S = 5.0
"""A hello that is not answered for so long is said anew: whoever got it may have died of it."""


class Phase(Enum):
    """Where a conversation stands."""

    GREETING = "greeting"
    SERVING = "serving"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class KnownJob:
    """A job as this session knows it; forgotten with the session, or when it is closed.

    Attributes
    ----------
    job : AnyJob or str
        What to build; a string says why that cannot be done here.
    builder : TicketBuilder or None
        Kept here by the thread that builds, from its first ticket on.
    arena : Arena or None
        Offered to the trainer, or about to be.
    shared : bool
        The trainer has mapped it.
    checksums : bool
        Batches that go as frames are to have their sums.
    """

    job: AnyJob | str
    builder: Any = None
    arena: Arena | None = None
    shared: bool = False
    checksums: bool = False

    def forget(self, slots: Sequence[int]) -> None:
        """Memory of slots was given back, or is not needed now. No ticket in hand names one of them."""
        if self.arena is not None:
            self.arena.forget(slots)
        if self.builder is not None:
            self.builder.forget(slots)


@dataclass(slots=True, eq=False)
class Task:
    """A ticket in hand, queued or in work.

    Attributes
    ----------
    session : Session
        In which it was given: an answer to an earlier one is not sent.
    cancelled : bool
        Set by the thread that talks, read by the one that builds.
    came_at : float
        When the ticket was queued, in seconds of `time.monotonic`.
    """

    session: Session
    known: KnownJob
    ticket: Ticket
    cancelled: bool = False
    came_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message in the present session."""

    message: FromProducer


@dataclass(frozen=True, slots=True)
class MakeArena:
    """Make an arena of `num_slots` for a job, if there is memory for one, and offer it."""

    known: KnownJob
    num_slots: int


@dataclass(frozen=True, slots=True)
class Build:
    """Queue a task."""

    task: Task


@dataclass(frozen=True, slots=True)
class Restart:
    """Drop the socket and all that is in it, connect anew, then call `TrainerSession.restart`."""

    reason: str


@dataclass(frozen=True, slots=True)
class TurnAway:
    """The trainer said what no trainer says: tell it goodbye, and say hello anew only after a while."""

    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The conversation is over; `error` says why, when it was not the trainer's goodbye."""

    error: str = ""


Action: TypeAlias = Say | MakeArena | Build | Restart | TurnAway | End


@dataclass(slots=True)
class TrainerSession:
    """One producer's side of the conversation with one trainer.

    Attributes
    ----------
    hello : Hello
        What this producer is.
    ids : Session
        Its own id, and the pool's once welcomed.
    jobs : dict of int to KnownJob
        What the trainer told.
    tasks : dict of int to Task
        Leases not yet answered, by lease_id.
    memory_bytes : int
        What batches may take here at most.
    checksums : bool
        The trainer wants the sums of batches that go as frames.
    """

    hello: Hello
    memory_bytes: int = field(default_factory=memory_bytes)
    ids: Session = field(default_factory=lambda: Session(new_id()))
    phase: Phase = Phase.GREETING
    jobs: dict[int, KnownJob] = field(default_factory=dict)
    tasks: dict[int, Task] = field(default_factory=dict)
    checksums: bool = False
    said_hello_at: float | None = None
    heard_at: float = 0.0
    beat_at: float = 0.0

    def restart(self) -> None:
        """Begin anew, on a new socket."""
        for task in self.tasks.values():
            task.cancelled = True
        self.ids, self.phase, self.said_hello_at = Session(new_id()), Phase.GREETING, None
        self.jobs, self.tasks = {}, {}

    def tick(self, now: float, doing: str = "") -> list[Action]:
        """Time passed; `doing` is what is in work."""
        match self.phase:
            case Phase.GREETING:
                return self._greet(now)
            case Phase.SERVING if now - self.heard_at > LOST_AFTER_S:
                return [Restart(f"the trainer was silent for {LOST_AFTER_S:g} s")]
            case Phase.SERVING if now - self.beat_at >= HEARTBEAT_S:
                self.beat_at = now
                return [Say(Heartbeat(tuple(self.tasks), printable(doing)[:MAX_TEXT_CHARS]))]
            case _:
                return []

    def _greet(self, now: float) -> list[Action]:
        if self.said_hello_at is None:
            self.said_hello_at = now
            return [Say(self.hello)]
        if now - self.said_hello_at > GREETING_S:
            return [Restart("no answer to hello")]
        return []

    def heard(self, ids: Session, message: Message, now: float) -> Sequence[Action]:
        """A message came; what belongs to another session is ignored."""
        if ids.producer_id != self.ids.producer_id or self.phase is Phase.ENDED:
            return []
        self.heard_at = now
        match message:
            case Refuse(reason, text):
                told = f"refused: {one_line(text, MAX_LINE_CHARS)}"
                return [Restart(told)] if reason is Refusal.UNKNOWN_PEER else self._end(told)
            case Goodbye():
                return self._end("")
            case Heartbeat():
                return []
        try:
            return self._order(ids, message, now)
        except RemoteProtocolError as error:
            return self.turn_away(str(error))

    def turn_away(self, reason: str) -> Sequence[Action]:
        """The trainer said what no trainer says: forget all that it told."""
        if self.phase is Phase.ENDED:
            return []
        farewell = [Say(Goodbye(reason[:MAX_LINE_CHARS]))] if self.phase is Phase.SERVING else []
        ids = self.ids
        self.restart()
        # The farewell is of the session that ends.
        self.ids, self.phase = ids, Phase.ENDED
        return [*farewell, TurnAway(reason)]

    def _end(self, error: str) -> Sequence[Action]:
        self.restart()
        self.phase = Phase.ENDED
        return [End(error)]

    def _order(self, ids: Session, message: Message, now: float) -> Sequence[Action]:
        """Do as told. Raises RemoteProtocolError if a trainer never says such a thing."""
        if isinstance(message, Welcome) and self.phase is Phase.GREETING:
            check_welcome(ids)
            self.ids, self.phase, self.beat_at = ids, Phase.SERVING, now
            self.checksums = message.checksums
            return []
        if self.phase is not Phase.SERVING or ids != self.ids:
            raise RemoteProtocolError(f"{message.tag} where a welcome, or this session, was expected")
        actions: Sequence[Action] = []
        match message:
            case OpenJob():
                actions = self._open_job(message)
            case ArenaAnswer(job_id, nonce, attached):
                self._settle_arena(job_id, nonce, attached=attached)
            case ForgetSlots(job_id, slots):
                self._forget(job_id, slots)
            case CloseJob(job_id):
                self.jobs.pop(job_id, None)
            case Ticket():
                check_ticket(message, self.tasks, len(self.tasks))
                actions = [self._accept(message)]
            case Cancel(lease_id):
                actions = self._cancel(lease_id)
            case _:
                raise RemoteProtocolError(f"a trainer does not say {message.tag}")
        return actions

    def answered(self, task: Task) -> bool:
        """A task is done; whether its answer may still be sent."""
        return task.session == self.ids and self.tasks.pop(task.ticket.lease_id, None) is task

    def _open_job(self, message: OpenJob) -> Sequence[Action]:
        job_id = number_of_job(message, len(self.jobs.keys() - {message.job.get("job_id")}))
        usable = _usable(message.job, self.memory_bytes)
        known = self.jobs[job_id] = KnownJob(usable, checksums=self.checksums)
        return [] if isinstance(known.job, str) else [MakeArena(known, message.num_slots)]

    def _forget(self, job_id: int, slots: Sequence[int]) -> None:
        """Memory of slots was given back."""
        known = self.jobs.get(job_id)
        if known is None:
            return
        in_use = {task.ticket.slot for task in self.tasks.values() if task.known is known}
        if not in_use.isdisjoint(slots):
            raise RemoteProtocolError(
                f"memory of a slot of job {job_id} is gone, and a ticket in hand names it"
            )
        known.forget(slots)

    def _settle_arena(self, job_id: int, nonce: bytes, *, attached: bool) -> None:
        """The trainer has mapped the arena, or cannot: either way its name is not needed any more."""
        known = self.jobs.get(job_id)
        if known is None or known.arena is None or known.arena.nonce != nonce:
            return
        known.arena.unlink()
        known.shared = attached
        if not attached:
            known.arena = None

    def _accept(self, ticket: Ticket) -> Action:
        known = self.jobs.get(ticket.job_id)
        if known is None:
            return Say(JobUnknown(ticket.job_id, ticket.lease_id))
        job = known.job
        fault = job if isinstance(job, str) else fault_of(ticket, job, self.memory_bytes)
        if fault:
            files = printable(", ".join(ticket.samples[0].paths))[:MAX_LINE_CHARS] if ticket.samples else ""
            text = fault if isinstance(job, str) else f"the ticket does not fit its job: {fault}"
            return Say(Failure(ticket.job_id, ticket.lease_id, FailureKind.BUILD, files, text, ""))
        task = Task(self.ids, known, ticket)
        self.tasks[ticket.lease_id] = task
        return Build(task)

    def _cancel(self, lease_id: int) -> Sequence[Action]:
        """A lease in hand is answered when its slot is left alone; an unknown one at once."""
        task = self.tasks.get(lease_id)
        if task is None:
            return [Say(Cancelled(lease_id))]
        task.cancelled = True
        return []


def _usable(wire: Mapping[str, Any], limit_bytes: int) -> AnyJob | str:
    """The job that was told, or why none of its batches can be built here."""
    try:
        job = job_from_wire(wire)
        return why_too_large(job, limit_bytes) or job
    except RemoteProtocolError as error:
        return str(error)
