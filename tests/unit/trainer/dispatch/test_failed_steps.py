"""Steps that fail: at whom they are tried again, who is left out, and what whoever waits is told."""

from __future__ import annotations

import pytest
from dispatcher_desk import ADVICE, Desk

from feedline.common.wire.protocol import FailureKind
from feedline.errors import BatchError
from feedline.trainer.dispatch.answers import Grace
from feedline.trainer.dispatch.instructions import Reject, SendTicket
from feedline.trainer.dispatch.leases import MAX_UNREAD
from feedline.trainer.dispatch.peers import BARRED_S
from feedline.trainer.dispatch.works import RETRY_S


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
