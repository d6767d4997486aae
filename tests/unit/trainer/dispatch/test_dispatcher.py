"""Slots, leases, identity: the rules of the blueprint, one by one. What consumers see is next door."""

from __future__ import annotations

import pytest
from dispatcher_desk import Desk

from feedline.common.wire.protocol import FailureKind
from feedline.errors import ConfigurationError
from feedline.trainer.dispatch.feeder import DEMANDED_AHEAD
from feedline.trainer.dispatch.instructions import Deliver, Discard, Keep, SendCloseJob, SendJob, SendTicket
from feedline.trainer.dispatch.peers import MOST_AHEAD, TICKETS_AHEAD
from feedline.trainer.dispatch.slots import SlotState


def state(desk: Desk, ticket: SendTicket) -> SlotState:
    return desk.dispatcher._books.slots.state(ticket.slot)


# --- who gets tickets ----------------------------------------------------------------------------


def test_a_producer_is_told_of_a_job_before_its_first_ticket() -> None:
    desk = Desk("p")
    assert [type(item) for item in desk.said] == [SendJob, SendTicket, SendTicket]
    desk.clear()
    desk.open_job(2)
    assert desk.said[0] == SendJob(b"p", 2)


def test_a_job_not_yet_asked_for_has_two_batches_in_hand() -> None:
    desk = Desk("p", "q")
    desk.build_all()
    assert [item.slot.job_id for item in desk.of(Keep)] == [1, 1]
    assert desk.tickets() == []


def test_a_job_once_asked_for_is_prefetched_as_far_as_slots_allow() -> None:
    desk = Desk("p", num_steps=100)
    desk.ask(0)
    desk.build_all()
    assert len(desk.of(Keep)) == 10
    assert desk.delivered == [(0, 0)]


def test_a_producer_has_two_tickets_ahead_and_four_when_somebody_waits() -> None:
    desk = Desk("p", num_steps=100)
    desk.ask(0)
    assert len(desk.tickets("p")) == TICKETS_AHEAD
    desk.ask(50, 51, 52, 53, 54)
    assert len(desk.tickets("p")) == DEMANDED_AHEAD


def _take(desk: Desk, steps: range, batch_s: float) -> None:
    """A consumer takes steps of a producer that needs so long for each."""
    desk.build_s = batch_s
    for step in steps:
        desk.ask(step)
        desk.build(desk.ticket(step))
        desk.release()


def test_a_producer_of_tiny_batches_has_more_tickets_ahead_until_they_are_larger() -> None:
    desk = Desk("p", num_steps=200)
    _take(desk, range(40), 0.0004)
    assert len(desk.tickets("p")) == MOST_AHEAD
    _take(desk, range(40, 60), 0.01)
    assert len(desk.tickets("p")) == TICKETS_AHEAD


def test_work_is_spread_before_it_queues() -> None:
    desk = Desk("p", "q", "r", num_steps=100)
    desk.ask(0)
    assert sorted(len(desk.tickets(name)) for name in "pqr") == [2, 2, 2]


def test_steps_somebody_waits_for_come_first_in_the_order_asked() -> None:
    desk = Desk(num_steps=100)
    desk.ask(70, 3, 41)
    desk.join("p")
    assert [ticket.key.step for ticket in desk.tickets("p")] == [70, 3, 41]


def test_jobs_do_not_wait_for_each_other() -> None:
    """One job's consumer pauses with all its slots ready; the other's goes on."""
    desk = Desk("p", num_steps=100)
    desk.ask(0)
    desk.build_s = 0.01
    desk.build_all()
    desk.open_job(2)
    desk.ask(0, job_id=2)
    assert [ticket.key.step for ticket in desk.tickets("p", job_id=2)] == [0, 1]


def test_of_several_jobs_the_one_with_the_least_in_hand_is_prefetched() -> None:
    desk = Desk("p", num_steps=100)
    desk.open_job(2, num_steps=100)
    desk.ask(0)
    desk.ask(0, job_id=2)
    desk.build_all()
    jobs = [item.slot.job_id for item in desk.of(Keep)]
    assert all(abs(jobs[:num].count(1) - jobs[:num].count(2)) <= 2 for num in range(len(jobs)))
    assert (jobs.count(1), jobs.count(2)) == (10, 10)


def test_prefetch_runs_over_the_epoch_boundary() -> None:
    desk = Desk("p", num_steps=3)
    desk.ask(0)
    desk.build_all()
    desk.ask(1, 2)
    assert desk.delivered == [(0, 0), (0, 1), (0, 2)]
    desk.ask(0, epoch=1)
    assert desk.delivered[-1] == (1, 0)


def test_a_demanded_step_takes_the_slot_of_the_ready_batch_farthest_from_delivery() -> None:
    desk = Desk("p", num_steps=100)
    desk.ask(0)
    desk.build_all()
    farthest = desk.of(Keep)[-1].slot
    desk.clear()
    desk.ask(99)
    assert desk.said == [Discard(farthest), SendTicket(11, (0, 99), farthest)]  # type: ignore[arg-type]
    desk.build_all()
    assert (0, 99) in desk.delivered


def test_a_batch_that_was_taken_back_is_built_again() -> None:
    desk = Desk("p", num_steps=12)
    desk.ask(0)
    desk.build_all()
    desk.ask(11)
    for step in range(1, 12):
        desk.build_all()
        desk.ask(step)
        desk.release()
    desk.build_all()
    assert [step for _, step in desk.delivered] == [0, 11, *range(1, 12)]


# --- answers -------------------------------------------------------------------------------------


def twice_leased(desk: Desk) -> tuple[SendTicket, SendTicket]:
    """Step 0 on p, which took too long, and again on q."""
    desk.ask(0)
    old = desk.ticket(0)
    desk.join("q")
    desk.build_all("q")
    desk.wait(12, "p", "q")
    return old, desk.ticket(0, name="q")


def test_the_first_answer_wins_and_the_second_is_dropped() -> None:
    desk = Desk("p")
    old, new = twice_leased(desk)
    desk.build(new)
    desk.clear()
    desk.build(old)
    assert desk.delivered == []
    assert not desk.of(Keep)
    assert state(desk, old) is SlotState.FREE


def test_a_late_answer_is_taken_and_the_other_lease_cancelled() -> None:
    desk = Desk("p")
    old, new = twice_leased(desk)
    desk.clear()
    desk.build(old)
    assert desk.delivered == [(0, 0)]
    assert desk.cancelled == [new.lease_id]
    assert state(desk, new) is SlotState.QUARANTINED


def test_an_answer_that_comes_twice_counts_once() -> None:
    desk = Desk("p")
    desk.ask(0)
    ticket = desk.ticket(0)
    desk.build(ticket)
    desk.clear()
    desk.build(ticket)
    desk.fail(ticket, FailureKind.DECODE)
    desk.cancel(ticket)
    assert desk.said == []


def test_answers_of_strangers_and_to_unknown_leases_change_nothing() -> None:
    desk = Desk("p")
    ticket = desk.tickets()[0]
    desk.clear()
    dispatcher = desk.dispatcher
    assert dispatcher.batch_came(b"stranger", ticket.lease_id, desk.now) == []
    assert dispatcher.batch_came(b"p", 999, desk.now) == []
    assert dispatcher.lease_cancelled(b"stranger", ticket.lease_id, desk.now) == []
    assert dispatcher.heartbeat(b"stranger", [ticket.lease_id], desk.now) == []
    assert dispatcher.producer_left(b"stranger", "bye", desk.now) == []


@pytest.mark.parametrize("end", ["batch", "failure", "cancelled"])
def test_an_expired_lease_keeps_its_slot_in_quarantine_until_it_is_answered(end: str) -> None:
    desk = Desk("p", "q")
    desk.ask(0, 1, 2, 3)
    old = desk.ticket(0)
    desk.wait(30, "p", "q")
    assert old.lease_id in desk.cancelled
    assert state(desk, old) is SlotState.QUARANTINED
    {"batch": desk.build, "failure": desk.fail, "cancelled": desk.cancel}[end](old)
    assert state(desk, old) is not SlotState.QUARANTINED


def test_an_expired_lease_keeps_its_slot_in_quarantine_until_its_producer_is_gone() -> None:
    desk = Desk("p")
    old, _ = twice_leased(desk)
    assert state(desk, old) is SlotState.QUARANTINED
    desk.die("p")
    assert old.slot not in dict(desk.dispatcher._books.slots)


def test_a_producer_whose_answer_is_overdue_gets_no_tickets_before_it_answers() -> None:
    """They would queue behind the one it does not answer."""
    desk = Desk("p")
    twice_leased(desk)
    desk.clear()
    desk.ask(1, 2, 3, 4, 5)
    assert {ticket.slot.producer_id for ticket in desk.of(SendTicket)} == {b"q"}
    for ticket in desk.tickets("p"):
        desk.cancel(ticket)
    assert b"p" in {ticket.slot.producer_id for ticket in desk.of(SendTicket)}


def test_a_lease_is_overdue_after_ten_times_the_usual() -> None:
    """Batches that take 3 s each are not given up before 30 s."""
    desk = Desk("p", num_steps=100)
    desk.ask(0)
    for _ in range(20):
        desk.wait(3, "p")
        desk.build(desk.tickets()[0])
        desk.release()
        desk.ask(desk.tickets()[0].key.step)
    desk.clear()
    desk.wait(25, "p")
    assert desk.cancelled == []
    desk.wait(40, "p")
    assert desk.cancelled != []


def test_what_a_job_does_not_know_of_is_told_again_and_leased_again() -> None:
    desk = Desk("p")
    ticket = desk.tickets()[0]
    desk.clear()
    desk.hear(desk.dispatcher.job_unknown(b"p", 1, ticket.lease_id, desk.now))
    assert desk.said[0] == SendJob(b"p", 1)
    assert desk.of(SendTicket)[0].key == ticket.key


# --- heartbeats ----------------------------------------------------------------------------------


def test_a_lease_that_two_heartbeats_do_not_list_is_leased_again_and_its_slot_left_alone() -> None:
    """Its ticket got lost on the way."""
    desk = Desk("p")
    desk.ask(0)
    lost = desk.ticket(0)
    desk.clear()
    desk.beat("p", [])
    assert desk.said == []
    desk.beat("p", [])
    assert lost.lease_id in desk.cancelled
    assert [ticket.key.step for ticket in desk.of(SendTicket)] == [0]
    assert lost.slot not in {ticket.slot for ticket in desk.of(SendTicket)}


def test_a_heartbeat_that_lists_a_lease_clears_it() -> None:
    desk = Desk("p")
    desk.clear()
    for _ in range(5):
        desk.beat("p", [])
        desk.beat("p")
    assert desk.said == []


def test_a_lost_cancel_is_said_again() -> None:
    desk = Desk("p")
    lost = desk.tickets()[0]
    for _ in range(6):
        desk.beat("p", [])
    assert desk.cancelled.count(lost.lease_id) == 3


def test_a_silent_producer_is_gone_after_ten_seconds() -> None:
    desk = Desk("p", "q")
    desk.ask(0, 1)
    desk.build_all("q")
    desk.wait(10, "q")
    assert desk.dispatcher.producer_ids == {b"p", b"q"}
    desk.wait(1, "q")
    assert desk.dispatcher.producer_ids == {b"q"}
    assert [note for note in desk.notes if "producer p fell silent" in note]
    desk.build_all("q")
    assert sorted(desk.delivered) == [(0, 0), (0, 1)]


# --- jobs ----------------------------------------------------------------------------------------


def test_a_budget_without_room_for_two_batches_of_a_job_is_an_error_at_once() -> None:
    desk = Desk("p", budget_bytes=30)
    with pytest.raises(ConfigurationError, match=r"memory_budget=30 bytes .*2 batches of 16 .*32 are needed"):
        desk.open_job(2, slot_bytes=16)
    desk.open_job(2, slot_bytes=15)


def test_a_refused_job_leaves_nothing_behind() -> None:
    desk = Desk("p", budget_bytes=30)
    desk.clear()
    with pytest.raises(ConfigurationError):
        desk.open_job(2, slot_bytes=16)
    assert desk.said == []
    desk.ask(0)
    desk.build_all()
    assert desk.delivered == [(0, 0)]


def test_a_closed_job_has_its_leases_cancelled_and_its_ready_batches_dropped() -> None:
    desk = Desk("p")
    desk.build(desk.tickets()[0])
    leased, ready = desk.tickets(), desk.of(Keep)
    desk.clear()
    desk.hear(desk.dispatcher.job_closed(1, desk.now))
    assert [ticket.lease_id for ticket in leased] == desk.cancelled
    assert [item.slot for item in desk.of(Discard)] == [item.slot for item in ready]
    assert desk.of(SendCloseJob) == [SendCloseJob(b"p", 1)]
    desk.build(*leased)
    assert desk.dispatcher._books.slots.used_bytes == 0
    assert desk.hear(desk.dispatcher.job_closed(1, desk.now)) == []


def test_a_producer_that_gets_no_slots_is_named_once() -> None:
    desk = Desk(budget_bytes=4)
    desk.join("p", "q", "r")
    assert desk.notes == ["memory_budget=4 bytes has no slots for r: idle"]
    desk.build_all()
    desk.wait(20, "p", "q", "r")
    desk.join("s")
    assert [note for note in desk.notes if "idle" in note][1:] == [
        "memory_budget=4 bytes has no slots for s: idle"
    ]


def test_an_idle_producer_takes_the_place_of_one_that_left_or_is_stuck() -> None:
    desk = Desk(budget_bytes=4)
    desk.join("p", "q", "r")
    assert desk.tickets("r") == []
    desk.die("p")
    assert desk.tickets("r") != []
    desk.join("s")
    desk.ask(0, 1, 2, 3)
    desk.build_all("q")
    desk.wait(13, "q", "r", "s")
    for ticket in desk.tickets("r"):
        desk.cancel(ticket)
    assert desk.tickets("s") != []


def test_a_budget_that_shrinks_still_has_room_for_what_is_open() -> None:
    """Of sequences that share a pool, the one with the largest budget may close first."""
    desk = Desk("p", budget_bytes=100)
    desk.open_job(2, slot_bytes=20)
    desk.hear(desk.dispatcher.budget_changed(1, desk.now))
    desk.ask(0)
    desk.ask(0, job_id=2)
    desk.build_all()
    assert sorted(item.job_id for item in desk.of(Deliver)) == [1, 2]
