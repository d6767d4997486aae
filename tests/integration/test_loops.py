"""Whatever loop takes the batches: each pass is a whole epoch of its own, and nothing is built twice.

Runs on whatever backend Keras has; on torch and JAX by way of `test_keras_backends.py`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import keras
import numpy as np
import pytest
from children import PATIENCE_S, pool_of
from images import SIZE, numbered, rows_in
from keras import ops
from recorder import recording_model

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.callbacks import SetEpoch
from feedline.errors import ConfigurationError
from feedline.trainer.dispatch.leases import Leases
from feedline.trainer.plan.epochs import EpochPlan
from feedline.transforms import RandomBrightness

SEED = 3
BATCH_SIZE = 3
NUM_PRODUCERS = 2
MAX_QUEUE_SIZE = 3
PREFETCH = NUM_PRODUCERS * MAX_QUEUE_SIZE
NUM_PEEKS = 2
LENGTHS = (2, *(pytest.param(length, marks=pytest.mark.exhaustive) for length in (1, 6, 20)))
EPOCHS = 4

MakeSequence = Callable[..., BatchSequence]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row; of each length the last batch is short."""
    return numbered(tmp_path_factory.mktemp("rows"), 20 * BATCH_SIZE)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProducerPool]:
    """Two producers for all."""
    with pool_of(NUM_PRODUCERS) as pool:
        yield pool


@pytest.fixture
def num_built(pool: ProducerPool) -> Callable[[], int]:
    """How many batches were built in this test, of those that somebody wanted."""

    def count() -> int:
        return sum(producer.num_batches for producer in pool.stats().producers)

    before = count()
    return lambda: count() - before


@pytest.fixture
def make(data: ImageDataset, pool: ProducerPool) -> Iterator[MakeSequence]:
    """Make sequences of so many batches."""
    made: list[BatchSequence] = []

    def sequence(length: int = 6, kind: type[BatchSequence] = BatchSequence, **options: Any) -> BatchSequence:
        rows = data.subset(range(length * BATCH_SIZE - 1))
        options = {"seed": SEED, "max_queue_size": MAX_QUEUE_SIZE, "timeout_s": PATIENCE_S} | options
        made.append(kind(rows, batch_size=BATCH_SIZE, image_size=SIZE, pool=pool, **options))
        return made[-1]

    yield sequence
    for one in made:
        one.close()


def planned(length: int, epoch: int) -> list[int]:
    """The rows of an epoch, in the order of the plan."""
    return EpochPlan(length * BATCH_SIZE - 1, BATCH_SIZE, shuffle=True, seed=SEED).order(epoch).tolist()


def rows_of(batch: Any) -> list[int]:
    """The rows of one batch, which its pixels and its labels agree upon."""
    x, y = batch
    assert rows_in(x) == y.tolist()
    return y.tolist()


# --- loops by hand -------------------------------------------------------------------------------


def by_index(sequence: BatchSequence) -> list[Any]:
    return [sequence[index] for index in range(len(sequence))]


def the_old_contract(sequence: BatchSequence) -> list[Any]:
    """What every Keras Sequence could count on since 2.0."""
    batches = by_index(sequence)
    sequence.on_epoch_end()
    return batches


def begun_and_ended(sequence: BatchSequence) -> list[Any]:
    sequence.on_epoch_begin()
    return the_old_contract(sequence)


def only_begun(sequence: BatchSequence) -> list[Any]:
    sequence.on_epoch_begin()
    return by_index(sequence)


def by_num_batches(sequence: BatchSequence) -> list[Any]:
    batches = [sequence[index] for index in range(sequence.num_batches)]
    sequence.on_epoch_end()
    return batches


def backwards(sequence: BatchSequence) -> list[Any]:
    """Binding gives the first request the first step."""
    return [sequence[index] for index in reversed(range(len(sequence)))]


def enumerated(sequence: BatchSequence) -> list[Any]:
    return [batch for _, batch in enumerate(sequence)]


def zipped_with_numbers(sequence: BatchSequence) -> list[Any]:
    return [batch for batch, _ in zip(sequence, range(len(sequence)), strict=True)]


def in_two_pieces(sequence: BatchSequence) -> list[Any]:
    iterator = iter(sequence)
    return [*islice(iterator, 1), *iterator]


def a_generator_of_ones_own(sequence: BatchSequence) -> list[Any]:
    return list(sequence[index] for index in range(len(sequence)))  # noqa: C400 - that is the point


def through_the_backend(sequence: BatchSequence) -> list[Any]:
    """A loop of one's own in torch or JAX: batches become tensors."""
    batches = []
    for index in range(len(sequence)):
        x, y = (ops.convert_to_tensor(array) for array in sequence[index])
        batches.append((ops.convert_to_numpy(x), ops.convert_to_numpy(y)))
    sequence.on_epoch_end()
    return batches


LOOPS = (
    list,
    by_index,
    the_old_contract,
    begun_and_ended,
    only_begun,
    by_num_batches,
    backwards,
    enumerated,
    zipped_with_numbers,
    in_two_pieces,
    a_generator_of_ones_own,
    through_the_backend,
)


@pytest.mark.parametrize("length", LENGTHS)
def test_each_pass_is_the_next_epoch_and_nothing_is_built_twice(
    length: int, make: MakeSequence, num_built: Callable[[], int]
) -> None:
    """One loop after the other, each twice."""
    sequence, epoch = make(length), 0
    for loop in LOOPS:
        for _ in range(2):
            rows = [row for batch in loop(sequence) for row in rows_of(batch)]
            assert rows == planned(length, epoch), loop
            epoch += 1
    assert num_built() <= epoch * length + PREFETCH


def test_each_pass_has_draws_of_its_own_those_of_its_epoch(make: MakeSequence) -> None:
    transforms = [RandomBrightness(0.5, value_range=(0, 255))]
    sequence, other = (make(2, shuffle=False, transforms=transforms) for _ in range(2))
    passes = [np.concatenate([x for x, _ in the_old_contract(sequence)]) for _ in range(EPOCHS)]
    assert len({one.tobytes() for one in passes}) == EPOCHS
    for epoch in reversed(range(EPOCHS)):
        other.set_epoch(epoch)
        assert np.array_equal(np.concatenate([x for x, _ in other]), passes[epoch])


@pytest.mark.parametrize("length", LENGTHS)
def test_train_on_batch_trains_one_epoch_after_the_other(
    length: int, make: MakeSequence, num_built: Callable[[], int]
) -> None:
    model, recorder = recording_model()
    sequence = make(length)
    for _ in range(EPOCHS):
        for index in range(len(sequence)):
            model.train_on_batch(*sequence[index])
        sequence.on_epoch_end()
    assert recorder.take_rows() == [row for epoch in range(EPOCHS) for row in planned(length, epoch)]
    assert num_built() <= EPOCHS * length + PREFETCH


@pytest.mark.parametrize("length", LENGTHS)
def test_fit_builds_no_batch_twice_but_those_it_peeks_at(
    length: int, make: MakeSequence, num_built: Callable[[], int]
) -> None:
    model, recorder = recording_model()
    model.build((None, *SIZE, 3))
    model.fit(make(length), epochs=EPOCHS, verbose=0)
    rows, size = recorder.take_rows(), length * BATCH_SIZE - 1
    first = planned(length, 0) == rows[:size]
    # Where Keras begins an epoch of one step only to look at it, training begins with the next.
    assert first or length == 1
    assert rows == [row for epoch in range(EPOCHS) for row in planned(length, epoch + (not first))]
    # What was peeked at is built again when training asks for it, also in the slot of one that was ready.
    assert num_built() <= (EPOCHS + (not first)) * length + 2 * NUM_PEEKS + PREFETCH


@pytest.mark.parametrize("ends", ["on_epoch_end", "on_epoch_begin"])
def test_a_loop_that_is_left_early_is_followed_by_the_next_epoch(ends: str, make: MakeSequence) -> None:
    sequence = make()
    for epoch in range(EPOCHS):
        if ends == "on_epoch_begin":
            sequence.on_epoch_begin()
        rows = [row for index in range(2) for row in rows_of(sequence[index])]
        assert rows == planned(6, epoch)[: 2 * BATCH_SIZE]
        if ends == "on_epoch_end":
            sequence.on_epoch_end()
    sequence.on_epoch_end()
    for epoch in range(EPOCHS, 2 * EPOCHS):
        rows = [row for batch in islice(sequence, 2) for row in rows_of(batch)]
        assert rows == planned(6, epoch)[: 2 * BATCH_SIZE]


def test_threads_that_ask_at_random_share_one_whole_epoch_after_the_other(
    make: MakeSequence, num_built: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks before those whose batches lie ready may be given one's slot: only that is built again."""
    taken_back, drop = [], Leases.drop_ready

    def drop_and_note(leases: Leases, work: Any, key: Any) -> None:
        taken_back.append(key)
        drop(leases, work, key)

    monkeypatch.setattr(Leases, "drop_ready", drop_and_note)
    sequence, rng = make(20), random.Random(0)
    with ThreadPoolExecutor(8) as threads:
        for epoch in range(EPOCHS):
            indices = rng.sample(range(20), 20)
            rows = [rows_of(batch) for batch in threads.map(sequence.__getitem__, indices)]
            assert sorted(row for batch in rows for row in batch) == sorted(planned(20, epoch))
            assert sequence.labels.tolist() == planned(20, epoch)
            sequence.on_epoch_end()
    assert num_built() <= EPOCHS * 20 + PREFETCH + len(taken_back)


def test_the_last_index_asked_for_twice_is_the_same_short_batch(make: MakeSequence) -> None:
    sequence = make()
    for epoch in range(EPOCHS):
        rows = [rows_of(sequence[index]) for index in (0, 1, 2, 3, 4, 5, 5)]
        assert rows[-1] == rows[-2] == planned(6, epoch)[-2:]


# --- one sweep inside another --------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_two_iterators_at_once_have_an_epoch_each(
    length: int, make: MakeSequence, caplog: pytest.LogCaptureFixture
) -> None:
    sequence = make(length)
    for round_ in range(2):
        pairs = [(rows_of(one), rows_of(other)) for one, other in zip(sequence, sequence, strict=True)]
        for rows, epoch in zip(zip(*pairs, strict=True), (2 * round_, 2 * round_ + 1), strict=True):
            assert [row for batch in rows for row in batch] == planned(length, epoch)
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == (length > 1), "once"
    assert all("with_options()" in text and "in_order()" in text for text in warnings)


def test_a_loop_with_a_whole_sweep_in_each_step_is_whole_itself(make: MakeSequence) -> None:
    sequence = make()
    outer, inner = [], []
    for batch in sequence:
        outer += rows_of(batch)
        inner.append([row for other in sequence for row in rows_of(other)])
    assert outer == planned(6, 0)
    assert inner == [planned(6, epoch) for epoch in range(1, 7)]


def test_a_loop_over_indices_with_a_whole_sweep_in_each_step_is_whole_itself(make: MakeSequence) -> None:
    sequence = make()
    for _ in range(2):
        rows = []
        for index in range(len(sequence)):
            rows += rows_of(sequence[index])
            assert sorted(row for other in sequence for row in rows_of(other)) == list(range(17))
        assert sorted(rows) == list(range(17))


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize("steps_per_epoch", [None, pytest.param(4, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(
    "use",
    ["predict", "list", *(pytest.param(use, marks=pytest.mark.exhaustive) for use in ("evaluate", "look"))],
)
def test_a_callback_may_sweep_what_is_trained_on(
    use: str, steps_per_epoch: int | None, make: MakeSequence
) -> None:
    model, recorder = recording_model()
    inspector, seen_by_inspector = recording_model()
    sequence, swept = make(), []

    def sweep(batch: int, **_logs: Any) -> None:
        if batch != 1:
            return
        if use == "predict":
            swept.append(inspector.predict(sequence, verbose=0)[:, 0].astype(int).tolist())
        elif use == "evaluate":
            inspector.evaluate(sequence, verbose=0)
            swept.append(seen_by_inspector.take_rows())
        elif use == "list":
            swept.append([row for batch in sequence for row in rows_of(batch)])
        else:
            rows_of(sequence[0])

    callback = keras.callbacks.LambdaCallback(on_train_batch_end=sweep)
    epochs = 2 if steps_per_epoch is None else 4
    model.fit(sequence, epochs=epochs, steps_per_epoch=steps_per_epoch, callbacks=[callback], verbose=0)
    rows = recorder.take_rows()
    # TensorFlow reads ahead: how many sweeps of the callback came before its second is not known.
    assert rows in [planned(6, 0) + planned(6, second) for second in range(1, 2 + epochs)]
    assert [sorted(sweep) for sweep in swept] == [list(range(17))] * (epochs if use != "look" else 0)


class Halved(BatchSequence):
    """What a script may make of a sequence: its batches are changed on their way to Keras."""

    def __getitem__(self, index: Any) -> Any:
        x, y = super().__getitem__(index)
        return x, y / 2


class Wrapper(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """The same around one."""

    def __init__(self, sequence: BatchSequence) -> None:
        super().__init__()
        self.sequence = sequence

    @property
    def num_batches(self) -> int:
        """Its generator is what sweeps the sequence."""
        return self.sequence.num_batches

    def __getitem__(self, index: int) -> Any:
        x, y = self.sequence[index]
        return x, y / 2


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize("steps_per_epoch", [None, pytest.param(4, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(
    "of", [lambda make: make(kind=Halved), lambda make: Wrapper(make())], ids=["derived", "wrapped"]
)
def test_a_sequence_that_extends_or_wraps_another_trains_whole_epochs(
    of: Callable[[MakeSequence], Any], steps_per_epoch: int | None, make: MakeSequence
) -> None:
    model, recorder = recording_model()
    sequence = of(make)
    epochs = 2 if steps_per_epoch is None else 4
    model.fit(sequence, epochs=epochs, steps_per_epoch=steps_per_epoch, verbose=0)
    rows = (recorder.take()[:, 0] * 2).astype(int).tolist()
    assert [sorted(rows[:17]), sorted(rows[17:])] == [list(range(17))] * 2


# --- the epoch to begin with ---------------------------------------------------------------------


def test_a_fresh_sequence_begins_with_its_initial_epoch(
    make: MakeSequence, num_built: Callable[[], int]
) -> None:
    model, recorder = recording_model()
    model.build((None, *SIZE, 3))
    model.fit(make(initial_epoch=2), initial_epoch=2, epochs=4, verbose=0)
    assert recorder.take_rows() == planned(6, 2) + planned(6, 3)
    assert num_built() <= 2 * 6 + NUM_PEEKS + 2 * PREFETCH


@pytest.mark.parametrize("initial_epoch", [-1, 1.5, "2", None, True])
def test_an_initial_epoch_that_is_none_is_refused(initial_epoch: Any, make: MakeSequence) -> None:
    with pytest.raises(ConfigurationError, match=rf"initial_epoch .*{initial_epoch!r}"):
        make(initial_epoch=initial_epoch)
    sequence = make()
    with pytest.raises(ConfigurationError, match=rf"epoch .*{initial_epoch!r}"):
        sequence.set_epoch(initial_epoch)


def test_the_callback_trains_the_epochs_that_keras_counts(make: MakeSequence) -> None:
    """Also backwards, after a fit that was stopped, and when the sequence was swept in between."""
    model, recorder = recording_model()
    sequence = make()
    callback = SetEpoch(sequence)
    for first, last in ((2, 4), (3, 4), (0, 2)):
        model.fit(sequence, initial_epoch=first, epochs=last, callbacks=[callback], verbose=0)
        assert recorder.take_rows() == [row for epoch in range(first, last) for row in planned(6, epoch)]
        stop = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, **_: setattr(model, "stop_training", batch == 2)
        )
        model.fit(sequence, callbacks=[stop], verbose=0)
        recorder.take_rows()
        list(sequence)


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_the_callback_counts_epochs_of_the_sequence_where_several_of_keras_share_one(
    make: MakeSequence,
) -> None:
    model, recorder = recording_model()
    sequence = make()
    options = {"steps_per_epoch": 4, "callbacks": [SetEpoch(sequence)], "verbose": 0}
    model.fit(sequence, initial_epoch=4, epochs=8, **options)
    assert recorder.take_rows() == planned(6, 2) + planned(6, 3)
    with pytest.raises(ConfigurationError, match=r"initial_epoch=3 .*midway in epoch 1 .*multiple of 2"):
        model.fit(sequence, initial_epoch=3, epochs=8, **options)


def test_the_callback_wants_a_sequence() -> None:
    with pytest.raises(ConfigurationError, match=r"SetEpoch needs the BatchSequence .* got list"):
        SetEpoch([])  # type: ignore[arg-type]  # that is the point
