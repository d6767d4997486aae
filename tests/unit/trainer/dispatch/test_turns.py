"""Jobs that nobody reads give their slots back, and have them again when they are asked for something."""

from __future__ import annotations

import pytest
from dispatcher_desk import Desk

from feedline.trainer.dispatch.instructions import DropSlots, ForgetJob, RestJob, SendCloseJob, SendJob
from feedline.trainer.dispatch.turns import MAX_AWAKE, MAX_KNOWN_AT_REST, TURN_S
from feedline.trainer.dispatch.works import IDLE_AFTER_S, IDLE_FACTOR
from feedline.trainer.plan.epochs import StepKey


def used_bytes(desk: Desk) -> int:
    return desk.dispatcher._books.slots.used_bytes


def awake(desk: Desk) -> list[int]:
    return list(desk.dispatcher.awake)


def read(desk: Desk, job_id: int, step: int = 0) -> None:
    """Somebody takes a batch, and lets go of it."""
    before = len(desk.delivered)
    desk.ask(step, job_id=job_id)
    desk.build_all()
    desk.release()
    desk.build_all()
    assert len(desk.delivered) == before + 1


def test_a_job_that_nobody_reads_gives_all_slots_back_and_goes_on_when_it_is_asked() -> None:
    desk = Desk("p")
    read(desk, 1)
    assert used_bytes(desk) == 10
    desk.clear()
    desk.wait(IDLE_AFTER_S + 1, "p")
    assert (used_bytes(desk), desk.of(RestJob)) == (0, [RestJob(1)])
    assert desk.of(DropSlots) == [DropSlots(b"p", 1, tuple(range(10)))]
    read(desk, 1, step=1)
    assert used_bytes(desk) == 10


def test_one_that_rests_and_is_moved_goes_on_there() -> None:
    desk = Desk("p", num_steps=100)
    read(desk, 1)
    desk.wait(IDLE_AFTER_S + 1, "p")
    desk.hear(desk.dispatcher.moved(1, StepKey(3, 50), desk.now))
    desk.ask(50, epoch=3)
    desk.build_all()
    ready = sorted(desk.dispatcher._books.works[1].ready)
    assert ready == [(3, step) for step in range(51, 51 + len(ready))]
    assert len(ready) == 9


def test_what_is_read_does_not_rest() -> None:
    """Also not when it is read from the shelf, of which the dispatcher is told afterwards."""
    desk = Desk("p")
    for step in range(6):
        read(desk, 1, step=step)
        desk.wait(IDLE_AFTER_S / 2, "p")
        desk.dispatcher.was_read(1, desk.now)
        desk.wait(IDLE_AFTER_S / 2, "p")
    assert desk.of(RestJob) == []


def test_batches_that_took_long_are_kept_long() -> None:
    desk = Desk("p")
    while tickets := desk.tickets():
        desk.wait(9, "p")
        desk.build(*tickets)
    desk.ask(0)
    desk.wait(IDLE_FACTOR * 9, "p")
    assert desk.of(RestJob) == []
    desk.wait(9, "p")
    assert desk.of(RestJob) == [RestJob(1)]


def test_while_somebody_waits_a_job_does_not_rest() -> None:
    desk = Desk()
    desk.ask(0)
    desk.wait(5 * IDLE_AFTER_S)
    assert awake(desk) == [1]


def test_a_job_without_room_is_opened_and_takes_the_slots_of_the_one_that_was_read_least_recently() -> None:
    desk = Desk("p", budget_bytes=4)
    desk.open_job(2)
    desk.open_job(3)
    assert (awake(desk), [s.job_id for s in desk.of(SendJob)]) == ([1, 2], [1, 2])
    desk.now += 1
    read(desk, 1)
    desk.now += 1
    read(desk, 3)
    assert awake(desk) == [1, 3]
    read(desk, 2)
    assert awake(desk) == [3, 2]
    assert used_bytes(desk) <= 4


def test_slots_in_work_are_given_up_too_and_their_late_batches_hurt_nobody() -> None:
    desk = Desk("p", budget_bytes=2)
    late = desk.tickets()
    desk.open_job(2)
    desk.ask(0, job_id=2)
    assert desk.cancelled == [ticket.lease_id for ticket in late]
    desk.build(*late)
    desk.build_all()
    assert [(item.job_id, item.key) for item in desk.held] == [(2, (0, 0))]
    desk.release()
    read(desk, 1)


def test_more_than_there_is_room_for_takes_turns_and_says_so_once_with_the_names() -> None:
    desk = Desk("p", budget_bytes=4)
    desk.open_job(2)
    desk.open_job(3)
    desk.clear()
    for step in range(6):
        for job_id in (1, 2, 3):
            read(desk, job_id, step)
    (note,) = desk.notes
    assert "memory_budget=4 bytes has room for 2 of 3 open sequences at a time" in note
    assert "close those that are done with, or raise memory_budget" in note
    assert all(f"job {job_id}" in note for job_id in (1, 2, 3))


def test_of_jobs_that_are_always_waited_for_each_has_its_turn() -> None:
    """Each consumer asks for its next batch before it has the last one, and never pauses."""
    desk = Desk("p", budget_bytes=2, num_steps=100)
    desk.open_job(2, num_steps=100)
    asked = {1: 0, 2: 0}
    for job_id in asked:
        desk.ask(0, 1, job_id=job_id)
    for _ in range(40):
        desk.build(*desk.tickets())
        for item in desk.held:
            asked[item.job_id] += 1
            desk.ask(asked[item.job_id] + 1, job_id=item.job_id)
        desk.release()
        desk.wait(TURN_S / 4, "p")
    assert min(asked.values()) > 10


def test_a_job_whose_turn_does_not_come_says_why() -> None:
    desk = Desk("p", budget_bytes=2)
    desk.open_job(2)
    desk.ask(0)
    desk.ask(0, job_id=2, timeout_s=20)
    desk.wait(21, "p")
    (error,) = desk.errors
    assert "its turn has not come. memory_budget=2 bytes has room for 1 of 2 open sequences" in error


def test_a_closed_job_makes_room_for_one_that_waits() -> None:
    desk = Desk("p", budget_bytes=2)
    desk.open_job(2)
    desk.ask(0)
    desk.ask(0, job_id=2)
    desk.hear(desk.dispatcher.job_closed(1, desk.now))
    for ticket in desk.tickets(job_id=1):
        desk.cancel(ticket)
    desk.build_all()
    assert [item.job_id for item in desk.held] == [2]


def test_a_resting_job_can_be_closed() -> None:
    desk = Desk("p", budget_bytes=2)
    desk.open_job(2)
    desk.clear()
    desk.hear(desk.dispatcher.job_closed(2, desk.now))
    assert desk.of(SendCloseJob) == []  # nobody had been told of it
    read(desk, 1)


def test_producers_know_a_bounded_number_of_jobs_and_are_told_again_when_one_is_asked() -> None:
    desk = Desk("p", budget_bytes=100_000)
    num = MAX_AWAKE + MAX_KNOWN_AT_REST + 10
    for job_id in range(2, num + 1):
        desk.open_job(job_id)
        read(desk, job_id)
        desk.wait(0.1, "p")
        known = {s.job_id for s in desk.of(SendJob)} - {s.job_id for s in desk.of(SendCloseJob)}
        assert len(known) <= MAX_AWAKE + MAX_KNOWN_AT_REST
    assert [item.job_id for item in desk.of(ForgetJob)] == [*range(1, 11)]
    desk.clear()
    read(desk, 1)
    assert desk.of(SendJob) == [SendJob(b"p", 1)]


def test_a_job_whose_batch_somebody_keeps_is_not_forgotten() -> None:
    desk = Desk("p", budget_bytes=100_000)
    desk.ask(0)
    desk.build_all()
    for job_id in range(2, MAX_AWAKE + MAX_KNOWN_AT_REST + 10):
        desk.open_job(job_id)
        desk.ask(0, job_id=job_id)
        desk.build_all()
        desk.held = [item for item in desk.held if item.job_id == 1 or not desk.hear(
            desk.dispatcher.slot_released(item.slot, desk.now))]  # fmt: skip
        desk.wait(1, "p")
    forgotten = {item.job_id for item in desk.of(ForgetJob)}
    assert forgotten
    assert 1 not in forgotten


def test_a_producer_that_joins_is_told_of_what_is_awake_and_of_the_others_when_they_wake() -> None:
    desk = Desk("p", budget_bytes=4)
    desk.open_job(2)
    desk.open_job(3)
    desk.clear()
    desk.join("q")
    assert desk.of(SendJob) == [SendJob(b"q", 1), SendJob(b"q", 2)]
    desk.ask(0, job_id=3)
    assert desk.of(SendJob)[2:] == [SendJob(b"p", 3), SendJob(b"q", 3)]


@pytest.mark.parametrize("asks", [False, True])
def test_a_budget_that_shrinks_sends_jobs_to_rest_until_the_others_fit(asks: bool) -> None:
    desk = Desk("p", budget_bytes=8)
    desk.open_job(2, slot_bytes=3)
    if asks:
        desk.ask(0)
        desk.ask(0, job_id=2)
    desk.hear(desk.dispatcher.budget_changed(1, desk.now))
    assert desk.dispatcher._books.slots.budget_bytes == 6
    assert len(awake(desk)) == 1
    for _ in range(8):
        desk.build_all()
        desk.release()
        desk.wait(1, "p")
    if asks:
        assert {item.job_id for item in desk.of(RestJob)} >= {1}
        assert len(desk.delivered) == 2
    assert used_bytes(desk) <= 6
