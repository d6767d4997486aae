"""What the dispatcher decides is done here: messages go out, batches are kept and handed over.

Used by the pool's thread alone. What cannot be done is an event in turn, and the dispatcher is told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from feedline.common.errors import BatchError, FeedlineError, LocalProtocolError
from feedline.common.job.kinds import job_to_wire
from feedline.common.stages import Stages
from feedline.common.wire.protocol import Batch, Cancel, CloseJob, Failure, FailureKind, ForgetSlots, OpenJob
from feedline.trainer.dispatch.dispatcher import Dispatcher
from feedline.trainer.dispatch.instructions import (
    Deliver,
    Discard,
    DropSlots,
    ForgetJob,
    Instruction,
    Keep,
    Note,
    Reject,
    Report,
    RestJob,
    SendCancel,
    SendCloseJob,
    SendJob,
    SendTicket,
)
from feedline.trainer.dispatch.slots import SlotId
from feedline.trainer.monitor.facts import Chronicle, EventKind
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.plan.lineups import Lineup
from feedline.trainer.pool.handover.arenas import Arenas
from feedline.trainer.pool.handover.delivery import Delivery, Once, Payload, Releases
from feedline.trainer.pool.handover.shelf import Shelves
from feedline.trainer.pool.job_source import JobSource
from feedline.trainer.pool.post import Post
from feedline.trainer.pool.waiters import Waiter, Waiters

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Performer:
    """Carries out instructions.

    Attributes
    ----------
    dispatcher : Dispatcher
        Gives the instructions.
    post : Post
        Speaks to producers.
    releases : Releases
        Where consumers give slots back.
    arenas : Arenas
        Memory that producers share.
    jobs : dict of int to JobSource
        The open ones, by job_id: what tickets are made of.
    waiters : Waiters
        Who gets what is delivered.
    shelves : Shelves
        Where what is delivered waits for somebody.
    chronicle : Chronicle
        Told what the log has as a warning.
    """

    dispatcher: Dispatcher
    post: Post
    releases: Releases
    arenas: Arenas
    jobs: dict[int, JobSource] = field(default_factory=dict)
    waiters: Waiters = field(default_factory=Waiters)
    shelves: Shelves = field(default_factory=Shelves)
    chronicle: Chronicle = field(default_factory=Chronicle)
    _kept: dict[SlotId, tuple[Payload, Lineup]] = field(default_factory=dict)

    def wait(self, job_id: int, key: StepKey, waiter: Waiter, now: float) -> None:
        """Have a step built or delivered for somebody."""
        shelf = self.shelves[job_id]
        shelf.clear(before_epoch=key.epoch)
        laid_down = shelf.take(key)
        if laid_down is not None:
            # It was put there after it was looked for.
            self.dispatcher.was_awaited(job_id, now - waiter.waited_s)
            waiter.give(laid_down)
            shelf.taken(key)
            return
        self.waiters.add(job_id, key, waiter)
        self.perform(self.dispatcher.demanded(job_id, key, waiter.timeout_s, now, waiter.waited_s), now)

    def lay_ahead(self, now: float) -> None:
        """Hand over what will be asked for next, as far as it is ready."""
        for job_id in list(self.dispatcher.awake):
            if wanted := self.shelves[job_id].wanted():
                self.perform(self.dispatcher.offered(job_id, wanted), now)

    def perform(self, instructions: Iterable[Instruction], now: float, arrived: Batch | None = None) -> None:
        """Do what is asked, in order; `arrived` is the batch that just came, where one did."""
        for instruction in instructions:
            match instruction:
                case Keep():
                    self._keep(arrived, instruction)
                case Discard(slot):
                    del self._kept[slot]
                case Deliver():
                    self._deliver(instruction, now)
                case Reject(job_id, key, error):
                    self.waiters.refuse(job_id, key, error)
                case Note(level, text):
                    self._note(level, text, now)
                case SendTicket():
                    self._send_ticket(instruction, now)
                case RestJob() | ForgetJob() | Report():
                    self._see_to(instruction)
                case _:
                    self._write(instruction)

    def _note(self, level: int, text: str, now: float) -> None:
        """Log a line; what costs time is an event, too."""
        logger.log(level, text)
        if level >= logging.WARNING:
            self.chronicle.add(now, EventKind.NOTE, text)

    def _see_to(self, instruction: RestJob | ForgetJob | Report) -> None:
        """Do what concerns a job as a whole."""
        match instruction:
            case RestJob(job_id):
                self.shelves[job_id].clear()
            case ForgetJob(job_id):
                self.arenas.drop_job(job_id)
            case Report(job_id):
                self.jobs[job_id].report()

    def _keep(self, batch: Batch | None, order: Keep) -> None:
        """Note where the bytes of the batch that just came are, and of which samples."""
        slot, lineup = order.slot, order.lineup
        if batch is None or lineup is None:
            raise LocalProtocolError(f"nothing came that could be kept under {slot}")
        payload = self.arenas.payload(slot, batch.data)
        self._kept[slot] = payload, lineup
        frame_bytes = 0 if batch.data is None else memoryview(batch.data).nbytes
        count = self.post.roster.connections[slot.producer_id].count
        count.batch(Stages.from_wire(batch.stages_us), order.answer_s, frame_bytes)

    def _send_ticket(self, order: SendTicket, now: float) -> None:
        """Order a batch; a ticket that cannot be made or sent fails as the batch would."""
        slot = order.slot
        source = self.jobs[slot.job_id]
        try:
            lineup = source.lineup(order.key)
            self.dispatcher.lined_up(slot.producer_id, order.lease_id, lineup)
            if source.bad.lined_up(order.key, lineup):
                source.report()
            ticket = source.ticket(order.lease_id, order.key, slot.index, lineup, careful=order.careful)
            self.post.tell(slot.producer_id, ticket)
        except Exception as error:  # noqa: BLE001 - a sampler of somebody's may raise anything
            failure = _unsent(source, order, error)
            self.perform(self.dispatcher.batch_failed(slot.producer_id, order.lease_id, failure, now), now)

    def _write(self, instruction: SendCancel | SendJob | SendCloseJob | DropSlots) -> None:
        """Turn an instruction to send something into the message."""
        match instruction:
            case SendCancel(producer_id, lease_id):
                self.post.tell(producer_id, Cancel(lease_id))
            case SendJob(producer_id, job_id):
                self.post.tell(producer_id, opening(self.jobs[job_id]))
            case SendCloseJob(producer_id, job_id):
                self.post.tell(producer_id, CloseJob(job_id))
            case DropSlots(producer_id, job_id, indices):
                self.arenas.give_back((producer_id, job_id), indices)
                self.post.tell(producer_id, ForgetSlots(job_id, indices))

    def _deliver(self, order: Deliver, now: float) -> None:
        """Hand a batch over to who waits for it or soon will, unless that cannot be done."""
        release = Once(partial(self.releases.release, order.slot))
        try:
            delivery = self._delivery(order, release)
        except Exception as error:  # noqa: BLE001 - a plan of somebody's may raise anything
            release()
            self.waiters.refuse(order.job_id, order.key, _as_ours(order.key, error))
            return
        waiters = self.waiters.take(order.job_id, order.key)
        if not waiters:
            self.shelves[order.job_id].put(order.key, delivery)
            return
        waiters[0].give(delivery)
        self.shelves[order.job_id].taken(order.key)
        for other in waiters[1:]:
            # Two threads asked for the same step. Each gets arrays of its own, so it is built again.
            self.wait(order.job_id, order.key, other, now)

    def _delivery(self, order: Deliver, release: Callable[[], None]) -> Delivery:
        """What is handed over. That it has the bytes of the step was found out when it came."""
        payload, lineup = self._kept.pop(order.slot)
        source = self.jobs[order.job_id]
        source.bad.delivered(order.key, lineup)
        layout = source.layout(order.key, len(lineup))
        return Delivery(layout, payload, order.copy, release, order.slot.producer_id)


def opening(source: JobSource) -> OpenJob:
    """What producers are told of a job."""
    return OpenJob(job_to_wire(source.job), source.max_slots)


def _unsent(source: JobSource, order: SendTicket, error: Exception) -> Failure:
    """How a ticket fails that never left."""
    _log_if_strange(order.key, error)
    files = ", ".join(source.samples_of(order.key)[:8])
    return Failure(order.slot.job_id, order.lease_id, FailureKind.BUILD, files, _text_of(error), "")


def _as_ours(key: StepKey, error: Exception) -> FeedlineError:
    if isinstance(error, FeedlineError):
        return error
    _log_if_strange(key, error)
    return BatchError(f"{key} cannot be handed over: {_text_of(error)}")


def _log_if_strange(key: StepKey, error: Exception) -> None:
    """What is not ours has a traceback that its author needs."""
    if not isinstance(error, FeedlineError):
        logger.error(f"{key} cannot be ordered or handed over", exc_info=error)


def _text_of(error: Exception) -> str:
    return str(error) if isinstance(error, FeedlineError) else f"{type(error).__name__}: {error}"
