"""How long the trainer waited, told from two counts."""

from __future__ import annotations

import pytest

from feedline.trainer.sequences.waits import MOST_AHEAD, Wait, WaitMeter


def test_a_reader_that_waits_while_the_trainer_has_a_batch_costs_nothing() -> None:
    meter = WaitMeter()
    meter.fetched("loop", asked_at=0.0, now=1.0)
    meter.step_begins(0, now=1.0)  # the trainer takes the first
    assert meter.fetched("loop", asked_at=1.0, now=5.0) == Wait(0.0, is_certain=True)


def test_from_the_end_of_the_step_on_the_trainer_waits() -> None:
    meter = WaitMeter()
    meter.fetched("loop", asked_at=0.0, now=1.0)
    meter.step_begins(0, now=1.0)
    meter.step_begins(1, now=3.0)
    wait = meter.fetched("loop", asked_at=1.0, now=5.0)
    assert wait == Wait(pytest.approx(2.0), is_certain=True)


def test_a_batch_in_the_buffer_is_taken_without_waiting() -> None:
    meter = WaitMeter()
    meter.step_begins(0, now=0.0)
    for now in (1.0, 2.0):
        meter.fetched("loop", asked_at=now - 1, now=now)
    meter.step_begins(1, now=3.0)  # takes the second
    assert meter.fetched("loop", asked_at=2.0, now=4.0).seconds == 0.0


def test_the_first_batch_of_a_loop_is_waited_for_from_when_it_is_asked_for() -> None:
    meter = WaitMeter()
    meter.step_begins(0, now=0.0)
    for now in (1.0, 2.0, 3.0):
        meter.fetched("epoch 0", asked_at=now - 1, now=now)
    meter.step_begins(1, now=9.0)
    assert meter.fetched("epoch 1", asked_at=9.5, now=11.0) == Wait(1.5, is_certain=True)


def test_without_a_monitor_the_whole_wait_counts_and_is_said_to_be_uncertain() -> None:
    assert WaitMeter().fetched("loop", asked_at=0.0, now=2.0) == Wait(2.0, is_certain=False)


def test_what_was_told_of_one_training_is_not_believed_of_the_next() -> None:
    meter = WaitMeter()
    meter.step_begins(0, now=0.0)
    meter.forget()
    assert not meter.fetched("loop", asked_at=0.0, now=2.0).is_certain


def test_steps_that_are_told_of_another_training_are_not_believed_for_ever() -> None:
    meter = WaitMeter()
    meter.step_begins(0, now=0.0)
    waits = [meter.fetched("loop", asked_at=now, now=now + 1.0) for now in range(MOST_AHEAD + 2)]
    assert waits[-2].is_certain
    assert not waits[-1].is_certain


def test_of_a_wait_that_goes_on_the_trainers_part_so_far_can_be_asked_again_and_again() -> None:
    meter = WaitMeter()
    meter.fetched("loop", asked_at=0.0, now=1.0)
    meter.step_begins(0, now=1.0)
    assert meter.under_way(1.0, now=2.0) == Wait(0.0, is_certain=True)
    meter.step_begins(1, now=3.0)
    assert [meter.under_way(1.0, now=now).seconds for now in (4.0, 4.0, 5.0)] == [1.0, 1.0, 2.0]
    assert meter.fetched("loop", asked_at=1.0, now=5.0) == Wait(2.0, is_certain=True)
