"""What whoever waits for a batch gets: the batch, or an error that is enough to act on."""

from __future__ import annotations

import logging

import pytest
from dispatcher_desk import ADVICE, Desk

from feedline.common.wire.protocol import FailureKind
from feedline.errors import BatchError, StarvedError
from feedline.trainer.dispatch.answers import Grace
from feedline.trainer.dispatch.books import BARRED_S, MAX_LOST, RETRY_S
from feedline.trainer.dispatch.instructions import Discard, Keep, Note, Reject, SendTicket
from feedline.trainer.dispatch.leases import MAX_UNREAD
from feedline.trainer.plan.epochs import StepKey

# --- deliveries ----------------------------------------------------------------------------------


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


# --- epochs --------------------------------------------------------------------------------------


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


# --- failures ------------------------------------------------------------------------------------


def test_a_failed_decode_counts_at_once() -> None:
    desk = Desk("p", "q")
    desk.ask(0)
    desk.fail(desk.ticket(0), FailureKind.DECODE)
    (error,) = desk.errors
    assert error == "batch 0 of epoch 0 failed: 0a.png: is bad (producer p)"
    assert "0a.png: is bad (producer p)\nTraceback 1" in desk.notes
    assert isinstance(desk.of(Reject)[0].error, BatchError)


def test_a_failed_read_is_tried_on_the_others() -> None:
    desk = Desk("p", "q", "r")
    desk.ask(0)
    for name in "pqr":
        assert desk.errors == []
        desk.fail(desk.ticket(0, name=name))
    (error,) = desk.errors
    assert error.startswith("no producer can read batch 0 of epoch 0 (tried: p, q, r).")
    assert error.endswith("Last failure: 0a.png: is bad (producer r)")
    assert [note for note in desk.notes if "Traceback 1" in note]


def test_a_failure_of_code_of_users_is_told_with_its_traceback() -> None:
    desk = Desk("p")
    desk.ask(0)
    desk.fail(desk.ticket(0), FailureKind.BUILD)
    assert desk.errors == ["batch 0 of epoch 0 failed: 0a.png: is bad (producer p)\nTraceback 1"]


def test_a_failed_read_does_not_come_back_to_the_same_producer() -> None:
    desk = Desk("p", "q")
    desk.ask(0)
    desk.fail(desk.ticket(0))
    desk.build_all("p")
    assert [ticket.slot.producer_id for ticket in desk.tickets() if ticket.key == (0, 0)] == [b"q"]


GRACE = Grace(one_file_s=5, everything_s=60)


@pytest.mark.parametrize(("has_read", "grace_s"), [(True, 5), (False, 60)])
def test_what_nobody_can_read_waits_for_another_producer(has_read: bool, grace_s: int) -> None:
    """Where nothing was read yet the folder is wrong, and the right producer may be on its way."""
    for comes in (True, False):
        desk = Desk("p", grace=GRACE)
        if has_read:
            desk.build(desk.ticket(1))
        desk.ask(0)
        desk.fail(desk.ticket(0))
        desk.unable.add("p")
        desk.wait(grace_s - 1, "p")
        assert desk.errors == []
        if comes:
            desk.join("q")
            desk.build(desk.ticket(0, name="q"))
            assert desk.delivered == [(0, 0)]
        else:
            desk.wait(2, "p")
            (error,) = desk.errors
            assert "no producer can read batch 0 of epoch 0 (tried: p). Last failure: 0a.png: is bad" in error


def test_while_another_producer_is_waited_for_the_log_says_why_and_for_what() -> None:
    desk = Desk("p", grace=GRACE)
    desk.ask(0)
    desk.fail(desk.ticket(0))
    desk.unable.add("p")
    desk.wait(6, "p")
    (note,) = [note for note in desk.notes if note.startswith("waiting")]
    for part in (
        "waiting 5 s for batch 0",
        "tried: p",
        "0a.png: is bad",
        "One that can is waited for",
        ADVICE,
    ):
        assert part in note


def test_the_wait_for_another_producer_ends_with_the_patience_of_who_waits() -> None:
    desk = Desk("p", grace=GRACE)
    desk.ask(0, timeout_s=20)
    desk.fail(desk.ticket(0))
    desk.unable.add("p")
    desk.wait(21, "p")
    (error,) = desk.errors
    assert "waiting 20 s" in error
    assert "0a.png: is bad" in error


def test_a_failure_that_comes_ahead_is_told_when_the_step_is_asked_for_and_then_tried_again() -> None:
    desk = Desk("p")
    desk.fail(desk.ticket(1), FailureKind.DECODE)
    assert desk.errors == []
    desk.ask(1)
    assert len(desk.errors) == 1
    desk.ask(1)
    desk.build_all()
    assert desk.delivered == [(0, 1)]


def test_prefetch_does_not_go_on_when_all_it_gets_is_failures() -> None:
    desk = Desk("p", num_steps=1000)
    desk.ask(0)
    for _ in range(50):
        for ticket in desk.tickets():
            desk.fail(ticket, FailureKind.DECODE)
    assert len(desk.of(SendTicket)) < 10


def test_a_late_failure_of_a_step_that_another_works_on_is_no_failure() -> None:
    desk = Desk("p")
    desk.ask(0)
    old = desk.ticket(0)
    desk.join("q")
    desk.build_all("q")
    desk.wait(12, "p", "q")
    desk.fail(old, FailureKind.DECODE)
    assert desk.errors == []
    desk.build_all("q")
    assert desk.delivered == [(0, 0)]


def barred(desk: Desk) -> list[str]:
    return [note for note in desk.notes if "gets no more tickets" in note]


def test_twenty_failed_reads_running_bar_a_producer_and_name_it() -> None:
    desk = Desk("bad", "good", num_steps=1000)
    num_failed = 0
    for step in range(100):
        desk.ask(step)
        desk.release()
        while desk.tickets() and num_failed < 100:
            num_failed += len(desk.tickets("bad")[:1])
            for ticket in desk.tickets("bad")[:1]:
                desk.fail(ticket)
            desk.build(*desk.tickets("good")[:1])
            desk.release()
    assert num_failed in {MAX_UNREAD, MAX_UNREAD + 1}, "one more may have been on its way"
    assert desk.delivered == [(0, number) for number in range(100)]
    (note,) = barred(desk)
    assert note.startswith("producer bad gets no more tickets: 20 reads running failed, the last of ")
    assert note.endswith("a.png: is bad. Check its --data-root; it may try again every 10 s")
    desk.clear()
    desk.ask(*range(900, 910))
    desk.build_all()
    assert {ticket.slot.producer_id for ticket in desk.of(SendTicket)} == {b"good"}


def test_a_barred_producer_whose_folder_is_back_is_one_as_any_other() -> None:
    desk = Desk("p", num_steps=1000, grace=Grace(100, 100))
    desk.ask(0)
    desk.unable.add("p")
    desk.ask(*range(1, MAX_UNREAD))
    while not barred(desk):
        desk.wait(1, "p")
    desk.unable.clear()
    desk.wait(BARRED_S + 1, "p")
    for _ in range(5):
        desk.build_all()
        desk.release()
        desk.wait(1, "p")
    assert len(desk.delivered) == MAX_UNREAD


def test_while_another_producer_is_waited_for_those_that_are_there_try_again() -> None:
    desk = Desk("p", grace=GRACE)
    desk.ask(0)
    desk.fail(desk.ticket(0))
    assert all(ticket.key != (0, 0) for ticket in desk.tickets())
    desk.wait(RETRY_S + 1, "p")
    desk.build(desk.ticket(0))
    assert desk.delivered == [(0, 0)]


def test_the_slots_of_a_barred_producer_go_to_the_others() -> None:
    desk = Desk("bad", "good", num_steps=1000, budget_bytes=10)
    desk.ask(*range(MAX_UNREAD + 4))
    for _ in range(MAX_UNREAD):
        desk.fail(desk.tickets("bad")[0])
    for ticket in desk.tickets("bad"):
        desk.fail(ticket)
    desk.clear()
    for _ in range(40):
        desk.build(*desk.tickets("good"))
        desk.release()
    assert len({ticket.slot for ticket in desk.of(SendTicket)}) == 10


def test_an_idle_producer_takes_the_place_of_one_that_cannot_read_what_somebody_waits_for() -> None:
    """Also when that one reads everything else: the budget serves only one of them."""
    desk = Desk("p", "q", budget_bytes=2)
    desk.ask(0)
    desk.fail(desk.ticket(0))
    desk.build_all("p")
    desk.wait(2, "p", "q")
    desk.build_all("q")
    assert desk.delivered == [(0, 0)]


def test_one_good_read_begins_the_count_anew() -> None:
    desk = Desk("p", num_steps=1000)
    for step in range(100):
        desk.ask(step)
        if step % (MAX_UNREAD - 1):
            desk.fail(desk.ticket(step))
        else:
            desk.build(desk.ticket(step))
            desk.release()
    assert barred(desk) == []


def test_when_all_producers_are_barred_whoever_asks_is_told() -> None:
    desk = Desk("p", num_steps=1000)
    for step in range(MAX_UNREAD):
        desk.ask(step)
        for ticket in desk.tickets():
            desk.fail(ticket)
    desk.clear()
    desk.ask(700)
    (error,) = desk.errors
    assert "no producer can read batch 700 of epoch 0" in error


# --- lost leases ---------------------------------------------------------------------------------


def lose(desk: Desk, step: int, num: int) -> None:
    """So many producers come, take the step, and die."""
    for number in range(num):
        desk.join(f"p{number}")
        assert desk.ticket(step).slot.producer_id == f"p{number}".encode()
        desk.die(f"p{number}", f"signal 11 in p{number}")


def test_a_lease_that_is_lost_with_its_producer_goes_to_another_three_times_then_fails() -> None:
    desk = Desk()
    desk.ask(0)
    lose(desk, 0, MAX_LOST)
    assert desk.errors == []
    lose(desk, 0, 1)
    (error,) = desk.errors
    assert "batch 0 of epoch 0 was in work when 4 producers died" in error
    assert "0a.png, 0b.png" in error
    assert "Last words of p0: signal 11 in p0" in error


def test_those_that_come_and_go_without_building_anything_kill_no_step_while_another_builds() -> None:
    """Else a stranger with a few connections could end a training; a file that kills does so anywhere."""
    desk = Desk()
    desk.ask(0)
    lose(desk, 0, MAX_LOST - 1)
    desk.join("proven")
    desk.ask(1)
    desk.build(desk.ticket(0))
    desk.build(desk.ticket(1))
    desk.clear()
    desk.ask(2)
    held = desk.ticket(2)
    assert held.slot.producer_id == b"proven", "who has built any comes first"
    desk.hear(desk.dispatcher.lease_cancelled(b"proven", held.lease_id, desk.now))
    for number in range(3 * MAX_LOST):
        desk.join(f"s{number}")
        desk.die(f"s{number}")
    desk.build_all()
    assert desk.errors == []
    assert (0, 2) in desk.delivered


def test_only_the_lease_a_producer_worked_on_counts() -> None:
    """Step 1 waits behind step 0 each time: it is not what kills producers."""
    desk = Desk()
    desk.ask(0, 1)
    lose(desk, 0, MAX_LOST + 1)
    assert len(desk.errors) == 1
    desk.join("q")
    desk.build_all()
    assert desk.delivered == [(0, 1)]


def test_a_lease_that_had_expired_counts_when_its_producer_dies_over_it() -> None:
    """Else what hangs before it kills would kill for ever, and the step behind it would be blamed."""
    desk = Desk()
    desk.ask(0, 1)
    for number in range(MAX_LOST + 1):
        name = f"p{number}"
        desk.join(name)
        desk.wait(12, name)
        assert desk.errors == []
        desk.die(name)
    (error,) = desk.errors
    assert "batch 0 of epoch 0 was in work when 4 producers died" in error


def test_a_producer_that_leaves_by_itself_is_no_suspicion() -> None:
    desk = Desk()
    desk.ask(0)
    for number in range(3 * MAX_LOST):
        desk.join(f"p{number}")
        desk.die(f"p{number}", "SIGTERM", by_itself=True)
    assert desk.errors == []


def test_a_step_that_failed_with_its_producers_gets_a_new_chance_when_asked_again() -> None:
    desk = Desk()
    desk.ask(0)
    lose(desk, 0, MAX_LOST + 1)
    desk.ask(0)
    lose(desk, 0, MAX_LOST)
    assert len(desk.errors) == 1
    desk.join("q")
    desk.build_all()
    assert desk.delivered == [(0, 0)]


# --- long waits ----------------------------------------------------------------------------------


def test_a_long_wait_is_noted_after_5_seconds_and_then_every_30() -> None:
    desk = Desk()
    desk.ask(0)
    noted_at = []
    for second in range(1, 101):
        desk.wait(1)
        if desk.notes:
            noted_at.append(second)
            assert desk.notes == [
                f"waiting {second} s for batch 0 of epoch 0: no producer is connected. {ADVICE}"
            ]
            assert desk.of(Note)[0].level == logging.WARNING
        desk.clear()
    assert noted_at == [5, 35, 65, 95]


def test_the_end_of_a_wait_is_an_error_that_says_what_to_start() -> None:
    desk = Desk()
    desk.ask(0, timeout_s=60)
    desk.wait(59)
    assert desk.errors == []
    desk.wait(1)
    assert desk.errors == [f"waiting 60 s for batch 0 of epoch 0: no producer is connected. {ADVICE}"]
    assert isinstance(desk.of(Reject)[0].error, StarvedError)
    desk.join("p")
    desk.build_all()
    assert desk.delivered == []


@pytest.mark.parametrize("seconds", [8, 20])
def test_a_wait_for_a_producer_names_it(seconds: int) -> None:
    """While its lease holds, and when it is overdue and nobody else can take the step."""
    desk = Desk("p")
    desk.ask(0, timeout_s=seconds)
    desk.wait(seconds, "p")
    (error,) = desk.errors
    assert (
        error
        == {
            8: "waiting 8 s for batch 0 of epoch 0: producer p works on it",
            20: "waiting 20 s for batch 0 of epoch 0: producer p has had it for 20 s, and has not answered."
            " Reading a file or code of yours may take long, or hang; it is made of 0a.png, 0b.png",
        }[seconds]
    )


def test_a_wait_for_several_that_hang_names_all_of_them() -> None:
    desk = Desk("p", num_steps=1)
    desk.ask(0, timeout_s=60)
    desk.wait(15, "p")
    desk.join("q")
    desk.wait(45, "p", "q")
    (error,) = desk.errors
    assert "producer p has had it for 60 s and producer q has had it for 45 s, and has not" in error


def test_a_step_that_nobody_was_given_is_still_said_to_be_taken_by_none() -> None:
    desk = Desk("p", num_steps=12)
    desk.ask(*range(8), timeout_s=30)
    desk.wait(30, "p")
    assert f"none of the producers p takes it. {ADVICE}" in desk.errors[-1]


def test_a_stall_does_not_pour_out_notes() -> None:
    desk = Desk()
    desk.ask(0)
    desk.now += 300
    desk.wait(10)
    assert len(desk.notes) == 1


def test_a_long_wait_names_the_producer_the_stage_and_the_file() -> None:
    desk = Desk("p", "q")
    desk.ask(0)
    for _ in range(12):
        desk.wait(1, "q")
        desk.beat("p", doing="reading 0a.png for 9 s")
    assert any("producer p (reading 0a.png for 9 s) works on it" in note for note in desk.notes)
    assert "producer p (reading 0a.png for 9 s) has not answered" in " ".join(desk.notes)


def test_of_producers_that_take_nothing_it_is_said_what_they_are_at() -> None:
    desk = Desk("p")
    desk.ask(0, timeout_s=60)
    for _ in range(61):
        desk.wait(1)
        desk.beat("p", doing="decoding 0a.png for 50 s")
    (error,) = desk.errors
    assert "decoding 0a.png for 50 s" in error
