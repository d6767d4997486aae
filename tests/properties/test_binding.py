"""Every sweep that Keras completes has each step of one epoch once, whatever Keras does in between.

Over the shuffle seeds 0..199, the lengths 1, 2, 6 and 20, and all ways a backend drives a Sequence.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.sequences.index_binding import IndexBinding

from .keras_simulator import Backend, Keras, Sequence, complete_epochs

SEEDS = range(200)
LENGTHS = [1, 2, 6, 20]

every_backend = pytest.mark.parametrize("backend", list(Backend), ids=lambda backend: backend.name)
every_length = pytest.mark.parametrize(
    "length", [*LENGTHS[:-1], pytest.param(LENGTHS[-1], marks=pytest.mark.exhaustive)]
)
STEPS = [1, 3, 7, 20, *(pytest.param(steps, marks=pytest.mark.exhaustive) for steps in (2, 5, 6, 19, 21, 40))]
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
@pytest.mark.parametrize("steps", STEPS)
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
    for seed in range(10):
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


@every_length
def test_on_tensorflow_the_peeks_of_predict_cost_no_epoch(length: int) -> None:
    for epochs in tell(
        lambda keras, seq, _: [keras.predict(seq) for _ in range(3)], Backend.TENSORFLOW, length
    ):
        assert epochs == [0, 1, 2]


@every_backend
@every_length
def test_loops_by_hand_before_and_after_fit_are_epochs_of_their_own(backend: Backend, length: int) -> None:
    def story(keras: Keras, sequence: Sequence, _: int) -> None:
        for loop in (keras.index_loop, keras.old_loop, keras.loop):
            loop(sequence)
            loop(sequence)
            keras.fit(sequence, 2)

    assert_each_sweep_is_an_epoch_of_its_own(story, backend, length)


# --- one sweep inside another --------------------------------------------------------------------

Nested = Callable[[Keras, Sequence], object]
NESTED: dict[str, Nested] = {
    "predict": lambda keras, sequence: keras.predict(sequence),
    "evaluate": lambda keras, sequence: keras.evaluate(sequence),
    "fit": lambda keras, sequence: keras.fit(sequence, 2),
    "iter": lambda keras, sequence: keras.loop(sequence),
    "an iterator left early": lambda _, sequence: next(iter(sequence)),
}
every_nested = pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)


def once_in_a_while(nested: Nested, keras: Keras, sequence: Sequence, seed: int) -> Callable[[], None]:
    """A callback that sweeps after some batches."""
    calls = itertools.count(seed)

    def callback() -> None:
        if next(calls) % 5 == 0:
            nested(keras, sequence)

    return callback


@every_backend
@every_length
@every_nested
def test_a_sweep_inside_a_fit_leaves_both_whole_and_each_an_epoch_of_its_own(
    backend: Backend, length: int, nested: Nested
) -> None:
    for seed in range(10):
        keras, sequence = Keras(backend, random.Random(seed), built=True), Sequence(length)
        keras.fit(sequence, 4, callback=once_in_a_while(nested, keras, sequence, seed))
        epochs = complete_epochs(keras, length)
        assert len(epochs) == len(set(epochs)) >= 4


@every_backend
@pytest.mark.parametrize("steps", [3, 19])
@every_nested
def test_a_sweep_inside_a_fit_with_steps_per_epoch_leaves_both_whole(
    backend: Backend, steps: int, nested: Nested
) -> None:
    for seed in range(10):
        keras, sequence = Keras(backend, random.Random(seed), built=True), Sequence(20)
        callback = once_in_a_while(nested, keras, sequence, seed)
        keras.fit(sequence, 2 * -(-20 // steps), steps_per_epoch=steps, callback=callback)
        epochs = complete_epochs(keras, 20)
        assert len(epochs) == len(set(epochs)) >= 2


@every_backend
def test_validation_on_the_same_object_within_steps_per_epoch_leaves_both_whole(backend: Backend) -> None:
    """One iterator stands still in an epoch while another one sweeps."""
    for seed in range(50):
        keras, sequence = Keras(backend, random.Random(seed)), Sequence(20)
        keras.fit(sequence, 14, steps_per_epoch=3, validation=sequence)
        epochs = complete_epochs(keras, 20)
        assert len(epochs) == len(set(epochs)) == 16


def look(looks: list[StepKey], sequence: Sequence) -> None:
    """What a callback does that draws a picture."""
    looks.append(sequence[0])


@every_backend
@pytest.mark.parametrize("length", LENGTHS[1:])
def test_a_look_from_a_callback_sees_what_is_trained_on_and_costs_no_epoch(
    backend: Backend, length: int
) -> None:
    for seed in range(10):
        keras, sequence = Keras(backend, random.Random(seed), built=True), Sequence(length)
        looks: list[StepKey] = []
        keras.fit(sequence, 4, callback=partial(look, looks, sequence))
        epochs = complete_epochs(keras, length)
        # Reading ahead may make the epoch whole that a MirroredStrategy begins to see a batch.
        assert epochs in ([0, 1, 2, 3], [1, 2, 3, 4][: 4 * (backend is Backend.MIRRORED)])
        if backend in {Backend.JAX, Backend.TORCH}:  # the others have read ahead
            assert [seen.epoch for seen in looks] == [epoch for epoch in range(4) for _ in range(length)]


@every_backend
@pytest.mark.parametrize("length", [6, 20])
@pytest.mark.parametrize("in_order", [True, False], ids=["in order", "at random"])
def test_a_loop_by_hand_stays_whole_whatever_is_swept_inside_it(
    backend: Backend, length: int, in_order: bool
) -> None:
    for seed in range(10):
        rng = random.Random(seed)
        keras, sequence = Keras(backend, rng, built=True), Sequence(length)
        sweeps = []
        for _ in range(3):
            indices = range(length) if in_order else rng.sample(range(length), length)
            sweep = []
            for index in indices:
                sweep.append(sequence[index])
                if rng.random() < 0.2:
                    rng.choice([*NESTED.values()])(keras, sequence)
            sweeps.append(sweep)
        assert [sorted(key.step for key in sweep) for sweep in sweeps] == [[*range(length)]] * 3
        epochs = [{key.epoch for key in sweep} for sweep in sweeps]
        assert all(len(epoch) == 1 for epoch in epochs)
        assert len(set.union(*epochs)) == 3


# --- loops by hand -------------------------------------------------------------------------------


@every_length
@pytest.mark.parametrize("begins", [True, False], ids=["begins", ""])
@pytest.mark.parametrize("ends", [True, False], ids=["ends", ""])
@pytest.mark.parametrize("in_order", [True, False], ids=["in order", "at random"])
def test_each_pass_by_hand_is_the_next_epoch(length: int, begins: bool, ends: bool, in_order: bool) -> None:
    for seed in SEEDS:
        rng, sequence = random.Random(seed), Sequence(length)
        for epoch in range(4):
            if begins:
                sequence.binding.epoch_begins()
            indices = range(length) if in_order else rng.sample(range(length), length)
            assert [sequence[index] for index in indices] == [(epoch, step) for step in range(length)]
            if ends:
                sequence.binding.epoch_ends()


@every_length
@pytest.mark.parametrize("begins", [True, False], ids=["begins", ""])
@pytest.mark.parametrize("asks", [1, 2, 5])
def test_a_pass_by_hand_that_is_left_early_is_over_when_the_user_says_so(
    length: int, begins: bool, asks: int
) -> None:
    sequence = Sequence(length)
    for epoch in range(4):
        if begins:
            sequence.binding.epoch_begins()
        asked = [sequence[index] for index in range(min(asks, length))]
        assert asked == [(epoch, step) for step in range(len(asked))]
        if not begins:
            sequence.binding.epoch_ends()


@every_length
@pytest.mark.parametrize("ends", [True, False], ids=["ends", ""])
def test_a_loop_by_hand_may_count_by_num_batches_as_keras_does(length: int, ends: bool) -> None:
    sequence = Sequence(length)
    for epoch in range(4):
        asked = [sequence[index] for index in range(sequence.num_batches())]
        assert asked == [(epoch, step) for step in range(length)]
        if ends:
            sequence.binding.epoch_ends()


@pytest.mark.parametrize("length", [5, 6, 20])
def test_the_last_index_once_more_is_the_same_batch_and_the_next_pass_the_next_epoch(length: int) -> None:
    sequence = Sequence(length)
    for epoch in range(4):
        asked = [sequence[index] for index in [*range(length), length - 1, length - 1]]
        assert asked == [(epoch, step) for step in [*range(length), length - 1, length - 1]]


@pytest.mark.parametrize("length", [5, 6, 20])
def test_two_loops_by_hand_that_keep_step_see_the_same_whole_epochs(length: int) -> None:
    """What `zip` makes of two of them: as with a plain `PyDataset`."""
    sequence = Sequence(length)
    for epoch in range(4):
        asked = [(sequence[index], sequence[index]) for index in range(length)]
        assert asked == [((epoch, step), (epoch, step)) for step in range(length)]


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
    st.just(lambda _, seq: next(iter(seq))),
    st.builds(
        lambda nested, phase: (
            lambda keras, seq: keras.fit(seq, 2, callback=once_in_a_while(nested, keras, seq, phase))
        ),
        st.sampled_from([*NESTED.values()]),
        st.integers(0, 4),
    ),
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(
    st.sampled_from(Backend),
    st.integers(1, 8),
    st.integers(0, 10**6),
    st.booleans(),
    st.lists(actions, max_size=8),
)
def test_whatever_the_story_complete_sweeps_are_whole_and_epochs_never_come_twice(
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
    assert epochs == sorted(set(epochs))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    st.integers(1, 9),
    st.booleans(),
    st.lists(
        st.one_of(
            st.sampled_from("bex"),
            st.tuples(st.integers(0, 8), st.sampled_from([None, "one", "two", "three"])),
            st.sampled_from([("one",), ("two",), ("three",)]),
        ),
        max_size=80,
    ),
)
def test_in_a_sweep_an_index_means_one_step_and_a_step_one_index(
    length: int, in_plan_order: bool, events: list[Any]
) -> None:
    """Whatever comes in whatever order, from whomever."""
    binding, steps = IndexBinding(length, in_plan_order=in_plan_order), dict[tuple[Any, int, int], StepKey]()
    tell = {"b": binding.epoch_begins, "e": binding.epoch_ends, "x": binding.iterator_may_begin}
    readings = Counter[str]()
    for event in events:
        match event:
            case str():
                tell[event]()
            case (loop,):
                binding.iterator_may_begin([loop])
                readings[loop] += 1
            case (index, loop):
                key = binding.request(index % length, [loop])
                assert 0 <= key.step < length
                if readings[loop]:
                    sweep = (loop, readings[loop]), key.epoch, index % length
                    assert steps.setdefault(sweep, key) == key
    assert len({(loop, key) for (loop, _, _), key in steps.items()}) == len(steps)
