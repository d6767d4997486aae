"""A dispatcher, producers of different speed and one consumer, in virtual time."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from feedline.trainer.dispatch.dispatcher import Dispatcher
from feedline.trainer.dispatch.instructions import Deliver, Instruction, SendCancel, SendTicket
from feedline.trainer.dispatch.slots import SlotNeed
from feedline.trainer.dispatch.works import Opening
from feedline.trainer.plan.epochs import StepKey

JOB = 1
TICK_S, HEARTBEAT_S = 0.1, 1.0
SAMPLES = 8
"""Of a batch: between two of them a producer looks whether it is still wanted."""


@dataclass(eq=False)
class Runner:
    """A producer that takes `pace_s` for a batch, one after another in the order of the tickets.

    Attributes
    ----------
    has_stopped : bool
        It answers nothing any more, though its heart beats on.
    """

    name: bytes
    pace_s: float
    tickets: deque[SendTicket] = field(default_factory=deque)
    cancelled: set[int] = field(default_factory=set)
    num_samples: int = 0
    is_busy: bool = False
    has_stopped: bool = False


class Race:
    """Whoever is fast must not wait for whoever is slow.

    Parameters
    ----------
    paces_s : sequence of float
        Seconds that each producer takes for a batch; they join in this order.
    num_steps : int
        Of an epoch.
    max_slots : int
        Of each producer.
    consume_s : float
        What the consumer takes for a batch.

    Attributes
    ----------
    builds : Counter of StepKey
        How often each step was built to its end.
    delivered : list of StepKey
        In the order in which the consumer got them.
    """

    def __init__(
        self, paces_s: Sequence[float], num_steps: int, max_slots: int = 10, consume_s: float = 0.0
    ) -> None:
        self.now = 0.0
        self.builds: Counter[StepKey] = Counter()
        self.delivered: list[StepKey] = []
        self._num_steps, self._consume_s = num_steps, consume_s
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.dispatcher = Dispatcher(1 << 30, "start one")
        need = SlotNeed(1, max_slots)
        self._obey(self.dispatcher.job_opened(Opening(JOB, "job", num_steps, need, lambda _: []), self.now))
        names = [str(nth).encode() for nth in range(len(paces_s))]
        self.runners = {name: Runner(name, pace_s) for name, pace_s in zip(names, paces_s, strict=True)}
        for name in names:
            self._obey(self.dispatcher.producer_joined(name, name.decode(), self.now))
        self._at(TICK_S, self._tick)
        self._at(HEARTBEAT_S, self._beat)
        self._ask()

    def epochs(self, num: int) -> list[float]:
        """Consume so many more epochs; returns the seconds that each took."""
        ends = [self.now]
        while len(ends) <= num:
            num_before = len(self.delivered)
            self.now, _, happen = heapq.heappop(self._events)
            happen()
            if len(self.delivered) > num_before and len(self.delivered) % self._num_steps == 0:
                ends.append(self.now)
        return [end - begin for begin, end in itertools.pairwise(ends)]

    def _at(self, after_s: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + after_s, next(self._order), happen))

    def _tick(self) -> None:
        self._obey(self.dispatcher.tick(self.now))
        self._at(TICK_S, self._tick)

    def _beat(self) -> None:
        for runner in self.runners.values():
            leases = [ticket.lease_id for ticket in runner.tickets]
            self._obey(self.dispatcher.heartbeat(runner.name, leases, self.now))
        self._at(HEARTBEAT_S, self._beat)

    def _ask(self) -> None:
        epoch, step = divmod(len(self.delivered), self._num_steps)
        self._obey(self.dispatcher.demanded(JOB, StepKey(epoch, step), 1e9, self.now))

    def _obey(self, instructions: list[Instruction]) -> None:
        for said in instructions:
            match said:
                case SendTicket():
                    runner = self.runners[said.slot.producer_id]
                    runner.tickets.append(said)
                    self._work(runner)
                case SendCancel(producer_id, lease_id):
                    runner = self.runners[producer_id]
                    if any(ticket.lease_id == lease_id for ticket in runner.tickets):
                        runner.cancelled.add(lease_id)
                    else:
                        self._at(0, lambda p=producer_id, n=lease_id: self._leave(p, n))
                case Deliver():
                    self._at(self._consume_s, lambda said=said: self._consume(said))

    def _leave(self, producer_id: bytes, lease_id: int) -> None:
        self._obey(self.dispatcher.lease_cancelled(producer_id, lease_id, self.now))

    def _consume(self, said: Deliver) -> None:
        self.delivered.append(said.key)
        self._obey(self.dispatcher.slot_released(said.slot, self.now))
        self._ask()

    def _work(self, runner: Runner) -> None:
        """Begin the next sample, unless one is in work."""
        if runner.tickets and not runner.is_busy and not runner.has_stopped:
            runner.is_busy = True
            cancelled = runner.tickets[0].lease_id in runner.cancelled
            self._at(0 if cancelled else runner.pace_s / SAMPLES, lambda: self._sample_done(runner))

    def _sample_done(self, runner: Runner) -> None:
        runner.is_busy = False
        runner.num_samples += 1
        ticket = runner.tickets[0]
        is_cancelled = ticket.lease_id in runner.cancelled
        if is_cancelled or runner.num_samples >= SAMPLES:
            runner.tickets.popleft()
            runner.num_samples = 0
            if is_cancelled:
                self._leave(runner.name, ticket.lease_id)
            else:
                self.builds[ticket.key] += 1
                self._obey(self.dispatcher.batch_came(runner.name, ticket.lease_id, self.now))
        self._work(runner)
