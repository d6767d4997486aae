"""Every sweep that Keras completes has each step of one epoch once, whatever Keras does in between.

Over the shuffle seeds 0..199, the lengths 1, 2, 6 and 20, and all ways a backend drives a Sequence.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.sequences.binding import IndexBinding

from .keras_simulator import Backend, Keras, Sequence, complete_epochs

SEEDS = range(200)
LENGTHS = [1, 2, 6, 20]

every_backend = pytest.mark.parametrize("backend", list(Backend), ids=lambda backend: backend.name)
every_length = pytest.mark.parametrize("length", LENGTHS)
Story = Callable[[Keras, Sequence, int], object]


def tell(story: Story, backend: Backend, length: int) -> Iterator[list[int]]:
    """The epochs of the complete sweeps of a story, for each seed."""
    for seed in SEEDS:
        keras, sequence = Keras(backend, random.Random(seed)), Sequence(length)
        story(keras, sequence, seed)
        yield complete_epochs(keras, length)


def assert_each_sweep_is_an_epoch_of_its_own(story: Story, backend: Backend, length: int) -> None:
    for epochs in tell(story, backend, length):
        assert all(earlier < later for earlier, later in pairwise(epochs)), epochs


@every_backend
@every_length
def test_fit_trains_each_epoch_once(backend: Backend, length: int) -> None:
    assert_each_sweep_is_an_epoch_of_its_own(lambda keras, seq, _: keras.fit(seq, 4), backend, length)


@every_length
def test_a_first_fit_on_tensorflow_trains_epoch_0_whatever_was_peeked_at(length: int) -> None:
    for epochs in tell(lambda keras, seq, _: keras.fit(seq, 3), Backend.TENSORFLOW, length):
        assert epochs == [0, 1, 2]


@every_backend
@every_length
def test_two_fits_in_a_row_share_no_epoch(backend: Backend, length: int) -> None:
    def story(keras: Keras, sequence: Sequence, _: int) -> None:
        keras.fit(sequence, 2)
        keras.fit(sequence, 2)

    assert_each_sweep_is_an_epoch_of_its_own(story, backend, length)


@every_backend
@every_length
def test_a_fit_after_one_that_was_stopped_midway_loses_nothing(backend: Backend, length: int) -> None:
    def story(keras: Keras, sequence: Sequence, seed: int) -> None:
        keras.fit(sequence, 3, stop_after=1 + seed % (2 * length))
        keras.fit(sequence, 3)

    assert_each_sweep_is_an_epoch_of_its_own(story, backend, length)


@every_backend
@every_length
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 6, 7, 19, 20, 21, 40])
def test_steps_per_epoch_goes_on_over_several_keras_epochs(backend: Backend, length: int, steps: int) -> None:
    """Below the length, one iterator serves several Keras epochs, and the last of these is short."""
    keras_epochs = 3 * -(-length // steps)

    def story(keras: Keras, sequence: Sequence, _: int) -> None:
        keras.fit(sequence, keras_epochs, steps_per_epoch=steps)

    for epochs in tell(story, backend, length):
        assert epochs == sorted(set(epochs))
        assert len(epochs) == 3


@every_backend
@every_length
@pytest.mark.parametrize("steps", [1, 3, 19])
def test_steps_per_epoch_after_a_fit_that_was_stopped_loses_nothing(
    backend: Backend, length: int, steps: int
) -> None:
    """Ambiguous by epoch events alone; that Keras reads `num_batches` settles it.

    What the first fit asked for would make the epoch whole midway in the second fit's iterator.
    """

    def story(keras: Keras, sequence: Sequence, seed: int) -> None:
        keras.fit(sequence, 3, stop_after=1 + seed % (2 * length))
        keras.fit(sequence, 2 * -(-length // steps), steps_per_epoch=steps)
        keras.fit(sequence, 1, steps_per_epoch=steps)
        keras.fit(sequence, 2 * -(-length // steps), steps_per_epoch=steps)

    assert_each_sweep_is_an_epoch_of_its_own(story, backend, length)


@every_backend
@every_length
def test_evaluating_one_object_in_every_epoch_leaves_training_alone(backend: Backend, length: int) -> None:
    for seed in SEEDS:
        keras, train, val = Keras(backend, random.Random(seed)), Sequence(7), Sequence(length)
        keras.fit(train, 6, validation=val, validation_freq=1 + seed % 3)
        keras.evaluate(val)
        if length != 7:
            assert len(complete_epochs(keras, 7)) == 6
        assert len(complete_epochs(keras, length)) == 6 // (1 + seed % 3) + 1


@every_backend
@every_length
def test_validation_steps_below_the_length_ask_for_the_same_batches_each_time(
    backend: Backend, length: int
) -> None:
    """An epoch that is never whole never ends; read-ahead may make it whole, which costs nothing."""
    for seed in range(50):
        keras, train = Keras(backend, random.Random(seed)), Sequence(3)
        val = Sequence(length, in_plan_order=False)
        keras.fit(train, 5, validation=val, validation_steps=1)
        assert {key.step for sweep in keras.sweeps if len(sweep) == 1 for key in sweep} == {0}


@every_backend
@every_length
def test_the_same_object_for_training_and_validation_gives_each_an_epoch(
    backend: Backend, length: int
) -> None:
    def story(keras: Keras, sequence: Sequence, seed: int) -> None:
        keras.fit(sequence, 4, validation=sequence, validation_freq=1 + seed % 2)

    assert_each_sweep_is_an_epoch_of_its_own(story, backend, length)


@every_backend
@every_length
def test_predict_and_evaluate_see_each_step_once_each_time(backend: Backend, length: int) -> None:
    """On TensorFlow `predict` never resets: with a length of 1 or 2 its peeks cost an epoch."""

    def story(keras: Keras, sequence: Sequence, _: int) -> None:
        for use in (keras.predict, keras.predict, keras.evaluate, keras.predict, keras.evaluate):
            use(sequence)

    assert_each_sweep_is_an_epoch_of_its_own(story, backend, length)


@every_backend
@every_length
def test_predict_without_shuffle_goes_in_order(backend: Backend, length: int) -> None:
    keras, sequence = Keras(backend, random.Random(0)), Sequence(length, in_plan_order=False)
    for _ in range(3):
        keras.predict(sequence)
    assert [[key.step for key in sweep] for sweep in keras.sweeps if len(sweep) == length][-3:] == [
        list(range(length))
    ] * 3


@every_backend
@every_length
def test_manual_loops_before_and_after_fit_are_epochs_of_their_own(backend: Backend, length: int) -> None:
    """Where Keras peeks. Elsewhere it cannot be told apart from peeks, see the next test."""

    def story(keras: Keras, sequence: Sequence, _: int) -> None:
        keras.fit(sequence, 2)
        for loop in (keras.index_loop, keras.index_loop, keras.loop, keras.loop, keras.index_loop):
            loop(sequence)
        if backend.is_tensorflow:
            keras.fit(sequence, 2)

    assert_each_sweep_is_an_epoch_of_its_own(story, backend, length)


@pytest.mark.parametrize("backend", [Backend.JAX, Backend.TORCH])
def test_a_fit_right_after_a_manual_loop_may_train_its_epoch_once_more(backend: Backend) -> None:
    """Ambiguous: on JAX and torch the extra on_epoch_end forgets a loop as if it had been peeks."""

    def story(keras: Keras, sequence: Sequence, _: int) -> None:
        keras.built = True
        keras.loop(sequence)
        keras.fit(sequence, 2)

    assert all(epochs == [0, 0, 1] for epochs in tell(story, backend, 6))


@every_backend
def test_validation_on_the_same_object_within_steps_per_epoch_is_not_supported(backend: Backend) -> None:
    """Ambiguous: one iterator stands still in an epoch which another one sweeps.

    Nothing hangs and no index is refused, but a sweep may mix two epochs: the docs recommend a
    second Sequence.
    """
    mixed = 0
    for seed in SEEDS:
        keras, sequence = Keras(backend, random.Random(seed)), Sequence(20)
        keras.fit(sequence, 12, steps_per_epoch=3, validation=sequence)
        try:
            complete_epochs(keras, 20)
        except AssertionError:
            mixed += 1
    assert mixed > 0


# --- any story -----------------------------------------------------------------------------------

steps = st.one_of(st.none(), st.integers(1, 9))
actions = st.one_of(
    st.builds(
        lambda epochs, steps, stop: (
            lambda keras, seq: keras.fit(seq, epochs, steps_per_epoch=steps, stop_after=stop)
        ),
        st.integers(1, 5),
        steps,
        st.one_of(st.none(), st.integers(1, 12)),
    ),
    st.builds(lambda num: lambda keras, seq: keras.evaluate(seq, num), steps),
    st.builds(lambda num: lambda keras, seq: keras.predict(seq, num), steps),
    st.just(lambda keras, seq: keras.loop(seq)),
    # Not counted as a sweep: after a look at single indices nobody knows where such a loop begins.
    st.just(lambda _, seq: [seq[index] for index in range(seq.length)]),
    st.builds(lambda nth: lambda _, seq: seq[nth % seq.length], st.integers(0, 8)),
    st.just(lambda _, seq: seq.binding.reset()),
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(
    st.sampled_from(Backend),
    st.integers(1, 8),
    st.integers(0, 10**6),
    st.booleans(),
    st.lists(actions, max_size=8),
)
def test_whatever_the_story_complete_sweeps_are_whole_and_epochs_never_go_back(
    backend: Backend,
    length: int,
    seed: int,
    in_plan_order: bool,
    story: list[Callable[[Keras, Sequence], object]],
) -> None:
    keras, sequence = Keras(backend, random.Random(seed)), Sequence(length, in_plan_order=in_plan_order)
    for act in story:
        act(keras, sequence)
    epochs = complete_epochs(keras, length)
    assert epochs == sorted(epochs)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.integers(1, 9), st.lists(st.one_of(st.integers(0, 8), st.sampled_from("beix")), max_size=60))
def test_within_an_epoch_an_index_means_one_step_and_a_step_one_index(
    length: int, events: list[int | str]
) -> None:
    """Whatever comes in whatever order, known to Keras or not."""
    binding, steps = IndexBinding(length, in_plan_order=True), dict[tuple[int, int], StepKey]()
    tell = {
        "b": binding.epoch_begins,
        "e": binding.epoch_ends,
        "i": binding.iteration_begins,
        "x": binding.iterator_may_begin,
    }
    for event in events:
        if isinstance(event, str):
            tell[event]()
        else:
            key = binding.request(event % length)
            assert steps.setdefault((key.epoch, event % length), key) == key
            assert 0 <= key.step < length
    assert len(set(steps.values())) == len(steps)
