"""The two rules of `trainer.sequences.binding`, one by one; whole stories are in tests/properties."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from feedline.common.job.sizes import peek_at
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.sequences.binding import IndexBinding


def bound(num_steps: int, *, in_plan_order: bool = True) -> IndexBinding:
    return IndexBinding(num_steps, in_plan_order=in_plan_order)


def ask(binding: IndexBinding, indices: Iterable[int]) -> list[tuple[int, int]]:
    """(epoch, step) of each index."""
    return [tuple(binding.request(index)) for index in indices]  # type: ignore[misc]


def keras_epoch(binding: IndexBinding, indices: Iterable[int]) -> list[tuple[int, int]]:
    """An epoch that Keras begins and ends."""
    binding.epoch_begins()
    keys = ask(binding, indices)
    binding.epoch_ends()
    return keys


# --- binding -------------------------------------------------------------------------------------


def test_indices_are_bound_to_steps_in_the_order_of_their_first_request() -> None:
    assert ask(bound(4), [2, 0, 3, 1]) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_an_index_keeps_its_step_within_an_epoch() -> None:
    assert ask(bound(4), [2, 0, 2, 2, 0]) == [(0, 0), (0, 1), (0, 0), (0, 0), (0, 1)]


def test_without_shuffle_an_index_is_its_step() -> None:
    assert ask(bound(4, in_plan_order=False), [2, 0, 3, 1]) == [(0, 2), (0, 0), (0, 3), (0, 1)]


def test_each_epoch_binds_anew() -> None:
    binding = bound(3)
    assert keras_epoch(binding, [2, 1, 0]) == [(0, 0), (0, 1), (0, 2)]
    assert keras_epoch(binding, [0, 1, 2]) == [(1, 0), (1, 1), (1, 2)]


# --- when an epoch advances ----------------------------------------------------------------------


def test_a_whole_epoch_ends_when_keras_begins_the_next() -> None:
    binding = bound(2)
    keras_epoch(binding, [0, 1])
    assert binding.epoch == 0
    binding.epoch_begins()
    assert binding.epoch == 1


def test_an_epoch_that_is_not_whole_goes_on() -> None:
    binding = bound(3)
    keras_epoch(binding, [0, 1])
    assert keras_epoch(binding, [2, 0]) == [(0, 2), (0, 0)]
    binding.epoch_begins()
    assert binding.epoch == 1


def test_an_on_epoch_end_that_closes_no_epoch_ends_a_whole_one() -> None:
    binding = bound(2)
    keras_epoch(binding, [0, 1])
    binding.epoch_ends()
    assert binding.epoch == 1


def test_iter_ends_a_whole_epoch() -> None:
    binding = bound(2)
    for epoch in range(3):
        binding.iteration_begins()
        assert ask(binding, [0, 1]) == [(epoch, 0), (epoch, 1)]


def test_a_loop_over_indices_ends_a_whole_epoch_by_itself() -> None:
    binding = bound(2)
    assert ask(binding, [0, 1, 0, 1, 1, 0]) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_loop_over_indices_after_fit_has_epochs_of_its_own() -> None:
    """Keras has ended its epoch, so that a request for a known index is not one of Keras'."""
    binding = bound(2)
    keras_epoch(binding, [1, 0])
    assert ask(binding, [0, 1, 0, 1]) == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_within_an_epoch_that_keras_began_requests_end_nothing() -> None:
    binding = bound(2)
    binding.epoch_begins()
    assert ask(binding, [0, 1, 0, 1]) == [(0, 0), (0, 1), (0, 0), (0, 1)]


def test_peeks_are_forgotten_and_their_bindings_kept() -> None:
    binding = bound(2)
    ask(binding, [0, 1])
    assert binding.epoch_ends() == [(0, 0), (0, 1)]
    assert keras_epoch(binding, [1, 0]) == [(0, 1), (0, 0)]
    binding.epoch_begins()
    assert binding.epoch == 1


def test_peeks_before_a_second_fit_are_no_reason_to_build_anything_again() -> None:
    binding = bound(3)
    keras_epoch(binding, [0, 1, 2])
    binding.iterator_may_begin()
    ask(binding, [0, 1])
    assert binding.epoch == 1
    assert binding.epoch_ends() == [(1, 0), (1, 1)]


def test_a_fake_epoch_costs_nothing() -> None:
    """JAX and torch begin an epoch to see one batch."""
    binding = bound(3)
    keras_epoch(binding, [2])
    assert keras_epoch(binding, [1, 2, 0]) == [(0, 1), (0, 0), (0, 2)]


def test_a_fake_epoch_of_one_step_cannot_be_told_apart_from_a_real_one() -> None:
    """Ambiguous, and harmless: training begins with epoch 1."""
    binding = bound(1)
    keras_epoch(binding, [0])
    assert keras_epoch(binding, [0]) == [(1, 0)]


def test_reset_gives_up_what_was_begun() -> None:
    binding = bound(3)
    binding.epoch_begins()
    ask(binding, [0, 2])
    binding.reset()
    assert keras_epoch(binding, [1, 2, 0]) == [(1, 0), (1, 1), (1, 2)]


def test_reset_of_an_epoch_in_which_nothing_was_asked_does_nothing() -> None:
    binding = bound(3)
    binding.reset()
    binding.reset()
    assert binding.epoch == 0


# --- iterators -----------------------------------------------------------------------------------


def stopped_then_begun_anew(binding: IndexBinding) -> list[tuple[int, int]]:
    """Indices 3 and 2 in a fit that is stopped, then all in a new iterator over Keras epochs of 2."""
    binding.epoch_begins()
    ask(binding, [3, 2])
    binding.epoch_ends()
    binding.epoch_begins()
    binding.iterator_may_begin()
    keys = ask(binding, [0, 1])
    binding.epoch_ends()
    return keys + keras_epoch(binding, [2, 3])


def test_what_an_earlier_iterator_asked_does_not_make_an_epoch_whole() -> None:
    """Else the second Keras epoch would end the epoch, and indices 2 and 3 would come from the next."""
    binding = bound(4)
    assert sorted(stopped_then_begun_anew(binding)) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    binding.epoch_begins()
    assert binding.epoch == 1


def test_without_word_of_iterators_the_case_is_ambiguous_and_reset_settles_it() -> None:
    """A Keras that stops reading `num_batches` brings this back; the callback then calls `reset`."""

    class DeafBinding(IndexBinding):
        def iterator_may_begin(self) -> None:
            """Nobody tells."""

    epochs = {epoch for epoch, _ in stopped_then_begun_anew(DeafBinding(4, in_plan_order=True))}
    assert epochs == {0, 1}
    binding = DeafBinding(4, in_plan_order=True)
    keras_epoch(binding, [3, 2])
    binding.reset()
    assert keras_epoch(binding, [0, 1]) + keras_epoch(binding, [2, 3]) == [(1, 0), (1, 1), (1, 2), (1, 3)]


def test_an_epoch_that_was_whole_stays_so_when_an_iterator_begins() -> None:
    binding = bound(2)
    binding.epoch_begins()
    ask(binding, [0, 1])
    binding.iterator_may_begin()
    ask(binding, [0])
    binding.epoch_begins()
    assert binding.epoch == 1


def test_word_of_an_iterator_that_never_asks_changes_nothing() -> None:
    binding = bound(2)
    keras_epoch(binding, [0, 1])
    binding.iterator_may_begin()
    binding.epoch_begins()
    assert binding.epoch == 1


@pytest.mark.parametrize(("looked_at", "epochs"), [(0, [0, 0, 0]), (1, [0, 0, 0]), (2, [0, 0, 1])])
def test_a_loop_over_indices_after_a_look_at_the_last_one_is_ambiguous(
    looked_at: int, epochs: list[int]
) -> None:
    """Nobody can tell the loop's last request from the first of a next loop; `iter` tells."""
    binding = bound(3)
    ask(binding, [looked_at])
    assert [epoch for epoch, _ in ask(binding, [0, 1, 2])] == epochs
    binding = bound(3)
    ask(binding, [looked_at])
    binding.iteration_begins()
    assert [epoch for epoch, _ in ask(binding, [0, 1, 2])] == [0, 0, 0]


def binding_of_sizes(*, in_plan_order: bool = True) -> IndexBinding:
    return IndexBinding(4, in_plan_order=in_plan_order, shows_sizes=True)


def test_two_peeks_of_several_sizes_stand_beside_the_epoch() -> None:
    binding = binding_of_sizes()
    binding.iterator_may_begin()
    assert [binding.request(0), binding.request(1)] == [StepKey(0, peek_at(0, 0)), StepKey(0, peek_at(1, 1))]
    assert binding.epoch_ends() == [StepKey(0, 0), StepKey(0, 1)]
    binding.epoch_begins()
    assert [binding.request(index).step for index in range(4)] == [0, 1, 2, 3]


def test_a_second_fit_is_shown_sizes_again_whatever_its_indices_mean() -> None:
    binding = binding_of_sizes()
    binding.epoch_begins()
    assert [binding.request(index).step for index in (3, 1)] == [0, 1]
    binding.epoch_ends()  # the model stopped training
    binding.iterator_may_begin()
    binding.iterator_may_begin()
    assert [binding.request(0).step, binding.request(1).step] == [peek_at(2, 0), peek_at(1, 1)]


def test_a_fit_after_one_that_broke_off_is_shown_sizes() -> None:
    """An error, Ctrl-C or stop_training in the middle of an epoch: Keras never ends it."""
    binding = binding_of_sizes(in_plan_order=False)
    binding.epoch_begins()
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in (0, 1)] == [0, 1]
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in (0, 1)] == [peek_at(0, 0), peek_at(1, 1)]
    binding.epoch_ends()
    binding.epoch_begins()
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in range(4)] == [0, 1, 2, 3]


def test_only_the_first_two_indices_right_after_an_iterator_are_peeks() -> None:
    binding = binding_of_sizes(in_plan_order=False)
    assert [binding.request(index).step for index in (0, 1)] == [0, 1]
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in (1, 0, 0, 1, 1)] == [
        1,
        peek_at(0, 0),
        0,
        peek_at(1, 1),
        1,
    ]


def test_an_epoch_has_no_peeks() -> None:
    binding = binding_of_sizes(in_plan_order=False)
    binding.iterator_may_begin()
    binding.epoch_begins()
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in range(4)] == [0, 1, 2, 3]
    binding.epoch_ends()
    binding.iterator_may_begin()
    binding.iteration_begins()
    assert [binding.request(index).step for index in range(4)] == [0, 1, 2, 3]


def test_a_sequence_of_one_size_has_no_peeks() -> None:
    binding = IndexBinding(4, in_plan_order=False)
    binding.iterator_may_begin()
    assert [binding.request(index).step for index in (0, 1)] == [0, 1]
