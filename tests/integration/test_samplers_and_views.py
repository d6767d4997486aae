"""Samplers in a sequence, and views of a sequence: what `predict_tta` and others build on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from children import PATIENCE_S, pool_of
from images import SIZE, numbered, rows_in, write_photos
from recorder import recording_model

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.errors import ClosedError, ConfigurationError
from feedline.rsna import predict_tta
from feedline.samplers import BalancedSampler, KeepProbabilitySampler, WeightedSampler
from feedline.transforms import CenterCrop, Flip, RandomBrightness, RandomCrop, RandomRotation, Rescaling

NUM_ROWS = 27
IS_RARE = np.arange(NUM_ROWS) % 5 == 0

SAMPLERS = [
    BalancedSampler("rare"),
    pytest.param(KeepProbabilitySampler({False: 0.4, True: 1}, by="rare"), marks=pytest.mark.exhaustive),
    WeightedSampler("weight", num_samples=33),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row, with columns to sample by."""
    numbers = numbered(tmp_path_factory.mktemp("rows"), NUM_ROWS)
    return replace(numbers, columns={"rare": IS_RARE, "weight": 1.0 + 9 * IS_RARE})


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images full of detail, of which one in nine is rare."""
    folder = tmp_path_factory.mktemp("photos")
    return ImageDataset.from_lists(write_photos(folder, 9), [0] * 8 + [1], directory=folder)


@pytest.fixture
def pool() -> Any:
    """Two producers."""
    with pool_of(2) as two:
        yield two


def sequence_of(data: ImageDataset, pool: ProducerPool, **options: Any) -> BatchSequence:
    """Batches of five."""
    return BatchSequence(
        data, **{"batch_size": 5, "image_size": SIZE, "timeout_s": PATIENCE_S, "pool": pool, **options}
    )


def rows_of_an_epoch(sequence: BatchSequence) -> list[int]:
    """Take one epoch, and read from pixels and labels which rows came."""
    rows = []
    for x, y in sequence:
        assert rows_in(x) == y.tolist()
        rows += y.tolist()
    return rows


# --- samplers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
@pytest.mark.parametrize("shuffle", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_every_epoch_delivers_exactly_what_the_sampler_draws_for_it(
    sampler: Any, shuffle: bool, data: ImageDataset, pool: ProducerPool
) -> None:
    drawing = sampler.bind(data)
    with sequence_of(data, pool, sampler=sampler, shuffle=shuffle, seed=3) as sequence:
        assert len(sequence) == -(-drawing.num_samples // 5)
        epochs = []
        for epoch in range(3):
            rows = rows_of_an_epoch(sequence)
            assert [data.filenames[row] for row in rows] == sequence.filenames
            assert sequence.labels.tolist() == rows
            assert (sorted(rows) if shuffle else rows) == drawing.rows(3, epoch).tolist()
            epochs.append(tuple(rows))
    assert len(set(epochs)) == 3


def test_shards_of_a_sampled_epoch_share_what_is_drawn(data: ImageDataset, pool: ProducerPool) -> None:
    sampler = BalancedSampler("rare")
    rows = []
    for index in range(3):
        options = {"sampler": sampler, "seed": 3, "shard_index": index, "shard_count": 3}
        options["shard_remainder"] = "drop"
        with sequence_of(data, pool, **options) as shard:
            rows += rows_of_an_epoch(shard)
    drawn = sampler.bind(data).rows(3, 0).tolist()
    assert len(rows) == len(drawn) // 3 * 3
    assert not Counter(rows) - Counter(drawn)


def test_a_sample_that_comes_again_in_an_epoch_is_augmented_otherwise(
    photos: ImageDataset, pool: ProducerPool
) -> None:
    options = {"sampler": BalancedSampler(num_samples=18), "shuffle": True, "seed": 1}
    augmented = {**options, "transforms": [RandomRotation(0.2), RandomBrightness(0.2)]}
    with sequence_of(photos, pool, **augmented) as sequence:
        images = [x.tobytes() for batch, y in sequence for x, label in zip(batch, y, strict=True) if label]
    with sequence_of(photos, pool, **options) as plain:
        same = [x.tobytes() for batch, y in plain for x, label in zip(batch, y, strict=True) if label]
    assert (len(images), len(set(images))) == (9, 9)
    assert (len(same), len(set(same))) == (9, 1)


def test_a_sampled_epoch_has_the_same_bytes_with_one_producer_and_with_three(photos: ImageDataset) -> None:
    options = {"sampler": BalancedSampler(num_samples=23), "seed": 5, "transforms": [RandomRotation(0.2)]}
    epochs = []
    for num_producers in (1, 3):
        with pool_of(num_producers) as pool, sequence_of(photos, pool, **options) as sequence:
            epochs.append([x.tobytes() for _ in range(2) for x, _ in sequence])
    assert epochs[0] == epochs[1]


def test_fit_trains_on_what_is_drawn_and_on_nothing_else(data: ImageDataset, pool: ProducerPool) -> None:
    sampler = BalancedSampler("rare")
    model, recorder = recording_model()
    with sequence_of(data, pool, sampler=sampler, seed=3) as sequence:
        for epoch in range(2):
            model.fit(sequence, epochs=1, verbose=0)
            assert sorted(recorder.take_rows()) == sampler.bind(data).rows(3, epoch).tolist()


def test_what_is_no_sampler_is_quoted(data: ImageDataset, pool: ProducerPool) -> None:
    with pytest.raises(ConfigurationError, match=r"sampler must be one such as .* got 'balanced'"):
        sequence_of(data, pool, sampler="balanced")


# --- views --------------------------------------------------------------------------------------


def test_a_view_has_all_options_of_its_sequence_except_for_those_changed(
    data: ImageDataset, pool: ProducerPool
) -> None:
    with sequence_of(data, pool, shuffle=True, batch_size=4, color_mode="rgba") as sequence:
        with sequence.with_options(shuffle=False, batch_size=7) as view:
            x, y = view[0]
            assert x.shape == (7, *SIZE, 4)
            assert y.tolist() == list(range(7))
        x, _ = sequence[0]
        assert x.shape == (4, *SIZE, 4)
    with pytest.raises(ClosedError):
        view[0]


def test_a_view_of_a_sequence_with_workers_shares_its_producers(data: ImageDataset) -> None:
    with BatchSequence(data, batch_size=5, image_size=SIZE, timeout_s=PATIENCE_S, workers=1) as sequence:
        with sequence.with_options(shuffle=False) as view:
            assert view.pool is sequence.pool
            assert rows_of_an_epoch(view) == list(range(NUM_ROWS))
        assert sorted(rows_of_an_epoch(sequence)) == list(range(NUM_ROWS))


def left_and_right() -> keras.Model:
    """Predicts the mean of an image's left half, and of its right half."""
    image = keras.Input((48, 64, 3))
    columns = keras.ops.mean(keras.ops.cast(image, "float32"), axis=(1, 3))
    halves = [keras.ops.mean(columns[:, part], axis=1) for part in (slice(32), slice(32, None))]
    return keras.Model(image, keras.ops.stack(halves, axis=1))


def test_predictions_with_augmentation_are_means_in_the_order_of_the_dataset(
    photos: ImageDataset, pool: ProducerPool
) -> None:
    model = left_and_right()
    options = {"image_size": (48, 64), "batch_size": 4, "sampler": BalancedSampler(num_samples=30)}
    with sequence_of(photos, pool, **options, transforms=[RandomRotation(0.5)]) as sequence:
        plain = predict_tta(model, sequence, [[]])
        mean = predict_tta(model, sequence, [[], Flip("horizontal")])
        assert len(sequence) == 8
    with sequence_of(photos, pool, image_size=(48, 64), shuffle=False) as unshuffled:
        expected = np.concatenate(
            [x.astype(np.float64).reshape(len(x), 48, 2, 32, 3).mean((1, 3, 4)) for x, _ in unshuffled]
        )
    np.testing.assert_allclose(plain, expected, rtol=1e-5)
    assert np.abs(expected[:, 0] - expected[:, 1]).min() > 0.5
    np.testing.assert_allclose(mean, (expected + expected[:, ::-1]) / 2, rtol=1e-5)


def test_random_transforms_differ_between_passes_and_not_between_calls(
    photos: ImageDataset, pool: ProducerPool
) -> None:
    model = left_and_right()
    with sequence_of(photos, pool, image_size=(48, 64)) as sequence:
        once = predict_tta(model, sequence, [RandomRotation(0.5)])
        twice = predict_tta(model, sequence, [RandomRotation(0.5), [RandomRotation(0.5)]])
        again = predict_tta(model, sequence, [RandomRotation(0.5), RandomRotation(0.5)])
    assert np.abs(once - twice).max() > 0.1
    np.testing.assert_array_equal(twice, again)


def test_several_outputs_keep_their_structure(photos: ImageDataset, pool: ProducerPool) -> None:
    both = left_and_right()
    model = keras.Model(both.input, {"both": both.output, "sum": keras.ops.sum(both.output, axis=1)})
    with sequence_of(photos, pool, image_size=(48, 64)) as sequence:
        means = predict_tta(model, sequence, [[], Flip("horizontal")])
    np.testing.assert_allclose(means["sum"], means["both"].sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("transforms", "quoted"),
    [
        ([], "at least one pass"),
        ([[], ["flip"]], r"a transform or a list, got \['flip'\]"),
        ([3], "a transform or a list, got 3"),
        (Flip(), r"one entry for each pass.*got Flip"),
    ],
)
def test_passes_that_cannot_be_made_are_quoted(
    transforms: Any, quoted: str, photos: ImageDataset, pool: ProducerPool
) -> None:
    with sequence_of(photos, pool) as sequence, pytest.raises(ConfigurationError, match=quoted):
        predict_tta(left_and_right(), sequence, transforms)


def test_a_sequence_in_order_has_every_sample_once_and_leaves_nothing_to_chance(
    data: ImageDataset, photos: ImageDataset, pool: ProducerPool
) -> None:
    with sequence_of(data, pool, sampler=BalancedSampler("rare"), drop_remainder=True) as sequence:
        assert not sequence.is_in_order
        with sequence.in_order() as view:
            assert view.is_in_order
            assert rows_of_an_epoch(view) == list(range(NUM_ROWS))
    transforms = [RandomRotation(0.2), RandomCrop(16, 20), Rescaling(0.5), RandomBrightness(0.2)]
    plain = {"transforms": [CenterCrop(16, 20), Rescaling(0.5)], "shuffle": False}
    with (
        sequence_of(photos, pool, transforms=transforms, shuffle=False) as augmented,
        augmented.in_order() as view,
        sequence_of(photos, pool, **plain) as expected,
    ):
        assert not augmented.is_in_order
        assert expected.is_in_order
        for (x, y), (expected_x, expected_y) in zip(view, expected, strict=True):
            np.testing.assert_array_equal(x, expected_x)
            np.testing.assert_array_equal(y, expected_y)
