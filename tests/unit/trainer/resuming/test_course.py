"""`Course` says of any place in a fit what Keras does there, as Keras' own loop has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from feedline.trainer.resuming.course import Course, Position

EPOCHS = 7


@dataclass(frozen=True)
class Call:
    """One ``on_train_batch_end`` of Keras: its argument, and the batch of the sequence after it."""

    keras_epoch: int
    last: int
    epoch: int
    step: int


def keras_calls(course: Course) -> Iterator[Call]:
    """What Keras' epoch iterator does with a sequence, batch by batch."""
    epoch, seen, has_iterator = -1, 0, False
    for keras_epoch in range(EPOCHS):
        if course.steps_per_epoch is None or not has_iterator:
            epoch, seen, has_iterator = epoch + 1, 0, True
        for step in range(0, course.steps_per_epoch or course.length, course.steps_per_execution):
            if seen >= course.length:
                break
            seen += course.steps_per_execution
            last = step + course.steps_per_execution - 1
            yield Call(keras_epoch, last, epoch, min(seen, course.length))
        has_iterator = seen < course.length


@pytest.mark.parametrize("steps_per_execution", [1, 2, 3])
@pytest.mark.parametrize("steps_per_epoch", [None, 1, 2, 3, 4, 6, 7, 8, 20])
@pytest.mark.parametrize("length", [1, 2, 6, 7])
def test_it_follows_keras_through_whole_and_shared_epochs(
    length: int, steps_per_epoch: int | None, steps_per_execution: int
) -> None:
    course = Course(length, steps_per_epoch, steps_per_execution)
    begun = at = Position(0, 0, 0, 0)
    for call in keras_calls(course):
        if call.keras_epoch > at.keras_epoch:
            assert course.is_over(begun, at)
            begun = at = course.after_epoch(at)
        assert not course.is_over(begun, at)
        at = course.after_batch(begun, call.last)
        assert (at.keras_epoch, at.epoch, at.step) == (call.keras_epoch, call.epoch, call.step)


@pytest.mark.parametrize("steps_per_epoch", [None, 4, 7, 20])
@pytest.mark.parametrize("steps_per_execution", [1, 2, 3])
def test_an_epoch_that_goes_on_midway_ends_where_a_whole_one_does(
    steps_per_epoch: int | None, steps_per_execution: int
) -> None:
    course = Course(7, steps_per_epoch, steps_per_execution)
    calls = [call for call in keras_calls(course) if call.keras_epoch == 1]
    whole = Position(1, 0, calls[0].epoch, calls[0].step - min(calls[0].step, steps_per_execution))
    for split in range(len(calls) - 1):
        begun = at = course.after_batch(whole, calls[split].last)
        for call in calls[split + 1 :]:
            assert not course.is_over(begun, at)
            at = course.after_batch(begun, call.last)
            assert at.step == call.step
        assert course.is_over(begun, at)
        assert at == course.after_batch(whole, calls[-1].last)


def test_one_sweep_goes_on_over_several_keras_epochs_and_the_next_is_begun_anew() -> None:
    course = Course(length=10, steps_per_epoch=4)
    assert not course.begins(Position(1, 0, 0, 4))
    assert course.begins(course.after_epoch(Position(2, 2, 0, 10)))
    assert Course(length=10).begins(Position(1, 0, 1, 0))
