"""How long a batch takes is learnt before a producer is judged by it; who hangs is found out all the same."""

from __future__ import annotations

from typing import Any

from dispatcher_desk import Desk

from feedline.trainer.dispatch.instructions import SendTicket
from feedline.trainer.dispatch.slots import SlotNeed
from feedline.trainer.dispatch.works import OVERDUE_FACTOR, UNPROVEN_S, Opening
from feedline.trainer.plan.epochs import StepKey


def test_no_lease_is_given_up_before_it_is_known_how_long_a_batch_takes() -> None:
    desk = Desk("p", "q", unproven_s=UNPROVEN_S)
    desk.ask(0)
    for _ in range(5):
        tickets = desk.tickets()
        desk.wait(15, "p", "q")
        desk.build(*tickets)
    assert desk.cancelled == []
    assert len({ticket.key for ticket in desk.of(SendTicket)}) == len(desk.of(SendTicket))


def test_when_it_is_known_who_takes_much_longer_is_found_out() -> None:
    desk = Desk("p", "q", unproven_s=UNPROVEN_S)
    hung = desk.ticket(0)
    assert hung.slot.producer_id == b"p"
    desk.ask(0)
    desk.wait(2, "p", "q")
    desk.build(*desk.tickets("q"))
    desk.wait(OVERDUE_FACTOR * 2, "p", "q")
    assert hung.lease_id in desk.cancelled
    desk.build(desk.ticket(0, name="q"))
    assert (0, 0) in desk.delivered


def test_of_a_job_of_which_nothing_is_ever_known_a_producer_has_half_of_the_wait() -> None:
    """Nobody else has built anything to compare with: it may hang."""
    desk = Desk("p", unproven_s=UNPROVEN_S, num_steps=1)
    desk.ask(0, timeout_s=100)
    desk.join("q")
    desk.wait(49, "p", "q")
    assert desk.cancelled == []
    desk.wait(3, "p", "q")
    desk.build(desk.ticket(0, name="q"))
    assert (0, 0) in desk.delivered


def test_a_batch_that_nobody_waits_for_has_some_minutes() -> None:
    desk = Desk("p", unproven_s=UNPROVEN_S)
    (first, *_) = desk.tickets()
    desk.wait(UNPROVEN_S - 1, "p")
    assert desk.cancelled == []
    desk.wait(2, "p")
    assert first.lease_id in desk.cancelled


def open_job(desk: Desk, **known: Any) -> None:
    desk.hear(
        desk.dispatcher.job_opened(Opening(2, "job 2", 6, SlotNeed(1, 10), lambda _: [], **known), desk.now)
    )


def test_what_was_found_out_before_the_first_batch_counts() -> None:
    desk = Desk("p")
    desk.build_all()
    open_job(desk, usual_s=15.0)
    (first, *_) = desk.tickets(job_id=2)
    desk.wait(15 * OVERDUE_FACTOR - 1, "p")
    assert first.lease_id not in desk.cancelled
    desk.wait(2, "p")
    assert first.lease_id in desk.cancelled


def test_of_a_job_that_does_not_prefetch_only_what_is_asked_for_is_built() -> None:
    desk = Desk("p", "q")
    open_job(desk, prefetches=False)
    assert desk.tickets(job_id=2) == []
    desk.ask(0, job_id=2)
    assert [ticket.key for ticket in desk.tickets(job_id=2)] == [StepKey(0, 0)]
