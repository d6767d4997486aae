"""A world around a Dispatcher: producers and consumers of every kind, and what must never happen.

Nothing here looks into the dispatcher: the world sees events and instructions, as the pool does, and
knows the truth about its producers, as the pool does not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from feedline.common.wire.protocol import Failure, FailureKind
from feedline.errors import BatchError, ConfigurationError, StarvedError
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
    RestJob,
    SendCancel,
    SendCloseJob,
    SendJob,
    SendTicket,
)
from feedline.trainer.dispatch.slots import MIN_SLOTS, SlotId, SlotNeed
from feedline.trainer.dispatch.works import OVERDUE_AFTER_S, Opening
from feedline.trainer.plan.epochs import StepKey

TICK_S = 0.5
PATIENCE_S = 1e9

JobStep = tuple[int, StepKey]
"""(job_id, step): what a consumer asks for and a batch is."""


class Answer(Enum):
    """What a producer says to a ticket."""

    BATCH = "batch"
    UNREAD = "failure to read"
    BROKEN = "failure to decode"
    CANCELLED = "cancelled"
    JOB_UNKNOWN = "job unknown"
    HEARTBEAT = "heartbeat"


@dataclass(slots=True)
class Producer:
    """One producer, and the two ways between it and the trainer, each of which keeps its order.

    Attributes
    ----------
    inbox : deque of Instruction
        Sent by the trainer, not yet received.
    queue : dict of int to SendTicket
        Leases in hand, in order; only the first is in work.
    outbox : deque
        Said, not yet heard by the trainer.
    open : dict of int to SendTicket
        Tickets the trainer sent and has no answer to: their slots may be written to at any time.
    reads : int
        Can read the step n only if n % 4 is less than this.
    """

    producer_id: bytes
    reads: int = 4
    hung: bool = False
    silent: bool = False
    jobs: set[int] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)
    inbox: deque[Instruction] = field(default_factory=deque)
    queue: dict[int, SendTicket] = field(default_factory=dict)
    outbox: deque[tuple[Answer, int, tuple[int, ...]]] = field(default_factory=deque)
    open: dict[int, SendTicket] = field(default_factory=dict)

    def say(self, answer: Answer, lease_id: int = 0, leases: tuple[int, ...] = ()) -> None:
        """Put something on the way to the trainer."""
        self.outbox.append((answer, lease_id, leases))

    def receive(self) -> None:
        """Take one message in; it is heard however long a batch takes."""
        match message := self.inbox.popleft():
            case SendJob():
                self.jobs.add(message.job_id)
            case SendCloseJob():
                self.jobs.discard(message.job_id)
            case SendTicket() if message.slot.job_id not in self.jobs:
                self.say(Answer.JOB_UNKNOWN, message.lease_id)
            case SendTicket():
                self.queue[message.lease_id] = message
            case SendCancel() if message.lease_id in self.queue:
                self.cancelled.add(message.lease_id)
            case SendCancel():
                self.say(Answer.CANCELLED, message.lease_id)

    def work(self, *, obey: bool = True, broken: bool = False) -> None:
        """Answer the first ticket; with `obey`, a cancelled one is not built any more."""
        lease_id, ticket = next(iter(self.queue.items()))
        del self.queue[lease_id]
        if obey and lease_id in self.cancelled:
            self.say(Answer.CANCELLED, lease_id)
        elif ticket.key.step % 4 >= self.reads:
            self.say(Answer.UNREAD, lease_id)
        else:
            self.say(Answer.BROKEN if broken else Answer.BATCH, lease_id)


class World:
    """Tells a dispatcher events, obeys its instructions, and checks each of them.

    Parameters
    ----------
    budget_bytes : int
        Its budget.

    Attributes
    ----------
    ceiling_bytes : int
        What may be used: the budget, or after it shrank what was in use, as long as it is.
    demands : set of JobStep
        Asked for and not yet answered.
    kept, held : dict of SlotId to JobStep
        Batches the pool keeps; batches in the consumer's hands.
    copied : list of SlotId
        Those of `held` that will be given back as soon as their bytes are copied.
    shelf : set of JobStep
        Delivered without being asked for; whoever asks takes it from there.
    delivered, rejected : list
        All answers there were.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = self.ceiling_bytes = budget_bytes
        self.dispatcher = Dispatcher(budget_bytes, "start one", unproven_s=OVERDUE_AFTER_S)
        self.now = 100.0
        self.producers: dict[bytes, Producer] = {}
        self.jobs: dict[int, tuple[int, SlotNeed]] = {}
        self.slot_bytes: dict[int, int] = {}
        self.demands: set[JobStep] = set()
        self.kept: dict[SlotId, JobStep] = {}
        self.held: dict[SlotId, JobStep] = {}
        self.copied: list[SlotId] = []
        self.shelf: set[JobStep] = set()
        self.offered: set[JobStep] = set()
        self.delivered: list[JobStep] = []
        self.rejected: list[tuple[JobStep, BatchError | StarvedError]] = []
        self.notes: list[str] = []
        self._arrived: SendTicket | None = None
        self._num_ids = 0
        self._lease_ids: set[int] = set()

    def change_budget(self, budget_bytes: int) -> None:
        """Make it another, but never so small that open jobs have no room."""
        least = MIN_SLOTS * max((need.slot_bytes for _, need in self.jobs.values()), default=0)
        self.budget_bytes = max(budget_bytes, least)
        self.ceiling_bytes = max(self.ceiling_bytes, self.budget_bytes)
        self.obey(self.dispatcher.budget_changed(budget_bytes, self.now))

    # --- jobs and consumers ---------------------------------------------------------------------

    def open_job(
        self, num_steps: int, slot_bytes: int, max_slots: int = 10, first_slots: int | None = None
    ) -> int | None:
        """Open a job; None when the budget has no room for it alone, which must be said at once."""
        self._num_ids += 1
        job_id, need = self._num_ids, SlotNeed(slot_bytes, max_slots)
        least = MIN_SLOTS * slot_bytes
        self.slot_bytes[job_id] = slot_bytes
        try:
            opening = Opening(
                job_id, f"job {job_id}", num_steps, need, self.samples_of, first_slots=first_slots
            )
            instructions = self.dispatcher.job_opened(opening, self.now)
        except ConfigurationError:
            assert least > self.budget_bytes
            return None
        assert least <= self.budget_bytes
        self.jobs[job_id] = num_steps, need
        self.obey(instructions)
        return job_id

    def close_job(self, job_id: int) -> None:
        """Close a job; whoever waits for its batches is told by the pool, not by the dispatcher."""
        del self.jobs[job_id]
        self.demands = {(job, key) for job, key in self.demands if job != job_id}
        self.obey(self.dispatcher.job_closed(job_id, self.now))
        assert not any(slot.job_id == job_id for slot in self.kept), "a closed job keeps batches"

    def demand(self, job_id: int, key: StepKey, timeout_s: float = PATIENCE_S) -> None:
        """Ask for a step, or take it from where the pool laid it down."""
        for slot, (job, old) in list(self.held.items()):
            if (job, old) in self.shelf and job == job_id and old.epoch < key.epoch:
                self.release(slot)
        if (job_id, key) in self.shelf:
            self.shelf.remove((job_id, key))
            self.delivered.append((job_id, key))
            return
        self.demands.add((job_id, key))
        self.obey(self.dispatcher.demanded(job_id, key, timeout_s, self.now))

    def move(self, job_id: int, epoch: int) -> None:
        """Say that another epoch than the next comes next; the pool gives up what it laid down."""
        for slot, (job, key) in list(self.held.items()):
            if job == job_id and (job, key) in self.shelf:
                self.release(slot)
        self.obey(self.dispatcher.moved(job_id, StepKey(epoch, 0), self.now))

    def offer(self, job_id: int, keys: Sequence[StepKey]) -> None:
        """The pool lays down what will be asked for next."""
        self.offered = {(job_id, key) for key in keys} - self.shelf
        self.obey(self.dispatcher.offered(job_id, [key for _, key in sorted(self.offered)]))
        self.offered = set()

    def withdraw(self, job_id: int, key: StepKey) -> None:
        """Do not wait any more."""
        self.demands.discard((job_id, key))
        self.obey(self.dispatcher.withdrawn(job_id, key, self.now))

    def release(self, slot: SlotId) -> None:
        """The consumer drops a batch, or the pool one that it laid down."""
        self.shelf.discard(self.held.pop(slot))
        self.obey(self.dispatcher.slot_released(slot, self.now))

    def release_copies(self) -> None:
        """The consumer has copied what it had to copy."""
        while self.copied:
            self.release(self.copied.pop())

    def samples_of(self, key: StepKey) -> Sequence[str]:
        """The files of a step."""
        return [f"{key.epoch}-{key.step}.png"]

    # --- producers ------------------------------------------------------------------------------

    def join(self, *, reads: int = 4) -> Producer:
        """A producer comes."""
        self._num_ids += 1
        producer = Producer(self._num_ids.to_bytes(16), reads)
        self.producers[producer.producer_id] = producer
        self.obey(
            self.dispatcher.producer_joined(producer.producer_id, f"producer {self._num_ids}", self.now)
        )
        return producer

    def leave(self, producer: Producer, *, by_itself: bool) -> None:
        """A producer says goodbye, or dies."""
        del self.producers[producer.producer_id]
        self.obey(
            self.dispatcher.producer_left(producer.producer_id, "last words", self.now, by_itself=by_itself)
        )

    def hear(self, producer: Producer) -> None:
        """One message of a producer reaches the trainer."""
        answer, lease_id, leases = producer.outbox.popleft()
        if producer.producer_id not in self.producers:
            return
        self.dispatcher.heard(producer.producer_id, self.now)
        self._arrived = producer.open.pop(lease_id, None)
        self.obey(self._tell(producer.producer_id, answer, lease_id, leases))
        self._arrived = None

    def _tell(
        self, producer_id: bytes, answer: Answer, lease_id: int, leases: tuple[int, ...]
    ) -> list[Instruction]:
        job_id = self._arrived.slot.job_id if self._arrived else 0
        match answer:
            case Answer.BATCH:
                return self.dispatcher.batch_came(producer_id, lease_id, self.now)
            case Answer.CANCELLED:
                return self.dispatcher.lease_cancelled(producer_id, lease_id, self.now)
            case Answer.JOB_UNKNOWN:
                return self.dispatcher.job_unknown(producer_id, job_id, lease_id, self.now)
            case Answer.HEARTBEAT:
                return self.dispatcher.heartbeat(producer_id, leases, self.now)
            case _:
                kind = FailureKind.READ if answer is Answer.UNREAD else FailureKind.DECODE
                failure = Failure(job_id, lease_id, kind, "a.png", "no such file", "")
                return self.dispatcher.batch_failed(producer_id, lease_id, failure, self.now)

    # --- time -----------------------------------------------------------------------------------

    def tick(self) -> None:
        """The pool looks at its clock, and forgets whom the dispatcher forgot."""
        instructions = self.dispatcher.tick(self.now)
        for producer_id in set(self.producers) - self.dispatcher.producer_ids:
            del self.producers[producer_id]
        self.obey(instructions)

    def beat(self, producer: Producer) -> None:
        """A producer says what it has in hand, as often as it should."""
        if not producer.silent:
            producer.say(Answer.HEARTBEAT, leases=tuple(producer.queue))

    def live(self, seconds: float, *, workers: Iterable[Producer] | None = None) -> None:
        """Time passes, all that was sent arrives, and `workers` (all, if not said) do their work."""
        end = self.now + seconds
        while self.now < end:
            self.now += TICK_S
            self.release_copies()
            for producer in list(self.producers.values()):
                while producer.inbox:
                    producer.receive()
                while producer.queue and not producer.hung and (workers is None or producer in workers):
                    producer.work()
                if self.now % 1.0 < TICK_S:
                    self.beat(producer)
                while producer.outbox:
                    self.hear(producer)
            self.tick()

    # --- instructions ---------------------------------------------------------------------------

    def obey(self, instructions: list[Instruction]) -> None:
        """Do what the dispatcher says, as the pool does; nothing of it may be wrong."""
        for instruction in instructions:
            self._do(instruction)
        self.check()

    def _do(self, instruction: Instruction) -> None:  # noqa: C901 - one case for each kind
        match instruction:
            case SendTicket():
                self._send_ticket(instruction)
            case DropSlots(producer_id, job_id, indices):
                self._drop(producer_id, job_id, indices)
            case RestJob(job_id):
                self._rest(job_id)
            case ForgetJob(job_id):
                used = {*self.kept, *self.held, *self._in_work}
                assert job_id not in {slot.job_id for slot in used}, "memory in use is forgotten"
            case SendJob(producer_id) | SendCloseJob(producer_id) | SendCancel(producer_id):
                self.producers[producer_id].inbox.append(instruction)
            case Keep(slot):
                assert self._arrived is not None, "nothing came that could be kept"
                assert slot == self._arrived.slot, "a batch is kept under another slot than its own"
                assert slot not in self.kept, "two batches under one slot"
                self.kept[slot] = slot.job_id, self._arrived.key
            case Discard(slot):
                del self.kept[slot]
            case Deliver():
                self._deliver(instruction)
            case Reject(job_id, key, error):
                self.demands.remove((job_id, key))
                assert isinstance(error, BatchError | StarvedError)
                self.rejected.append(((job_id, key), error))
            case Note(_, text):
                self.notes.append(text)

    @property
    def _in_work(self) -> set[SlotId]:
        """Slots that producers may be writing to."""
        return {ticket.slot for producer in self.producers.values() for ticket in producer.open.values()}

    def _drop(self, producer_id: bytes, job_id: int, indices: Sequence[int]) -> None:
        for slot in (SlotId(producer_id, job_id, index) for index in indices):
            assert slot not in self._in_work, "its producer may be writing"
            assert slot not in self.held, "a consumer reads the slot"

    def _rest(self, job_id: int) -> None:
        """What nobody has taken from the shelf is given up, a moment later."""
        for slot, (job, key) in self.held.items():
            if job == job_id and (job, key) in self.shelf:
                self.shelf.remove((job, key))
                self.copied.append(slot)

    def _send_ticket(self, ticket: SendTicket) -> None:
        slot, producer = ticket.slot, self.producers[ticket.slot.producer_id]
        assert ticket.lease_id not in self._lease_ids, "a lease id came twice"
        assert slot.job_id in self.jobs, "a ticket for a closed job"
        assert slot not in {other.slot for other in producer.open.values()}, "its producer may be writing"
        assert slot not in self.kept, "a batch waits in the slot"
        assert slot not in self.held, "a consumer reads the slot"
        assert ticket.key.step < self.jobs[slot.job_id][0]
        self._lease_ids.add(ticket.lease_id)
        producer.open[ticket.lease_id] = ticket
        producer.inbox.append(ticket)

    def _deliver(self, order: Deliver) -> None:
        assert self.kept.pop(order.slot) == (order.job_id, order.key), "another batch than the one it says"
        if (order.job_id, order.key) in self.offered:
            assert not order.copy, "what lies on the shelf must be held"
            self.demands.discard((order.job_id, order.key))
            self.shelf.add((order.job_id, order.key))
        else:
            self.demands.remove((order.job_id, order.key))
            self.delivered.append((order.job_id, order.key))
        self.held[order.slot] = order.job_id, order.key
        if order.copy:
            self.copied.append(order.slot)

    def check(self) -> None:
        """The budget holds, by the dispatcher's count and by the world's own."""
        used_bytes = self.dispatcher._books.slots.used_bytes
        assert used_bytes <= self.ceiling_bytes
        self.ceiling_bytes = max(self.budget_bytes, used_bytes)
        busy = self._in_work | self.kept.keys() | self.held.keys()
        assert sum(self.slot_bytes[slot.job_id] for slot in busy) <= used_bytes
