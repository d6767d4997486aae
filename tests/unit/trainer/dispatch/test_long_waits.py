"""What is said of a wait that lasts, and how it ends."""

from __future__ import annotations

import logging

import pytest
from dispatcher_desk import ADVICE, Desk

from feedline.errors import StarvedError
from feedline.trainer.dispatch.instructions import Note, Reject


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
