"""A dispatcher on a desk: events go in by hand, and what it says is laid out by kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from feedline.common.wire.protocol import Failure, FailureKind
from feedline.trainer.dispatch.answers import NO_GRACE, Grace
from feedline.trainer.dispatch.dispatcher import Dispatcher
from feedline.trainer.dispatch.instructions import Deliver, Instruction, Note, Reject, SendCancel, SendTicket
from feedline.trainer.dispatch.slots import SlotNeed
from feedline.trainer.dispatch.works import OVERDUE_AFTER_S, Opening
from feedline.trainer.plan.epochs import StepKey

T = TypeVar("T", bound=Instruction)

ADVICE = "Start one with: python -m feedline.producer --connect tcp://trainer:5555"


class Desk:
    """Job 1 has steps of one byte, unless said otherwise; a producer's name is its id.

    A lease may be `unproven_s` old before anything was built: less than in earnest, to save the tests' time.

    Attributes
    ----------
    said : list of Instruction
        All that came out since `clear`.
    open : dict of int to SendTicket
        Tickets not answered yet, by lease_id.
    held : list of Deliver
        Batches in consumers' hands.
    unable : set of str
        Producers that fail to read whatever they are given while time passes.
    build_s : float
        What passes before each batch that comes, in seconds.
    """

    def __init__(
        self,
        *names: str,
        budget_bytes: int = 1000,
        num_steps: int = 6,
        grace: Grace = NO_GRACE,
        unproven_s: float = OVERDUE_AFTER_S,
    ) -> None:
        self.dispatcher = Dispatcher(budget_bytes, ADVICE, grace, unproven_s)
        self.now = 1000.0
        self.said: list[Instruction] = []
        self.open: dict[int, SendTicket] = {}
        self.held: list[Deliver] = []
        self.unable: set[str] = set()
        self.build_s = 0.0
        self.open_job(1, num_steps=num_steps)
        for name in names:
            self.join(name)

    def hear(self, instructions: list[Instruction]) -> list[Instruction]:
        """Take down what the dispatcher says."""
        self.said += instructions
        self.held += [item for item in instructions if isinstance(item, Deliver)]
        self.open |= {item.lease_id: item for item in instructions if isinstance(item, SendTicket)}
        return instructions

    def clear(self) -> None:
        """Look only at what comes from now on."""
        self.said.clear()

    # --- what was said --------------------------------------------------------------------------

    def of(self, kind: type[T]) -> list[T]:
        """All instructions of one kind."""
        return [item for item in self.said if isinstance(item, kind)]

    def tickets(self, name: str | None = None, job_id: int | None = None) -> list[SendTicket]:
        """Unanswered tickets, of one producer or job."""
        return [
            ticket
            for ticket in self.open.values()
            if name in {None, ticket.slot.producer_id.decode()} and job_id in {None, ticket.slot.job_id}
        ]

    def ticket(self, step: int, epoch: int = 0, name: str | None = None) -> SendTicket:
        """The latest unanswered ticket for a step of job 1."""
        return [t for t in self.tickets(name, 1) if t.key == (epoch, step)][-1]

    @property
    def delivered(self) -> list[tuple[int, int]]:
        """(epoch, step) of what was delivered."""
        return [tuple(item.key) for item in self.of(Deliver)]  # type: ignore[misc]

    @property
    def cancelled(self) -> list[int]:
        """Leases that producers were told to leave."""
        return [item.lease_id for item in self.of(SendCancel)]

    @property
    def notes(self) -> list[str]:
        """Log lines."""
        return [item.text for item in self.of(Note)]

    @property
    def errors(self) -> list[str]:
        """Texts of all errors that consumers got."""
        return [str(item.error) for item in self.of(Reject)]

    # --- events ---------------------------------------------------------------------------------

    def open_job(
        self,
        job_id: int,
        *,
        num_steps: int = 6,
        slot_bytes: int = 1,
        max_slots: int = 10,
        first_slots: int | None = None,
    ) -> None:
        """Open a job."""
        self.hear(
            self.dispatcher.job_opened(
                Opening(
                    job_id,
                    f"job {job_id}",
                    num_steps,
                    SlotNeed(slot_bytes, max_slots),
                    lambda key: [f"{key.step}a.png", f"{key.step}b.png"],
                    first_slots=first_slots,
                ),
                self.now,
            )
        )

    def join(self, *names: str) -> None:
        """Producers come."""
        for name in names:
            self.hear(self.dispatcher.producer_joined(name.encode(), name, self.now))

    def die(self, name: str, last_words: str = "Killed", *, by_itself: bool = False) -> None:
        """A producer goes, with all its leases."""
        for ticket in self.tickets(name):
            del self.open[ticket.lease_id]
        self.hear(self.dispatcher.producer_left(name.encode(), last_words, self.now, by_itself=by_itself))

    def ask(self, *steps: int, epoch: int = 0, job_id: int = 1, timeout_s: float = 600) -> None:
        """Somebody waits for steps."""
        for step in steps:
            self.hear(self.dispatcher.demanded(job_id, StepKey(epoch, step), timeout_s, self.now))

    def build(self, *tickets: SendTicket) -> None:
        """Batches come."""
        for ticket in tickets:
            self.open.pop(ticket.lease_id, None)
            self.now += self.build_s
            self.hear(self.dispatcher.batch_came(ticket.slot.producer_id, ticket.lease_id, self.now))

    def build_all(self, name: str | None = None) -> None:
        """Batches come as long as there are tickets."""
        while tickets := self.tickets(name):
            self.build(*tickets)

    def fail(self, ticket: SendTicket, kind: FailureKind = FailureKind.READ) -> None:
        """A batch cannot be built."""
        self.open.pop(ticket.lease_id, None)
        failure = Failure(
            ticket.slot.job_id, ticket.lease_id, kind, f"{ticket.key.step}a.png", "is bad", "Traceback 1"
        )
        producer_id = ticket.slot.producer_id
        self.hear(self.dispatcher.batch_failed(producer_id, ticket.lease_id, failure, self.now))

    def cancel(self, ticket: SendTicket) -> None:
        """A producer says that a lease is void."""
        self.open.pop(ticket.lease_id, None)
        self.hear(self.dispatcher.lease_cancelled(ticket.slot.producer_id, ticket.lease_id, self.now))

    def release(self, *, copies_only: bool = False) -> None:
        """Consumers drop their batches, or those of which they have copies."""
        dropped = [item for item in self.held if item.copy or not copies_only]
        self.held = [item for item in self.held if item not in dropped]
        for item in dropped:
            self.hear(self.dispatcher.slot_released(item.slot, self.now))

    def beat(self, name: str, leases: Iterable[int] | None = None, doing: str = "") -> None:
        """A producer lists its leases: all of them, if not said otherwise; and says what it is at."""
        listed = [ticket.lease_id for ticket in self.tickets(name)] if leases is None else leases
        self.hear(self.dispatcher.heartbeat(name.encode(), listed, self.now, doing))

    def wait(self, seconds: float, *alive: str) -> None:
        """Time passes; those who are `alive` send heartbeats."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 1.0)
            for name in alive:
                self.beat(name)
            self.hear(self.dispatcher.tick(self.now))
            for ticket in [ticket for name in self.unable for ticket in self.tickets(name)]:
                self.fail(ticket)
