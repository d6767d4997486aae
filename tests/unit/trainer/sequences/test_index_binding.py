"""The rules of `trainer.sequences.index_binding`, one by one; whole stories are in tests/properties."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from feedline.common.job.sizes import peek_at
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.sequences.index_binding import IndexBinding


def bound(num_steps: int, *, in_plan_order: bool = True, first_epoch: int = 0) -> IndexBinding:
    return IndexBinding(num_steps, in_plan_order=in_plan_order, first_epoch=first_epoch)


def ask(binding: IndexBinding, indices: Iterable[int], *callers: str) -> list[tuple[int, int]]:
    """(epoch, step) of each index."""
    return [tuple(binding.request(index, callers)) for index in indices]  # type: ignore[misc]


def sweep(binding: IndexBinding, indices: Iterable[int], loop: str = "a loop") -> list[tuple[int, int]]:
    """What a generator gets that reads `num_batches` and then asks."""
    binding.iterator_may_begin([loop])
    return ask(binding, indices, loop)


def keras_epoch(
    binding: IndexBinding, indices: Iterable[int], *, reads_at_end: bool = False
) -> list[tuple[int, int]]:
    """An epoch that Keras begins and ends; on JAX and torch it then makes the generator for the next."""
    binding.epoch_begins()
    binding.iterator_may_begin()
    keys = sweep(binding, indices, "Keras' generator")
    if reads_at_end:
        binding.iterator_may_begin()
    binding.epoch_ends()
    return keys


@pytest.mark.parametrize("reads_at_end", [True, False])
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_keras_trains_one_epoch_after_the_other(num_steps: int, reads_at_end: bool) -> None:
    binding = bound(num_steps)
    for epoch in range(3):
        trained = keras_epoch(binding, range(num_steps), reads_at_end=reads_at_end)
        assert trained == [(epoch, step) for step in range(num_steps)]


def keras_turns_to(binding: IndexBinding, peeks: Iterable[int] = ()) -> list[StepKey]:
    """What Keras does before it trains or evaluates: it reads, TensorFlow peeks, and it resets."""
    binding.iterator_may_begin()
    ask(binding, peeks)
    binding.iterator_may_begin()
    return binding.epoch_ends()


# --- binding -------------------------------------------------------------------------------------


def test_indices_are_bound_to_steps_in_the_order_of_their_first_request() -> None:
    assert ask(bound(4), [2, 0, 3, 1]) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_an_index_keeps_its_step_within_a_sweep() -> None:
    assert ask(bound(4), [2, 0, 2, 2, 0]) == [(0, 0), (0, 1), (0, 0), (0, 0), (0, 1)]


def test_without_shuffle_an_index_is_its_step() -> None:
    assert ask(bound(4, in_plan_order=False), [2, 0, 3, 1]) == [(0, 2), (0, 0), (0, 3), (0, 1)]


def test_each_sweep_binds_anew() -> None:
    binding = bound(3)
    assert sweep(binding, [2, 1, 0]) == [(0, 0), (0, 1), (0, 2)]
    assert sweep(binding, [0, 1, 2]) == [(1, 0), (1, 1), (1, 2)]


# --- loops ---------------------------------------------------------------------------------------


def test_a_loop_has_an_epoch_to_itself_from_its_first_request_on() -> None:
    binding = bound(2)
    binding.iterator_may_begin(["one"])
    binding.iterator_may_begin(["two"])
    assert ask(binding, [0], "two") + ask(binding, [0], "one") == [(0, 0), (1, 0)]
    assert ask(binding, [1], "two") + ask(binding, [1], "one") == [(0, 1), (1, 1)]


def test_a_loop_that_is_left_early_has_used_up_its_epoch() -> None:
    binding = bound(3)
    assert [sweep(binding, [0, 1]) for _ in range(3)] == [[(e, 0), (e, 1)] for e in range(3)]


def test_a_loop_that_goes_round_has_a_sweep_for_each_round() -> None:
    binding = bound(2)
    assert sweep(binding, [0, 1, 0, 1, 1, 0]) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_loop_is_known_behind_others_that_never_read() -> None:
    """A sequence that wraps this one is called by the generator, and calls in its turn."""
    binding = bound(2)
    binding.iterator_may_begin(["Keras"])
    assert ask(binding, [0], "a wrapper", "Keras") + ask(binding, [1], "Keras") == [(0, 0), (0, 1)]
    assert ask(binding, [0], "a wrapper") == [(1, 0)]


def test_a_reading_that_nobody_follows_changes_nothing() -> None:
    binding = bound(2)
    binding.iterator_may_begin(["one"])
    binding.iterator_may_begin()
    assert sweep(binding, [0, 1], "two") == [(0, 0), (0, 1)]


def test_the_epoch_is_that_of_the_last_request_until_the_next() -> None:
    """So that labels can be laid beside what `predict` has returned."""
    binding = bound(2, first_epoch=3)
    assert binding.epoch == 3
    keras_epoch(binding, [0, 1])
    keras_epoch(binding, [0, 1])
    assert binding.epoch == 4


def test_loops_that_were_swept_whole_are_forgotten() -> None:
    binding = bound(2)
    for number in range(100):
        sweep(binding, [0, 1], f"loop {number}")
    assert len(binding._loops) == 1


def test_a_request_of_an_earlier_sweep_crosses_a_later_one() -> None:
    binding = bound(2)
    sweep(binding, [0], "one")
    sweep(binding, [0], "two")
    assert not binding.is_crossing
    ask(binding, [1], "one")
    assert binding.is_crossing
    ask(binding, [1], "two")
    assert not binding.is_crossing


def test_only_a_loop_jumps() -> None:
    binding = bound(4)
    jumps = []
    for index in (0, 1, 3, 2):
        sweep(binding, [index], "a loop") if index == 0 else ask(binding, [index], "a loop")
        jumps.append(binding.is_jumping)
    assert jumps == [False, False, True, True]
    ask(binding, [0, 3])
    assert not binding.is_jumping


# --- by hand -------------------------------------------------------------------------------------


def test_a_loop_over_indices_ends_a_whole_epoch_by_itself() -> None:
    binding = bound(2)
    assert ask(binding, [0, 1, 0, 1, 1, 0]) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_loop_over_indices_after_fit_has_epochs_of_its_own() -> None:
    binding = bound(2)
    keras_epoch(binding, [1, 0])
    assert ask(binding, [0, 1, 0, 1]) == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_on_epoch_end_ends_a_sweep_by_hand_however_far_it_got() -> None:
    binding = bound(3)
    for epoch, indices in enumerate([[0, 1, 2], [0], [2, 1], [0, 1, 2]]):
        assert {asked for asked, _ in ask(binding, indices)} == {epoch}
        binding.epoch_ends()


def test_on_epoch_begin_ends_what_another_began() -> None:
    binding = bound(3)
    for epoch, indices in enumerate([[0, 1, 2], [0], [2, 1], [0, 1, 2]]):
        binding.epoch_begins()
        assert {asked for asked, _ in ask(binding, indices)} == {epoch}


def test_an_event_after_which_nothing_was_asked_ends_nothing() -> None:
    binding = bound(3)
    for _ in range(3):
        binding.epoch_begins()
        binding.epoch_ends()
        binding.epoch_ends()
    assert ask(binding, [0]) == [(0, 0)]


def test_a_look_costs_no_epoch() -> None:
    binding = bound(3)
    ask(binding, [2])
    assert keras_epoch(binding, [1, 2, 0]) == [(0, 0), (0, 1), (0, 2)]
    ask(binding, [1])
    binding.epoch_begins()
    assert ask(binding, [0, 1, 2]) == [(1, 0), (1, 1), (1, 2)]


def test_a_look_during_a_sweep_sees_what_the_sweep_sees() -> None:
    binding = bound(3)
    sweep(binding, [2, 0])
    assert ask(binding, [0, 2, 1]) == [(0, 1), (0, 0), (0, 2)]
    assert ask(binding, [1], "a loop") == [(0, 2)]


def test_a_look_does_not_change_the_order_of_a_sweep_that_is_under_way() -> None:
    binding = bound(4)
    sweep(binding, [0])
    ask(binding, [3])
    assert ask(binding, [1, 2, 3], "a loop") == [(0, 1), (0, 2), (0, 3)]


def test_a_look_after_a_sweep_is_of_the_next_epoch_not_of_an_earlier_look() -> None:
    binding = bound(3)
    ask(binding, [0])
    keras_epoch(binding, [0, 1, 2])
    keras_epoch(binding, [0, 1, 2])
    assert ask(binding, [0, 1, 2]) == [(2, 0), (2, 1), (2, 2)]


def test_a_loop_by_hand_goes_on_in_its_epoch_when_another_has_swept() -> None:
    binding = bound(3)
    assert ask(binding, [0]) == [(0, 0)]
    sweep(binding, [0, 1, 2])
    sweep(binding, [0, 1, 2])
    assert ask(binding, [1, 2, 0]) == [(0, 1), (0, 2), (2, 0)]


@pytest.mark.parametrize("num_steps", [4, 5, 9])
def test_the_last_index_of_a_loop_that_counts_up_may_be_asked_for_again(num_steps: int) -> None:
    binding = bound(num_steps)
    last = num_steps - 1
    for epoch in range(3):
        assert ask(binding, [*range(num_steps), last])[-2:] == [(epoch, last), (epoch, last)]


def test_a_loop_that_counts_up_after_a_look_at_the_last_index_is_of_the_same_epoch() -> None:
    binding = bound(5)
    assert {epoch for epoch, _ in ask(binding, [4, 0, 1, 2, 3, 4])} == {0}
    assert {epoch for epoch, _ in ask(binding, [0, 1, 2, 3, 4])} == {1}


@pytest.mark.parametrize("num_steps", [2, 3])
def test_in_few_steps_the_last_index_once_more_is_ambiguous_and_taken_for_a_next_pass(num_steps: int) -> None:
    """Of two passes in random order the second often begins with the index at which the first ended."""
    binding = bound(num_steps)
    ask(binding, range(num_steps))
    assert ask(binding, [num_steps - 1]) == [(1, 0)]


# --- what Keras does -----------------------------------------------------------------------------


@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_peeks_cost_no_epoch_and_their_steps_are_expected_again(num_steps: int) -> None:
    binding = bound(num_steps)
    for epoch in range(3):
        peeks = [*range(min(2, num_steps))]
        assert keras_turns_to(binding, peeks) == [(epoch, peek) for peek in peeks]
        assert keras_epoch(binding, range(num_steps)) == [(epoch, step) for step in range(num_steps)]


@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_peeks_before_predict_which_resets_nothing_cost_no_epoch(num_steps: int) -> None:
    binding = bound(num_steps)
    for epoch in range(3):
        binding.iterator_may_begin()
        ask(binding, range(min(2, num_steps)))
        assert keras_epoch(binding, range(num_steps)) == [(epoch, step) for step in range(num_steps)]


def test_peeks_beside_a_sweep_are_not_expected_again() -> None:
    binding = bound(3)
    binding.epoch_begins()
    sweep(binding, [0, 1])
    assert keras_turns_to(binding, [0, 1]) == []
    assert ask(binding, [2], "a loop") == [(0, 2)]


def test_a_loop_by_hand_that_counts_by_num_batches_is_no_peeking() -> None:
    binding = bound(2)
    for epoch in range(3):
        binding.iterator_may_begin()
        assert ask(binding, [0, 1]) == [(epoch, 0), (epoch, 1)]
    binding.epoch_ends()
    assert ask(binding, [0]) == [(3, 0)]


def test_keras_turning_to_the_sequence_ends_no_look() -> None:
    binding = bound(3)
    ask(binding, [0])
    keras_turns_to(binding)
    assert keras_epoch(binding, [0, 1, 2]) == [(0, 0), (0, 1), (0, 2)]


def test_an_epoch_that_keras_begins_to_see_a_batch_comes_again() -> None:
    binding = bound(3)
    binding.iterator_may_begin()
    binding.epoch_begins()
    assert sweep(binding, [2], "fake") == [(0, 0)]
    binding.iterator_may_begin()
    assert binding.epoch_ends() == [(0, 0)]
    assert keras_epoch(binding, [1, 2, 0]) == [(0, 0), (0, 1), (0, 2)]
    assert keras_epoch(binding, [1, 2, 0]) == [(1, 0), (1, 1), (1, 2)]


def test_an_epoch_of_one_step_that_keras_begins_to_see_a_batch_is_ambiguous() -> None:
    """And harmless: training begins with epoch 1."""
    binding = bound(1)
    binding.epoch_begins()
    sweep(binding, [0], "fake")
    binding.iterator_may_begin()
    binding.epoch_ends()
    assert keras_epoch(binding, [0]) == [(1, 0)]


@pytest.mark.parametrize("peeks", [(), (0, 1)], ids=["", "peeks"])
def test_a_fit_after_one_that_was_stopped_has_the_next_epoch(peeks: tuple[int, ...]) -> None:
    binding = bound(3)
    binding.epoch_begins()
    sweep(binding, [2, 0])
    keras_turns_to(binding, peeks)
    assert keras_epoch(binding, [0, 1, 2]) == [(1, 0), (1, 1), (1, 2)]


def test_a_sweep_goes_on_over_several_keras_epochs() -> None:
    binding = bound(3)
    binding.epoch_begins()
    binding.iterator_may_begin()
    keys = sweep(binding, [2, 0])
    binding.epoch_ends()
    binding.epoch_begins()
    keys += ask(binding, [1], "a loop")
    binding.epoch_ends()
    assert keys == [(0, 0), (0, 1), (0, 2)]


# --- the number of the next epoch ----------------------------------------------------------------


def test_the_first_epoch_may_be_any() -> None:
    binding = bound(2, first_epoch=5)
    assert sweep(binding, [1, 0]) + ask(binding, [1]) == [(5, 0), (5, 1), (6, 0)]


@pytest.mark.parametrize("epoch", [0, 2, 7])
def test_the_next_sweep_is_of_the_epoch_that_was_set_and_later_ones_follow(epoch: int) -> None:
    binding = bound(2)
    for _ in range(3):
        sweep(binding, [0, 1])
    assert binding.begin_at(StepKey(epoch, 0))
    assert sweep(binding, [0, 1]) == [(epoch, 0), (epoch, 1)]
    assert ask(binding, [0, 1]) == [(epoch + 1, 0), (epoch + 1, 1)]
    assert binding.begin_at(StepKey(epoch, 0))
    assert ask(binding, [0, 1]) == [(epoch, 0), (epoch, 1)]


def test_setting_the_epoch_that_comes_anyway_changes_nothing() -> None:
    binding = bound(2)
    ask(binding, [0])
    assert not binding.begin_at(StepKey(0, 0))
    ask(binding, [1])
    assert not binding.begin_at(StepKey(1, 0))


def test_a_sweep_under_way_goes_on_when_the_epoch_is_set() -> None:
    binding = bound(2)
    sweep(binding, [0])
    binding.begin_at(StepKey(9, 0))
    assert ask(binding, [1], "a loop") == [(0, 1)]


# --- several sizes -------------------------------------------------------------------------------


def binding_of_sizes(*, in_plan_order: bool = True) -> IndexBinding:
    return IndexBinding(4, in_plan_order=in_plan_order, shows_sizes=True)


def test_two_peeks_of_several_sizes_stand_beside_the_epoch() -> None:
    binding = binding_of_sizes()
    binding.iterator_may_begin()
    assert [binding.request(0), binding.request(1)] == [StepKey(0, peek_at(0, 0)), StepKey(0, peek_at(1, 1))]
    binding.iterator_may_begin()
    assert binding.epoch_ends() == [StepKey(0, 0), StepKey(0, 1)]
    assert keras_epoch(binding, range(4)) == [(0, step) for step in range(4)]


def test_a_fit_after_one_that_broke_off_is_shown_sizes() -> None:
    """An error, Ctrl-C or stop_training in the middle of an epoch: Keras never ends it."""
    binding = binding_of_sizes(in_plan_order=False)
    binding.epoch_begins()
    assert sweep(binding, [0, 1]) == [(0, 0), (0, 1)]
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in (0, 1)] == [peek_at(0, 0), peek_at(1, 1)]
    binding.iterator_may_begin()
    binding.epoch_ends()
    assert keras_epoch(binding, range(4)) == [(1, step) for step in range(4)]


def test_only_the_first_two_indices_right_after_a_reading_are_peeks() -> None:
    binding = binding_of_sizes(in_plan_order=False)
    assert [binding.request(index).step for index in (0, 1)] == [0, 1]
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in (0, 1, 0, 1)] == [peek_at(0, 0), peek_at(1, 1), 0, 1]
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in (2, 0, 1)] == [2, 0, 1]


def test_a_loop_has_no_peeks() -> None:
    binding = binding_of_sizes(in_plan_order=False)
    assert sweep(binding, range(4)) == [(0, step) for step in range(4)]
    assert keras_epoch(binding, range(4)) == [(1, step) for step in range(4)]


def test_a_sequence_of_one_size_shows_none() -> None:
    binding = bound(4, in_plan_order=False)
    binding.iterator_may_begin()
    assert ask(binding, [0, 1]) == [(0, 0), (0, 1)]


# --- going on midway -----------------------------------------------------------------------------


@pytest.mark.parametrize("in_plan_order", [True, False])
@pytest.mark.parametrize("step", range(1, 5))
def test_a_loop_is_told_what_is_left_and_gets_it_and_the_next_epoch_is_whole(
    step: int, in_plan_order: bool
) -> None:
    binding = bound(5, in_plan_order=in_plan_order)
    assert binding.begin_at(StepKey(3, step))
    assert binding.iterator_may_begin() == 5
    num_left = binding.iterator_may_begin(["a loop"])
    assert num_left == 5 - step
    assert ask(binding, range(num_left), "a loop") == [(3, left) for left in range(step, 5)]
    assert binding.iterator_may_begin(["another"]) == 5
    assert ask(binding, range(5), "another") == [(4, whole) for whole in range(5)]


@pytest.mark.parametrize("in_plan_order", [True, False])
def test_a_loop_by_hand_goes_on_with_the_indices_that_are_left(in_plan_order: bool) -> None:
    binding = bound(6, in_plan_order=in_plan_order)
    binding.begin_at(StepKey(2, 4))
    assert ask(binding, [4, 5]) == [(2, 4), (2, 5)]
    assert ask(binding, range(6)) == [(3, step) for step in range(6)]


def test_what_was_trained_before_is_still_there_to_be_looked_at() -> None:
    binding = bound(4)
    binding.begin_at(StepKey(2, 2))
    assert ask(binding, [0, 1, 3, 2]) == [(2, 0), (2, 1), (2, 2), (2, 3)]


def test_keras_shuffles_what_is_left_into_plan_order() -> None:
    binding = bound(5)
    binding.begin_at(StepKey(0, 2))
    assert keras_epoch(binding, [2, 0, 1]) == [(0, 2), (0, 3), (0, 4)]
    assert keras_epoch(binding, [4, 2, 0, 1, 3]) == [(1, step) for step in range(5)]


def test_peeks_use_up_nothing_of_what_is_left() -> None:
    binding = bound(5)
    binding.begin_at(StepKey(1, 3))
    keras_turns_to(binding, [0, 1])
    assert keras_epoch(binding, [0, 1]) == [(1, 3), (1, 4)]


def test_a_look_beside_a_loop_that_went_on_midway_sees_its_batches() -> None:
    binding = bound(5)
    binding.begin_at(StepKey(1, 3))
    assert sweep(binding, [1]) == [(1, 3)]
    assert ask(binding, [1]) == [(1, 3)]


@pytest.mark.parametrize("step", [0, 2])
def test_it_says_what_a_loop_has_taken(step: int) -> None:
    binding = bound(5)
    binding.begin_at(StepKey(1, step))
    assert binding.taken() == (1, step)
    sweep(binding, range(2))
    assert binding.taken() == (1, step + 2)


def test_a_loop_that_leaves_out_a_step_has_taken_nothing_that_can_be_said() -> None:
    binding = bound(5, in_plan_order=False)
    ask(binding, [0, 2])
    assert binding.taken() is None
    ask(binding, [1])
    assert binding.taken() == (0, 3)
