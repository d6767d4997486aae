"""Between the socket and the dispatcher: messages from producers and calls of consumers become events.

What the dispatcher makes of them is carried out by `feedline.trainer.pool.performer`. Everything here runs in
the pool's thread. It knows no socket: frames come in as lists of buffers and go out through a function.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from feedline.common.errors import ClosedError, FeedlineError, InterruptedWaitError, ProtocolError
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import (
    HEARTBEAT_S,
    ArenaAnswer,
    ArenaOffer,
    Batch,
    Buffer,
    Cancelled,
    Failure,
    FailureKind,
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
from feedline.trainer.dispatch.books import Opening
from feedline.trainer.dispatch.dispatcher import Dispatcher
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.handover.arenas import Arenas
from feedline.trainer.pool.handover.delivery import Delivery, Releases
from feedline.trainer.pool.handover.shelf import Shelf
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.performer import Performer, opening
from feedline.trainer.pool.post import Post
from feedline.trainer.pool.roster import Connection, Roster
from feedline.trainer.pool.stats import ProducerStats
from feedline.trainer.pool.waiters import Waiter

logger = logging.getLogger(__name__)

TICK_S = 0.1
"""Deadlines are looked at no more often than this: there are seconds in all of them."""

INTERRUPT_S = 1.0
"""Waits that begin so soon after a Ctrl-C end at once, as those do that it met."""

INTERRUPTED = "Ctrl-C ended the wait for a batch"


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

    Attributes
    ----------
    shelves : Shelves
        Where consumers find batches without asking.
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
    ) -> None:
        self._dispatcher = dispatcher
        self._roster = roster
        self._post = Post(roster, send)
        self._releases = releases
        self._on_welcome = on_welcome
        self._arenas = arenas
        self._performer = Performer(dispatcher, self._post, releases, arenas)
        self._jobs, self._waiters = self._performer.jobs, self._performer.waiters
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
        return tuple(connection.stats for connection in self._roster.connections.values())

    # --- from consumers -----------------------------------------------------------------------

    def open_job(self, source: JobSource, now: float) -> None:
        """A sequence was made. Raises what `Dispatcher.job_opened` does, or LocalProtocolError.

        What producers would not understand is found out here, where it is its maker's to deal with.
        """
        job = source.job
        encode(Session(new_id(), new_id()), opening(source))
        plan, known = source.plan, (source.usual_s, source.prefetches, source.bad)
        facts = Opening(job.job_id, source.name, plan.num_steps, source.need, source.samples_of, *known)
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

    def move_to(self, job_id: int, epoch: int, now: float) -> None:
        """Another epoch than the next comes next."""
        if job_id in self._jobs:
            self.shelves[job_id].clear()
            self._act(self._dispatcher.moved(job_id, epoch, now), now)

    def take_releases(self, now: float) -> None:
        """Slots came back from consumers."""
        for slot in self._releases.take():
            self._act(self._dispatcher.slot_released(slot, now), now)

    def wants_releases(self) -> bool:
        """Say whether slots that come back are waited for; returns whether some came meanwhile."""
        return self._releases.are_wanted(wanted=self._dispatcher.wants_slots)

    # --- from producers -----------------------------------------------------------------------

    def hear(self, routing_id: bytes, frames: Sequence[Buffer], now: float) -> None:
        """A message came."""
        try:
            ids, message = decode(frames)
        except ProtocolError as error:
            logger.warning(f"refusing a connection: {error}")
            self._post.answer(routing_id, Session(b"", b""), Refuse(Refusal.BROKEN_MESSAGE, str(error)))
            return
        if isinstance(message, Hello):
            self._greet(routing_id, ids, message, now)
        elif (connection := self._roster.find(ids, routing_id)) is None:
            text = f"{message.tag} in a session that this pool does not know"
            self._post.answer(routing_id, ids, Refuse(Refusal.UNKNOWN_PEER, text))
        else:
            self._dispatcher.heard(ids.producer_id, now)
            self._understand(connection, message, now)

    def lost(self, producer_id: bytes, last_words: str, now: float, *, by_itself: bool = False) -> None:
        """A producer is gone."""
        connection = self._roster.connections.pop(producer_id, None)
        if connection is not None:
            self._arenas.drop_producer(producer_id)
            # It costs time when others have to begin anew with what it had in hand.
            logger.log(
                logging.INFO if by_itself else logging.WARNING,
                f"producer {connection.hello.name} left: {last_words.splitlines()[0]}",
            )
            self._act(self._dispatcher.producer_left(producer_id, last_words, now, by_itself=by_itself), now)

    def lost_process(self, pid: int, last_words: str, now: float) -> None:
        """An embedded producer's process ended."""
        for producer_id in self._roster.with_pid(pid):
            self.lost(producer_id, last_words, now)

    # --- time ---------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """All that came was taken in, and time passed: heartbeats, deadlines, connections found cut."""
        self._performer.lay_ahead(now)
        if now - self._beat_at >= HEARTBEAT_S:
            self._beat_at = now
            self._post.tell_all(Heartbeat())
        if now - self._ticked_at >= TICK_S:
            self._ticked_at = now
            self._review(now)
        while self._post.unreachable:
            self.lost(self._post.unreachable.pop(), "its connection was cut", now)

    def _review(self, now: float) -> None:
        """Look at everybody's deadlines."""
        self._act(self._dispatcher.tick(now), now)
        for producer_id in set(self._roster.connections) - self._dispatcher.producer_ids:
            del self._roster.connections[producer_id]
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

    def _greet(self, routing_id: bytes, ids: Session, hello: Hello, now: float) -> None:
        if ids.producer_id in self._roster.connections:
            return
        answer = self._roster.greet(ids, hello, routing_id)
        if isinstance(answer, Refuse):
            logger.error(f"refusing producer {hello.name or '(unnamed)'}: {answer.text}")
            self._post.answer(routing_id, ids, answer)
            return
        logger.info(f"producer {hello.name} joined (process {hello.pid} on {hello.host})")
        self._roster.warn_of_mixture(hello)
        self._post.answer(routing_id, answer.session, Welcome())
        self._on_welcome(hello.pid)
        self._act(self._dispatcher.producer_joined(ids.producer_id, hello.name, now), now)

    def _understand(self, connection: Connection, message: Message, now: float) -> None:
        producer_id = connection.session.producer_id
        match message:
            case Batch():
                self._take_batch(producer_id, message, now)
            case ArenaOffer():
                # A job that was closed meanwhile would never let its memory go.
                attached = message.job_id in self._jobs and self._arenas.attach(producer_id, message)
                self._post.tell(producer_id, ArenaAnswer(message.job_id, message.nonce, attached))
            case Failure():
                self._act(self._dispatcher.batch_failed(producer_id, message.lease_id, message, now), now)
            case Cancelled(lease_id):
                self._act(self._dispatcher.lease_cancelled(producer_id, lease_id, now), now)
            case JobUnknown(job_id, lease_id):
                self._act(self._dispatcher.job_unknown(producer_id, job_id, lease_id, now), now)
            case Heartbeat(leases, doing):
                self._act(self._dispatcher.heartbeat(producer_id, leases, now, doing), now)
            case Notice(text):
                self._roster.take_notice(connection, text)
            case Goodbye(text):
                self.lost(producer_id, text or "goodbye", now, by_itself=True)
            case _:
                logger.warning(f"producer {connection.hello.name} said {message.tag}: ignored")

    def _take_batch(self, producer_id: bytes, batch: Batch, now: float) -> None:
        if batch.data is None and not self._arenas.has(producer_id, batch.job_id):
            text = "it came without bytes, and no memory is shared"
            failure = Failure(batch.job_id, batch.lease_id, FailureKind.BUILD, "", text, "")
            self._act(self._dispatcher.batch_failed(producer_id, batch.lease_id, failure, now), now)
            return
        instructions = self._dispatcher.batch_came(producer_id, batch.lease_id, now)
        self._act(instructions, now, batch)
