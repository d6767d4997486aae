"""Whatever happens in whatever order: nothing lost, nothing doubled, nobody waits for ever."""

# ruff: noqa: D102 - a rule's name is its sentence

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from feedline.trainer.dispatch.feeder import DEMANDED_AHEAD
from feedline.trainer.dispatch.ledger import StepState
from feedline.trainer.dispatch.slots import SlotState
from feedline.trainer.plan.epochs import StepKey

from .model import PATIENCE_S, Answer, Producer, World

MAX_SLOT_BYTES = 5
budgets = st.sampled_from([8, 11, 20, 40, 60, 100, 100_000])
nth = st.integers(0, 30)


class AnyCourse(RuleBasedStateMachine):
    """Producers and consumers do what they like, then one healthy producer has to bring it to an end."""

    @initialize(budget_bytes=budgets)
    def begin(self, budget_bytes: int) -> None:
        self.world = World(budget_bytes)
        self.epochs: dict[int, int] = {}
        self.open_job(4, 1, 10, None)
        self.world.join()

    # --- jobs and consumers ---------------------------------------------------------------------

    @rule(
        num_steps=st.integers(1, 7),
        slot_bytes=st.integers(1, MAX_SLOT_BYTES),
        max_slots=st.integers(2, 10),
        first_slots=st.none() | st.just(2),
    )
    def open_job(self, num_steps: int, slot_bytes: int, max_slots: int, first_slots: int | None) -> None:
        job_id = self.world.open_job(num_steps, slot_bytes, max_slots, first_slots)
        if job_id is not None:
            self.epochs[job_id] = 0

    @rule(budget_bytes=budgets)
    def change_budget(self, budget_bytes: int) -> None:
        self.world.change_budget(budget_bytes)

    @precondition(lambda self: len(self.world.jobs) > 1)
    @rule(nth=nth)
    def close_job(self, nth: int) -> None:
        self.world.close_job(self._job(nth))

    @precondition(lambda self: self.world.jobs)
    @rule(
        nth=nth,
        step=nth,
        ahead=st.sampled_from([0, 0, 0, 0, 0, 1, 2, -1]),
        timeout_s=st.sampled_from([PATIENCE_S, 20]),
    )
    def demand(self, nth: int, step: int, ahead: int, timeout_s: float) -> None:
        job_id = self._job(nth)
        epoch = max(0, self.epochs[job_id] + ahead)
        self.epochs[job_id] = max(epoch, self.epochs[job_id])
        self.world.demand(job_id, StepKey(epoch, step % self.world.jobs[job_id][0]), timeout_s)

    @precondition(lambda self: self.world.jobs)
    @rule(nth=nth)
    def demand_a_whole_epoch_at_once(self, nth: int) -> None:
        job_id = self._job(nth)
        for step in range(self.world.jobs[job_id][0]):
            self.world.demand(job_id, StepKey(self.epochs[job_id], step))

    @precondition(lambda self: self.world.jobs)
    @rule(nth=nth, epoch=st.integers(0, 4))
    def move(self, nth: int, epoch: int) -> None:
        job_id = self._job(nth)
        self.epochs[job_id] = epoch
        self.world.move(job_id, epoch)

    @precondition(lambda self: self.world.jobs)
    @rule(nth=nth, first=nth, num=st.integers(1, 4), ahead=st.sampled_from([0, 0, 0, 1]))
    def offer(self, nth: int, first: int, num: int, ahead: int) -> None:
        job_id = self._job(nth)
        num_steps = self.world.jobs[job_id][0]
        steps = range(first % num_steps, min(first % num_steps + num, num_steps))
        self.world.offer(job_id, [StepKey(self.epochs[job_id] + ahead, step) for step in steps])

    @precondition(lambda self: self.world.demands)
    @rule(nth=nth)
    def withdraw(self, nth: int) -> None:
        self.world.withdraw(*sorted(self.world.demands)[nth % len(self.world.demands)])

    @precondition(lambda self: self.world.delivered)
    @rule(nth=nth)
    def expect(self, nth: int) -> None:
        job_id, key = self.world.delivered[nth % len(self.world.delivered)]
        self.world.obey(self.world.dispatcher.expected(job_id, [key], self.world.now))

    @precondition(lambda self: set(self.world.held) - set(self.world.copied))
    @rule(nth=nth)
    def release(self, nth: int) -> None:
        kept = [slot for slot in self.world.held if slot not in self.world.copied]
        self.world.release(kept[nth % len(kept)])

    @rule()
    def release_copies(self) -> None:
        self.world.release_copies()

    # --- producers ------------------------------------------------------------------------------

    @rule(reads=st.sampled_from([4, 4, 4, 2, 0]))
    def join(self, reads: int) -> None:
        self.world.join(reads=reads)

    @precondition(lambda self: self.world.producers)
    @rule(nth=nth, by_itself=st.booleans())
    def leave(self, nth: int, by_itself: bool) -> None:
        self.world.leave(self._producer(nth), by_itself=by_itself)

    @precondition(lambda self: self.world.producers)
    @rule(nth=nth, hung=st.booleans(), silent=st.booleans())
    def change(self, nth: int, hung: bool, silent: bool) -> None:
        producer = self._producer(nth)
        producer.hung, producer.silent = hung, silent

    @precondition(lambda self: any(p.inbox for p in self.world.producers.values()))
    @rule(nth=nth, num=st.integers(1, 9))
    def receive(self, nth: int, num: int) -> None:
        producer = self._producer(nth)
        for _ in range(min(num, len(producer.inbox))):
            producer.receive()

    @precondition(lambda self: any(p.inbox for p in self.world.producers.values()))
    @rule(nth=nth)
    def lose_a_ticket(self, nth: int) -> None:
        producer = self._producer(nth)
        lost = next((m for m in producer.inbox if type(m).__name__ == "SendTicket"), None)
        if lost is not None:
            producer.inbox.remove(lost)

    @precondition(lambda self: any(p.queue for p in self.world.producers.values()))
    @rule(nth=nth, obey=st.booleans(), broken=st.sampled_from([False, False, False, True]))
    def work(self, nth: int, obey: bool, broken: bool) -> None:
        producer = self._producer(nth)
        if producer.queue:
            producer.work(obey=obey, broken=broken)

    @precondition(lambda self: any(p.outbox for p in self.world.producers.values()))
    @rule(nth=nth, num=st.integers(1, 9))
    def hear(self, nth: int, num: int) -> None:
        producer = self._producer(nth)
        for _ in range(min(num, len(producer.outbox))):
            self.world.hear(producer)

    @precondition(lambda self: any(p.outbox for p in self.world.producers.values()))
    @rule(nth=nth, answer=st.sampled_from([None, Answer.BATCH, Answer.CANCELLED, Answer.BROKEN]))
    def say_it_twice(self, nth: int, answer: Answer | None) -> None:
        producer = self._producer(nth)
        if producer.outbox:
            said, lease_id, leases = producer.outbox[-1]
            producer.say(answer or said, lease_id, leases)

    @precondition(lambda self: self.world.producers)
    @rule(nth=nth)
    def beat(self, nth: int) -> None:
        self.world.beat(self._producer(nth))

    # --- time -----------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 1, 3, 9, 11, 40]))
    def time_passes_and_some_work(self, seconds: float) -> None:
        self.world.live(seconds)

    @rule(seconds=st.sampled_from([1, 9, 11, 40]))
    def time_passes_and_nobody_works(self, seconds: float) -> None:
        self.world.live(seconds, workers=[])

    @rule(seconds=st.sampled_from([0.1, 2.5, 12, 100]))
    def the_pool_stalls(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.tick()

    # --- always ---------------------------------------------------------------------------------

    @invariant()
    def the_books_agree_with_each_other_and_with_the_world(self) -> None:
        if hasattr(self, "world"):
            check_books(self.world)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            bring_to_an_end(self.world, self.epochs)

    def _job(self, nth: int) -> int:
        return sorted(self.world.jobs)[nth % len(self.world.jobs)]

    def _producer(self, nth: int) -> Producer:
        return list(self.world.producers.values())[nth % len(self.world.producers)]


def check_books(world: World) -> None:
    """The dispatcher's tables say the same thing of every step, lease and slot."""
    books = world.dispatcher._books
    states = dict(books.slots)
    assert {work.job_id for work in books.all_works} == world.jobs.keys()
    assert {(work.job_id, key) for work in books.all_works for key in work.demands} == world.demands
    assert {job_id for job_id, work in books.resting.items() if work.demands} <= books.waiting.keys()
    assert not any(work.leased or work.ready for work in books.resting.values())
    assert {(j, key): slot for j, work in books.works.items() for key, slot in work.ready.items()} == {
        step: slot for slot, step in world.kept.items()
    }
    assert {slot for slot, state in states.items() if state is SlotState.READY} == world.kept.keys()
    assert {slot for slot, state in states.items() if state is SlotState.HELD} == world.held.keys()
    for work in books.works.values():
        assert set(work.ledger.in_state(StepState.LEASED)) == work.leased.keys()
        assert set(work.ledger.in_state(StepState.READY)) == work.ready.keys()
        assert work.ledger.num_ahead == len(work.leased) + len(work.ready)
        for key, lease in work.leased.items():
            assert lease.key == key
            assert books.peers[lease.slot.producer_id].leases[lease.lease_id] is lease
    for peer in books.peers.values():
        assert peer.leases.keys() == world.producers[peer.producer_id].open.keys()
        for lease in peer.leases.values():
            assert states[lease.slot] is (SlotState.QUARANTINED if lease.void else SlotState.LEASED)
            assert lease.void or books.works[lease.slot.job_id].leased[lease.key] is lease
    assert world.dispatcher._books.slots.used_bytes == sum(world.slot_bytes[slot.job_id] for slot in states)


def bring_to_an_end(world: World, epochs: dict[int, int]) -> None:
    """Of all producers one is healthy, others hang, die or lack files; consumers keep what they have.

    So many hang as the budget bears: what a hung producer may still write to counts until its
    session ends.
    """
    world.release_copies()
    if sum(world.slot_bytes[slot.job_id] for slot in world.held) > world.budget_bytes // 2:
        # It shrank: what consumers hold was within half of it before, see `SlotTable.must_copy`.
        for slot in list(world.held):
            world.release(slot)
    least = sum(world.slot_bytes[job_id] for job_id in world.dispatcher.awake)
    room = world.budget_bytes // 2 - least
    for number, producer in enumerate(list(world.producers.values())):
        producer.hung = producer.silent = False
        if number % 4 == 0 and room >= DEMANDED_AHEAD * MAX_SLOT_BYTES:
            producer.hung = True
            room -= DEMANDED_AHEAD * MAX_SLOT_BYTES
        elif number % 4 == 1:
            producer.hung = producer.silent = True
        elif number % 4 != 3:
            world.leave(producer, by_itself=number % 8 == 2)
    healthy = world.join()
    world.live(100)
    assert not world.demands, f"nobody answers {world.demands}"
    for job_id, (num_steps, _) in world.jobs.items():
        for step in range(num_steps):
            ask_until_delivered(world, healthy, job_id, StepKey(epochs[job_id] + 1, step))
    for job_id in list(world.jobs):
        world.close_job(job_id)
    world.live(1)
    assert not world.kept
    check_books(world)


def ask_until_delivered(world: World, healthy: Producer, job_id: int, key: StepKey) -> None:
    """At the second time at the latest: the first may be told of a failure that came ahead."""
    for _ in range(2):
        before = len(world.delivered)
        world.demand(job_id, key)
        world.live(30 if (job_id, key) in world.demands else 0)
        assert (job_id, key) not in world.demands, f"{key} is not answered"
        assert healthy.producer_id in world.producers
        if world.delivered[before:] == [(job_id, key)]:
            return
        assert world.delivered[before:] == []
    raise AssertionError(f"{key} was never delivered: {world.rejected[-1][1]}")


AnyCourse.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestAnyCourse = AnyCourse.TestCase
