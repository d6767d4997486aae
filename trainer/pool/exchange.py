"""Between the socket and the dispatcher: messages from producers and calls of consumers become events.

What the dispatcher makes of them is carried out by `feedline.trainer.pool.performer`. Everything here runs in
the pool's thread. It knows no socket: frames come in as lists of buffers and go out through a function.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from enum import Enum

from feedline.common.errors import ClosedError, FeedlineError, InterruptedWaitError, RemoteProtocolError
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import (
    HEARTBEAT_S,
    ArenaAnswer,
    ArenaOffer,
    Batch,
    Buffer,
    Cancelled,
    Failure,
    Goodbye,
    Heartbeat,
    Hello,
    JobUnknown,
    Message,
    Notice,
    Refusal,
    Refuse,
    Session,
    Welcome,
    new_id,
)
from feedline.trainer.dispatch.dispatcher import Dispatcher
from feedline.trainer.dispatch.standings import Standings
from feedline.trainer.dispatch.works import Opening
from feedline.trainer.monitor.facts import EventKind
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.handover.arenas import Arenas
from feedline.trainer.pool.handover.delivery import Delivery, Releases
from feedline.trainer.pool.handover.shelf import Shelf
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.performer import Performer, opening
from feedline.trainer.pool.post import Post
from feedline.trainer.pool.refusals import Refusals
from feedline.trainer.pool.roster import Connection, Roster
from feedline.trainer.pool.stats import ProducerStats
from feedline.trainer.pool.verification import Breach, BreachError, Verifier, checked_hello
from feedline.trainer.pool.waiters import Waiter

logger = logging.getLogger(__name__)

TICK_S = 0.1
"""Deadlines are looked at no more often than this: there are seconds in all of them."""

INTERRUPT_S = 1.0
"""Waits that begin so soon after a Ctrl-C end at once, as those do that it met."""

INTERRUPTED = "Ctrl-C ended the wait for a batch"

REFUSALS = {
    Breach.VERSION: Refusal.VERSION,
    Breach.LIBRARIES: Refusal.MIXED_VERSIONS,
    Breach.STRANGER: Refusal.UNKNOWN_PEER,
    # Whoever is honest begins anew, over a connection that is nobody else's.
    Breach.CONNECTION: Refusal.UNKNOWN_PEER,
}
"""How a breach is told; any other as `Refusal.BROKEN_MESSAGE`."""


class Standing(Enum):
    """Who is at the other end of a connection, by what it just said."""

    LET_IN = "let in"
    """A producer that was a stranger until now."""

    KNOWN = "known"
    """A producer that was let in before."""

    STRANGER = "stranger"
    """Somebody whose message was refused."""

    TIRESOME = "tiresome"
    """Somebody who goes on though nothing it says is looked at: it can be hung up on."""


class Exchange:
    """All that a pool knows and does, but for its socket and its processes.

    Parameters
    ----------
    dispatcher : Dispatcher
        Decides.
    roster : Roster
        Knows who is there.
    send : callable
        (routing_id, frames) -> whether somebody is there to get them.
    releases : Releases
        Where consumers give slots back.
    on_welcome : callable
        Told the process id of each producer that is let in.
    arenas : Arenas
        Memory that producers share.
    may_join : callable
        Whether the producer of a process id may be let in; None if all may. A pool that starts its producers
        itself has no others, and is told when one of them ends.
    checksums : bool
        Batches that come as frames have their sums.

    Attributes
    ----------
    shelves : Shelves
        Where consumers find batches without asking.
    refusals : Refusals
        Who was sent away.
    chronicle : Chronicle
        What has happened to producers and batches.
    doom : FeedlineError or None
        Why no batch will ever come again, until something is done about it.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        roster: Roster,
        send: Callable[[bytes, list[Buffer]], bool],
        releases: Releases,
        on_welcome: Callable[[int], None],
        arenas: Arenas,
        may_join: Callable[[int], bool] | None = None,
        *,
        checksums: bool = False,
    ) -> None:
        self._dispatcher = dispatcher
        self._roster = roster
        self._post = Post(roster, send)
        self._releases = releases
        self._on_welcome = on_welcome
        self._arenas = arenas
        self._checksums = checksums
        self._performer = Performer(dispatcher, self._post, releases, arenas)
        self._jobs, self._waiters = self._performer.jobs, self._performer.waiters
        self._may_join = may_join
        self._verifier = Verifier(dispatcher, self._jobs, arenas.has_whole, checksums)
        self.refusals, self.chronicle = Refusals(), self._performer.chronicle
        self.shelves = self._performer.shelves
        self._act = self._performer.perform
        self._beat_at, self._ticked_at = 0.0, -TICK_S
        self._interrupted_until = 0.0
        self.doom: FeedlineError | None = None

    @property
    def producer_names(self) -> list[str]:
        """Names of the producers that are there."""
        return [connection.hello.name for connection in self._roster.connections.values()]

    @property
    def producer_stats(self) -> tuple[ProducerStats, ...]:
        """What each producer that is there has done so far."""
        able = self._dispatcher.able_ids
        return tuple(
            replace(connection.stats, is_able=producer_id in able)
            for producer_id, connection in self._roster.connections.items()
        )

    @property
    def standings(self) -> Standings:
        """Where everybody stands."""
        return self._dispatcher.standings

    @property
    def producer_ids(self) -> tuple[bytes, ...]:
        """Of those that are there, in the order of `producer_stats`."""
        return tuple(self._roster.connections)

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for a batch."""
        return bool(self._waiters.steps())

    @property
    def num_idle(self) -> int:
        """How many of the producers have no slots: there is no memory for their batches."""
        return self._dispatcher.num_idle

    @property
    def short_s(self) -> float:
        """See `Dispatcher.short_s`."""
        return self._dispatcher.short_s

    @property
    def num_producers(self) -> int:
        """How many are there. From any thread."""
        return len(self._roster.connections)

    @property
    def budget_bytes(self) -> int:
        """What all slots may take."""
        return self._dispatcher.budget_bytes

    # --- from consumers -----------------------------------------------------------------------

    def open_job(self, source: JobSource, now: float) -> None:
        """A sequence was made. Raises what `Dispatcher.job_opened` does, or LocalProtocolError.

        What producers would not understand is found out here, where it is its maker's to deal with.
        """
        job = source.job
        encode(Session(new_id(), new_id()), opening(source))
        facts = Opening(
            job.job_id,
            source.name,
            source.plan.num_steps,
            source.need,
            source.samples_of,
            usual_s=source.usual_s,
            prefetches=source.prefetches,
            first_slots=source.first_slots,
            bad=source.bad,
        )
        instructions = self._dispatcher.job_opened(facts, now)
        self._jobs[job.job_id] = source
        self.shelves[job.job_id] = Shelf(source.plan.num_steps)
        self._act(instructions, now)

    def set_budget(self, budget_bytes: int, now: float) -> None:
        """The memory budget changed."""
        self._act(self._dispatcher.budget_changed(budget_bytes, now), now)

    def close_job(self, job_id: int, error: FeedlineError, now: float) -> None:
        """A sequence was closed: whoever still waits for one of its batches gets `error`."""
        for _, key in self._waiters.steps(of_job=lambda job: job == job_id):
            self._waiters.refuse(job_id, key, error)
        self._act(self._dispatcher.job_closed(job_id, now), now)
        self._arenas.drop_job(job_id)
        self._arenas.let_go(self._dispatcher.has_slots)
        if self._jobs.pop(job_id, None) is not None:
            self.shelves.pop(job_id).clear()

    def comes_by_itself(self, job_id: int, key: StepKey) -> bool:
        """Whether all that a demand could do is done, and an answer will wake the pool's thread.

        From any thread, after the demand was posted.
        """
        shelf = self.shelves.get(job_id)
        return shelf is not None and shelf.is_read_in_order and self._dispatcher.is_leased(job_id, key)

    def demand(self, job_id: int, key: StepKey, waiter: Waiter, now: float) -> None:
        """Somebody waits for a step; the waiter's future gets it, or the reason why not."""
        if job_id not in self._jobs or self.doom is not None:
            waiter.refuse(self.doom or ClosedError("the sequence is closed"))
            return
        if waiter.dealt_with_interrupts:
            self._interrupted_until = 0.0
        self._performer.wait(job_id, key, waiter, now)
        if now < self._interrupted_until and (job_id, key) in self._waiters:
            self._waiters.refuse(job_id, key, InterruptedWaitError(INTERRUPTED))
            self._act(self._dispatcher.withdrawn(job_id, key, now), now)

    def taken(self, job_id: int, key: StepKey, now: float) -> None:
        """Somebody took a step from its job's shelf."""
        self.shelves.taken(job_id, key)
        self._dispatcher.was_read(job_id, now)

    def withdraw(self, job_id: int, key: StepKey, future: Future[Delivery], now: float) -> None:
        """Somebody does not wait for a step any more."""
        if self._waiters.drop(job_id, key, future):
            self._act(self._dispatcher.withdrawn(job_id, key, now), now)

    def withdraw_all(self, error: FeedlineError, now: float) -> None:
        """End all waits with `error`."""
        steps = self._waiters.steps()
        for job_id, key in steps:
            self._waiters.refuse(job_id, key, error)
        for job_id, key in steps:
            self._act(self._dispatcher.withdrawn(job_id, key, now), now)

    def interrupt(self, now: float) -> None:
        """Ctrl-C: end all waits, and those that begin in the next moment."""
        self._interrupted_until = now + INTERRUPT_S
        self.withdraw_all(InterruptedWaitError(INTERRUPTED), now)

    def expect(self, job_id: int, keys: Iterable[StepKey], now: float) -> None:
        """Delivered steps will be asked for again."""
        self._act(self._dispatcher.expected(job_id, keys, now), now)

    def move_to(self, job_id: int, key: StepKey, now: float) -> None:
        """Another step than the next comes next."""
        if job_id in self._jobs:
            self.shelves[job_id].clear()
            self._act(self._dispatcher.moved(job_id, key, now), now)

    def take_releases(self, now: float) -> None:
        """Slots came back from consumers."""
        for slot in self._releases.take():
            self._act(self._dispatcher.slot_released(slot, now), now)

    def wants_releases(self) -> bool:
        """Say whether slots that come back are waited for; returns whether some came meanwhile."""
        return self._releases.are_wanted(wanted=self._dispatcher.wants_slots)

    # --- from producers -----------------------------------------------------------------------

    def hear(self, routing_id: bytes, frames: Sequence[Buffer], now: float, key: str = "") -> Standing:
        """A message came, from whoever has proved to have the key, where keys are asked for; who says so."""
        ignored = self.refusals.ignored(routing_id, now)
        if ignored is not None:
            return Standing.TIRESOME if ignored.goes_on(now) else Standing.STRANGER
        ids = Session(b"", b"")
        try:
            ids, message = _read(frames)
            if isinstance(message, Hello):
                self._greet(routing_id, ids, checked_hello(ids, message), now, key)
                return Standing.LET_IN
            connection = self._speaker(routing_id, ids, message, key)
            message = self._verifier.checked(connection.session, message, now)
        except BreachError as error:
            self._send_away(routing_id, ids, error, now)
            num_bytes = sum(memoryview(frame).nbytes for frame in frames)
            self.refusals.weigh(routing_id, num_bytes, error.breach)
            return Standing.STRANGER
        self._dispatcher.heard(ids.producer_id, now)
        self._understand(connection, message, now)
        return Standing.KNOWN

    def disown(self, producer_id: bytes, text: str, now: float) -> None:
        """A batch of a producer turned out to be none when it was opened."""
        connection = self._roster.connections.get(producer_id)
        if connection is not None:
            error = BreachError(Breach.CONTENT, text)
            self._send_away(connection.routing_id, connection.session, error, now)

    def lost(self, producer_id: bytes, last_words: str, now: float, *, by_itself: bool = False) -> None:
        """A producer is gone."""
        connection = self._roster.drop(producer_id)
        if connection is not None:
            self._verifier.forget(producer_id)
            self._arenas.drop_producer(producer_id)
            # It costs time when others have to begin anew with what it had in hand.
            level = logging.INFO if by_itself else logging.WARNING
            text = f"producer {connection.hello.name} left: {last_words.splitlines()[0]}"
            self.chronicle.add(now, EventKind.LEFT if by_itself else EventKind.DIED, text)
            if self.refusals.may_tell(now):
                logger.log(level, text)
            self._act(self._dispatcher.producer_left(producer_id, last_words, now, by_itself=by_itself), now)

    def shut_out(self, keys: set[str], now: float) -> list[bytes]:
        """Keys were taken off the list: who came with them is gone; returns the connections that they had."""
        gone = self._roster.with_keys(keys) if keys else []
        for connection in gone:
            self.lost(connection.session.producer_id, "its key was taken off the list", now, by_itself=True)
        return [connection.routing_id for connection in gone]

    def lost_process(self, pid: int, last_words: str, now: float) -> None:
        """An embedded producer's process ended."""
        for producer_id in self._roster.with_pid(pid):
            self.lost(producer_id, last_words, now)

    # --- time ---------------------------------------------------------------------------------

    def tick(self, now: float, *, heard_all: bool = True) -> None:
        """Time passed: heartbeats, deadlines, connections found cut.

        Unless `heard_all` that came, nobody's deadline is looked at.
        """
        self._performer.lay_ahead(now)
        if now - self._beat_at >= HEARTBEAT_S:
            self._beat_at = now
            self._post.tell_all(Heartbeat())
        if heard_all and now - self._ticked_at >= TICK_S:
            self._ticked_at = now
            self._review(now)
        while self._post.unreachable:
            producer_id = self._post.unreachable.pop()
            # Of a process of its own the pool is told that it ended, and its last words.
            if self._may_join is None:
                self.lost(producer_id, "its connection was cut", now)

    def _review(self, now: float) -> None:
        """Look at everybody's deadlines."""
        self._act(self._dispatcher.tick(now), now)
        self.refusals.review(now)
        for producer_id in set(self._roster.connections) - self._dispatcher.producer_ids:
            self._roster.drop(producer_id)
            self._verifier.forget(producer_id)
            self._arenas.drop_producer(producer_id)
        self._arenas.let_go(self._dispatcher.has_slots)

    def say_goodbye(self) -> None:
        """The pool is closing."""
        self._post.tell_all(Goodbye("the pool was closed"))

    def close(self) -> None:
        """The pool is closed: whoever keeps it, as Keras keeps its sequences, keeps no memory with it."""
        for shelf in self.shelves.values():
            shelf.clear()
        self._arenas.close()

    # --- inside -------------------------------------------------------------------------------

    def _send_away(self, routing_id: bytes, ids: Session, error: BreachError, now: float) -> None:
        """Whoever broke a rule is told which, and if it was let in, its leases go to others."""
        connection = self._roster.behind(routing_id)
        who = "a stranger" if connection is None else f"producer {connection.hello.name}"
        self.refusals.note(error.breach, who, str(error), now)
        session = ids if connection is None else connection.session
        reason = REFUSALS.get(error.breach, Refusal.BROKEN_MESSAGE)
        self._post.answer(routing_id, session, Refuse(reason, str(error)))
        if connection is not None:
            self.lost(session.producer_id, "it was sent away", now, by_itself=True)

    def _speaker(self, routing_id: bytes, ids: Session, message: Message, key: str) -> Connection:
        """The producer in whose session something was said; BreachError if somebody else said it."""
        connection = self._roster.find(ids)
        if connection is None:
            self._dispatcher.lives(ids.producer_id)
            raise BreachError(Breach.STRANGER, f"{message.tag} in a session that this pool does not know")
        if connection.key != key:
            raise BreachError(Breach.KEY, f"{message.tag} in the session of a producer that has another key")
        if connection.routing_id != routing_id:
            if self._post.answer(connection.routing_id, connection.session, Heartbeat()):
                raise BreachError(
                    Breach.CONNECTION,
                    f"{message.tag} in the session of producer {connection.hello.name}, which is there",
                )
            self._roster.move(connection, routing_id)
        return connection

    def _greet(self, routing_id: bytes, ids: Session, hello: Hello, now: float, key: str) -> None:
        """Let a producer in; BreachError if it may not be."""
        if self._roster.behind(routing_id) is not None or ids.producer_id in self._roster.connections:
            raise BreachError(Breach.CONNECTION, "a hello over a connection or of a producer that was let in")
        if self._may_join is not None and not self._may_join(hello.pid):
            raise BreachError(Breach.IDENTITY, f"process {hello.pid} is none that this pool has started")
        answer = self._roster.greet(ids, hello, routing_id, key)
        text = f"producer {hello.name} joined (process {hello.pid} on {hello.host})"
        self.chronicle.add(now, EventKind.JOINED, text)
        logger.info(text)
        self._roster.warn_of_mixture(hello)
        self._post.answer(routing_id, answer.session, Welcome(self._checksums))
        self._on_welcome(hello.pid)
        self._act(self._dispatcher.producer_joined(ids.producer_id, hello.name, now), now)

    def _understand(self, connection: Connection, message: Message, now: float) -> None:
        producer_id = connection.session.producer_id
        match message:
            case Batch(_, lease_id):
                self._act(self._dispatcher.batch_came(producer_id, lease_id, now), now, message)
            case ArenaOffer():
                # A job that was closed meanwhile would never let its memory go.
                attached = message.job_id in self._jobs and self._arenas.attach(producer_id, message)
                self._post.tell(producer_id, ArenaAnswer(message.job_id, message.nonce, attached))
            case Failure():
                connection.count.failed(message)
                self._act(self._dispatcher.batch_failed(producer_id, message.lease_id, message, now), now)
            case Cancelled(lease_id):
                self._act(self._dispatcher.lease_cancelled(producer_id, lease_id, now), now)
            case JobUnknown(job_id, lease_id):
                self._act(self._dispatcher.job_unknown(producer_id, job_id, lease_id, now), now)
            case Heartbeat(leases, doing):
                self._act(self._dispatcher.heartbeat(producer_id, leases, now, doing), now)
            case Notice():
                if self.refusals.may_tell(now):
                    self._roster.take_notice(connection, message)
            case Goodbye(text):
                self.lost(producer_id, text or "goodbye", now, by_itself=True)


def _read(frames: Sequence[Buffer]) -> tuple[Session, Message]:
    try:
        return decode(frames)
    except RemoteProtocolError as error:
        raise BreachError(Breach.UNREADABLE, str(error)) from error
