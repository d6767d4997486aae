"""Keras 2's `evaluate_generator` and `predict_generator`: every image once, in order, as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from children import wait_for, wait_for_producers
from images import SIZE
from legacy_generators import (
    BATCH_SIZE,
    DARKER,
    EPOCH,
    LENGTH,
    NUM_ROWS,
    Counter,
    fit,
    folder,
    generator_of,
    num_slots,
    ordered,
)
from recorder import recording_model

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.errors import ConfigurationError
from feedline.legacy import DataGenerator, evaluate_generator, predict_generator, predictions_frame
from feedline.transforms import Rescaling


@pytest.fixture
def disorderly(folder: Path) -> Iterator[DataGenerator]:
    """All rows, backwards, shuffled and darkened."""
    with generator_of(folder, EPOCH[::-1], transforms=[DARKER]) as generator:
        yield generator


def test_predictions_are_in_the_order_of_the_ids_though_the_generator_shuffles(
    disorderly: DataGenerator,
) -> None:
    model, _ = recording_model()
    for _ in range(2):
        predictions = predict_generator(model, disorderly, workers=2)
        assert predictions[:, 0].tolist() == EPOCH[::-1]
    frame = predictions_frame(disorderly, predictions)
    assert frame[0].to_dict() == {f"{row:04}": row for row in EPOCH}


def test_evaluation_sees_every_image_as_it_is(disorderly: DataGenerator) -> None:
    model, recorder = recording_model()
    loss, count = evaluate_generator(model, disorderly)
    assert (loss, count) == (0.0, NUM_ROWS)
    assert recorder.take_rows() == EPOCH[::-1]


def test_what_judges_a_model_leaves_the_generator_where_it_was(folder: Path) -> None:
    model, recorder = recording_model()
    with generator_of(folder) as judged_between, generator_of(folder) as other:
        for generator in (judged_between, other):
            fit(model, generator, epochs=1)
            if generator is judged_between:
                predict_generator(model, generator)
            fit(model, generator, epochs=1)
    rows = recorder.take_rows()
    assert rows[: 2 * NUM_ROWS] == rows[2 * NUM_ROWS :]


@pytest.mark.parametrize(
    ("steps", "num_steps"),
    [
        (2, 2),
        *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in ((27 / 10, 3), (LENGTH + 1, LENGTH))),
    ],
)
def test_steps_callbacks_and_verbose(
    disorderly: DataGenerator, capsys: pytest.CaptureFixture[str], steps: float, num_steps: int
) -> None:
    model, recorder = recording_model()
    counter = Counter()
    expected = EPOCH[::-1][: num_steps * BATCH_SIZE]
    evaluate_generator(model, disorderly, steps, [counter], 4, 2, True)
    assert recorder.take_rows() == expected
    assert capsys.readouterr().out == ""
    predictions = predict_generator(model, disorderly, steps, [counter], verbose=2)
    assert predictions[:, 0].tolist() == expected
    assert f"{num_steps}/{num_steps} -" in capsys.readouterr().out
    assert counter.judged == [num_steps] * 2
    wait_for_producers(disorderly.pool, 2)


def test_a_view_has_the_producers_and_queues_of_its_generator(disorderly: DataGenerator) -> None:
    evaluate_generator(recording_model()[0], disorderly, workers=2, max_queue_size=3)
    with disorderly.in_order() as view:
        wait_for_producers(view.pool, 2)
        wait_for("6 slots", lambda: num_slots(view) == 6)
        assert view.pool is disorderly.pool, "and so the same producers"


def test_a_generator_that_is_in_order_is_used_itself(ordered: DataGenerator) -> None:
    model, _ = recording_model()
    before = ordered.stats.num_batches
    predict_generator(model, ordered)
    assert ordered.stats.num_batches >= before + LENGTH


def test_what_is_not_random_stays_in_a_view(folder: Path) -> None:
    with generator_of(folder, range(15), transforms=[Rescaling(1.0, 16.0), DARKER]) as generator:
        predictions = predict_generator(recording_model()[0], generator)
    assert predictions[:, 0].tolist() == [row + 256 + 16 + 1 for row in range(15)]


def test_a_batch_sequence_is_judged_by_a_view_too(folder: Path) -> None:
    data = ImageDataset.from_lists([f"{row:04}.png" for row in EPOCH], EPOCH, directory=folder)
    model, recorder = recording_model()
    options = {"batch_size": BATCH_SIZE, "image_size": SIZE, "transforms": [DARKER], "workers": 1}
    with BatchSequence(data, drop_remainder=True, **options) as sequence:
        assert predict_generator(model, sequence)[:, 0].tolist() == EPOCH
        evaluate_generator(model, sequence)
        assert recorder.take_rows() == EPOCH


def test_producers_of_a_pool_of_ones_own_cannot_be_counted_in_a_call(folder: Path) -> None:
    model, _ = recording_model()
    with ProducerPool(workers=1) as pool, generator_of(folder, pool=pool) as generator:
        fit(model, generator, max_queue_size=3)
        with pytest.raises(
            ConfigurationError, match="pool= brings its own producers and budget: leave out workers=4"
        ):
            fit(model, generator, workers=4)
