"""A queue that was full and then ran dry becomes longer; no other does."""

from __future__ import annotations

from dispatcher_desk import Desk
from hypothesis import given
from hypothesis import strategies as st

from feedline.trainer.dispatch.queue_size import MISSED_SHARE, QueueGauge, longer
from feedline.trainer.dispatch.works import IDLE_AFTER_S
from feedline.trainer.plan.epochs import StepKey

BUILD_S = 0.1
"""What the desk's producer takes for a batch."""


def short_after(spare_s: float, missed_s: float, busy_s: float = 0.0) -> float:
    """Seconds that a gauge finds missing: full for a while, then waited for, then full again."""
    gauge = QueueGauge(0.0)
    gauge.filled(0.0)
    gauge.freed(spare_s)
    gauge.came_at = now = spare_s + missed_s
    gauge.waited(spare_s)
    return gauge.filled(now + busy_s)


def test_what_was_missed_is_had_as_far_as_it_could_have_been_built() -> None:
    assert short_after(spare_s=2.0, missed_s=0.5) == 0.5
    assert short_after(spare_s=0.5, missed_s=2.0) == 0.5


def test_what_is_missed_adds_up_whether_it_matters_or_not() -> None:
    gauge = QueueGauge(0.0)
    for began, free_s in ((0.0, 1.0), (100.0, 3.0)):
        gauge.filled(began)
        gauge.freed(began + free_s)
        gauge.came_at = began + free_s + 2.0
        gauge.waited(began + free_s)
    assert gauge.short_s == 1.0 + 2.0


def test_a_wait_that_nobody_minds_changes_nothing() -> None:
    missed_s = 1.0
    assert short_after(1.0, missed_s, busy_s=missed_s / MISSED_SHARE) == 0.0


@given(waits=st.lists(st.floats(0.0, 10.0), max_size=8))
def test_producers_that_never_rest_are_no_reason_however_long_is_waited(waits: list[float]) -> None:
    gauge = QueueGauge(0.0)
    for wait_s in waits:
        gauge.came_at += wait_s
        gauge.waited(gauge.came_at - wait_s)
    assert gauge.filled(gauge.came_at) == 0.0


def test_how_long_a_batch_takes_to_be_handed_over_does_not_count() -> None:
    gauge = QueueGauge(0.0)
    gauge.filled(0.0)
    gauge.freed(5.0)
    gauge.came_at = 5.0
    for _ in range(1000):
        gauge.waited(5.0)
    assert gauge.filled(6.0) == 0.0


@given(num=st.integers(2, 300), short_s=st.floats(0.0, 1e3), build_s=st.just(0.0) | st.floats(1e-3, 10.0))
def test_it_never_becomes_shorter_and_has_an_end(num: int, short_s: float, build_s: float) -> None:
    assert num <= longer(num, max(num, 256), short_s, build_s) <= max(num, 256)


def test_less_than_a_batch_is_none() -> None:
    assert longer(10, 256, 0.09, BUILD_S) == 10
    assert longer(10, 256, 1.01, BUILD_S) == 21


def burst(desk: Desk, first: int, num: int) -> int:
    """A trainer that was away takes batches without doing anything else; how many of them it waited for."""
    num_waited = 0
    for step in range(first, first + num):
        desk.ask(step)
        while (0, step) not in desk.delivered:
            num_waited += 1
            desk.now += BUILD_S
            desk.build(desk.tickets()[0])
        desk.release()
    return num_waited


def rest(desk: Desk) -> None:
    """The trainer is away for as long as anything can be built, and longer."""
    while tickets := desk.tickets():
        desk.now += BUILD_S
        desk.build(tickets[0])
    desk.now += 5.0


def bursts(desk: Desk) -> list[int]:
    """How many batches of each burst of 20 were waited for."""
    num_waited = []
    for first in range(0, 100, 20):
        num_waited.append(burst(desk, first, 20))
        rest(desk)
    return num_waited


def desk_of(**slots: int) -> Desk:
    """One producer, and a job of many steps."""
    desk = Desk()
    desk.dispatcher.job_closed(1, desk.now)
    desk.open_job(1, num_steps=1000, **slots)
    desk.join("a")
    return desk


def test_bursts_that_are_longer_than_the_queue_are_waited_for_each_time() -> None:
    assert bursts(desk_of(max_slots=10))[1:] == [10, 10, 10, 10]


def test_or_once_where_it_becomes_longer() -> None:
    desk = desk_of(max_slots=256, first_slots=10)
    assert bursts(desk)[1:] == [10, 0, 0, 0]
    why = "1.0 s of waiting came of producers that had no room for more before"
    assert desk.notes == [f"job 1: 20 batches of each producer in hand instead of 10: {why}"]


def test_there_is_never_more_than_the_budget_has_room_for() -> None:
    desk = desk_of(max_slots=256, first_slots=10)
    desk.hear(desk.dispatcher.budget_changed(8, desk.now))
    bursts(desk)
    assert desk.notes == []


# --- what the dispatcher tells it ----------------------------------------------------------------


def full(desk: Desk, first: int = 0) -> None:
    """Everything that may lie ready does, and has for a while."""
    desk.ask(first)
    desk.build_all()
    desk.release()
    rest(desk)


def short_s(desk: Desk) -> float:
    return desk.dispatcher.short_s


def waited(max_slots: int, *taken: int) -> tuple[Desk, float]:
    """Somebody took what lay ready, and has waited for 3 s; and when that began."""
    desk = desk_of(max_slots=max_slots)
    full(desk)
    desk.ask(*taken)
    desk.release()
    desk.now += 3.0
    return desk, desk.now - 3.0


def test_a_wait_counts_from_when_it_began_even_if_it_is_told_of_late() -> None:
    """The batch came first, and then the pool's thread read that somebody had asked for it."""
    desk, asked_at = waited(2, 1, 2)
    desk.build(desk.ticket(3))
    desk.hear(desk.dispatcher.demanded(1, StepKey(0, 3), 600, desk.now, waited_s=desk.now - asked_at))
    assert short_s(desk) == 3.0


def test_where_others_are_ready_a_wait_is_not_for_want_of_room() -> None:
    desk, asked_at = waited(4, 1)
    desk.build(*desk.tickets())
    desk.hear(desk.dispatcher.demanded(1, StepKey(0, 2), 600, desk.now, waited_s=desk.now - asked_at))
    assert short_s(desk) == 0.0


def test_what_lies_with_the_consumer_was_waited_for_too() -> None:
    desk, asked_at = waited(2, 1, 2)
    desk.build(desk.ticket(3))
    desk.hear(desk.dispatcher.offered(1, [StepKey(0, 3)]))
    desk.dispatcher.was_awaited(1, asked_at)
    assert short_s(desk) == 3.0


def test_a_queue_whose_batches_are_in_work_is_not_full() -> None:
    desk = desk_of(max_slots=3)
    desk.ask(0)
    desk.build(desk.ticket(0))
    assert desk.tickets()
    desk.now += 50.0
    desk.build_all()
    desk.release()
    assert short_s(desk) == 0.0


def test_time_at_rest_is_no_time_in_which_more_could_have_been_built() -> None:
    """What was ready is thrown away, and so would more of it have been."""
    desk = desk_of(max_slots=256, first_slots=10)
    full(desk)
    desk.wait(IDLE_AFTER_S + 40.0, "a")
    assert not desk.dispatcher.awake
    burst(desk, 1, 60)
    rest(desk)
    assert desk.notes == []


def test_a_queue_that_has_just_grown_is_not_full() -> None:
    desk = desk_of(max_slots=256, first_slots=10)
    bursts(desk)
    before = short_s(desk)
    burst(desk, 100, 20)
    rest(desk)
    assert short_s(desk) == before


def test_a_deadline_counts_from_when_it_was_asked() -> None:
    desk = desk_of(max_slots=2)
    desk.hear(desk.dispatcher.demanded(1, StepKey(0, 50), 20.0, desk.now, waited_s=15.0))
    desk.wait(6.0)
    assert "waiting 2" in desk.errors[0]


def test_while_there_is_no_producer_nothing_is_full() -> None:
    desk = desk_of(max_slots=3)
    desk.die("a")
    desk.now += 50.0
    desk.join("b")
    desk.ask(0)
    desk.now += 5.0
    desk.build_all()
    assert short_s(desk) == 0.0
