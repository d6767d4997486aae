"""What whoever waits for a batch is delivered, and what becomes of it at the end of an epoch."""

from __future__ import annotations

import pytest
from dispatcher_desk import Desk

from feedline.trainer.dispatch.instructions import Discard, Keep, SendTicket
from feedline.trainer.plan.epochs import StepKey


def test_a_step_is_delivered_as_often_as_it_is_asked_for() -> None:
    desk = Desk("p")
    for _ in range(3):
        desk.ask(2)
        desk.build_all()
    assert desk.delivered == [(0, 2)] * 3


def test_two_who_wait_for_the_same_step_get_one_delivery() -> None:
    """The pool hands it to one, and asks again for the other."""
    desk = Desk()
    desk.ask(2)
    desk.ask(2)
    desk.join("p")
    desk.build_all()
    assert desk.delivered == [(0, 2)]


def test_nothing_is_delivered_that_was_not_asked_for_or_is_not_wanted_any_more() -> None:
    desk = Desk("p")
    desk.build_all()
    desk.ask(3)
    desk.hear(desk.dispatcher.withdrawn(1, StepKey(0, 3), desk.now))
    desk.build_all()
    assert desk.delivered == []
    desk.ask(3)
    assert desk.delivered == [(0, 3)]


def test_consumers_that_keep_all_they_get_are_served_by_copies() -> None:
    desk = Desk("p", num_steps=100)
    for step in range(50):
        desk.ask(step)
        desk.build_all()
        desk.release(copies_only=True)
    assert desk.delivered == [(0, step) for step in range(50)]
    assert len(desk.held) == 8


def test_peeked_steps_are_built_anew_before_they_are_asked_for_again() -> None:
    desk = Desk("p")
    desk.ask(0, 1)
    desk.build_all()
    desk.hear(desk.dispatcher.expected(1, [StepKey(0, 0), StepKey(0, 1)], desk.now))
    desk.release()
    desk.build_all()
    desk.clear()
    desk.ask(0, 1)
    assert desk.delivered == [(0, 0), (0, 1)]


def test_asking_for_a_later_epoch_retires_the_earlier_one() -> None:
    """What is left of it is cancelled or dropped, and not built."""
    desk = Desk("p", num_steps=20)
    desk.ask(0)
    desk.build(*desk.tickets())
    leased, ready = desk.tickets(), [item.slot for item in desk.of(Keep)][1:]
    desk.clear()
    desk.ask(0, epoch=1)
    assert desk.cancelled == [ticket.lease_id for ticket in leased]
    assert [item.slot for item in desk.of(Discard)] == ready
    assert {ticket.key.epoch for ticket in desk.of(SendTicket)} == {1}


def test_a_step_somebody_waits_for_survives_the_end_of_its_epoch() -> None:
    """Even if nothing had happened to it yet."""
    desk = Desk()
    desk.ask(3)
    desk.ask(0, epoch=1)
    desk.join("p")
    desk.build_all()
    assert sorted(desk.delivered) == [(0, 3), (1, 0)]


def test_a_batch_of_a_retired_epoch_that_nobody_waits_for_any_more_is_not_kept() -> None:
    desk = Desk("p")
    desk.ask(0)
    old = desk.ticket(0)
    desk.ask(0, epoch=1)
    desk.hear(desk.dispatcher.withdrawn(1, StepKey(0, 0), desk.now))
    desk.clear()
    desk.build(old)
    assert desk.delivered == []
    assert [type(item) for item in desk.said[:2]] == [Keep, Discard]


def test_a_step_of_a_retired_epoch_can_be_asked_for_again() -> None:
    desk = Desk("p")
    desk.ask(0, epoch=3)
    desk.build_all()
    desk.ask(1, epoch=2)
    desk.build_all()
    assert desk.delivered == [(3, 0), (2, 1)]


@pytest.mark.parametrize("epoch", [0, 5])
def test_prefetch_goes_where_the_consumer_moves_also_back(epoch: int) -> None:
    desk = Desk("p", num_steps=20)
    desk.ask(0, epoch=2)
    desk.build(*desk.tickets())
    leased, ready = desk.tickets(), [item.slot for item in desk.of(Keep)][1:]
    desk.clear()
    desk.hear(desk.dispatcher.moved(1, StepKey(epoch, 0), desk.now))
    assert desk.cancelled == [ticket.lease_id for ticket in leased]
    assert [item.slot for item in desk.of(Discard)] == ready
    desk.build_all()
    assert [ticket.key for ticket in desk.of(SendTicket)][:3] == [(epoch, 0), (epoch, 1), (epoch, 2)]


def test_a_step_somebody_waits_for_survives_a_move() -> None:
    desk = Desk()
    desk.ask(3, epoch=2)
    desk.hear(desk.dispatcher.moved(1, StepKey(0, 0), desk.now))
    desk.join("p")
    desk.build_all()
    assert desk.delivered == [(2, 3)]
