"""A `BatchSequence` without Keras: indexed, iterated, shared and closed by hand."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from children import PATIENCE_S, pool_of, wait_for_producers
from images import SIZE, numbered, rows_in

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.errors import ClosedError, ConfigurationError

NUM_ROWS = 27
LENGTH = 6  # of 5 samples; the last batch has two


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return numbered(tmp_path_factory.mktemp("rows"), NUM_ROWS)


def sequence_of(data: ImageDataset, **options: Any) -> BatchSequence:
    """Batches of five."""
    return BatchSequence(data, batch_size=5, image_size=SIZE, timeout_s=PATIENCE_S, **options)


def rows_of(batch: Any) -> list[int]:
    """The rows of one batch, which its pixels and its labels agree upon."""
    x, y = batch
    assert rows_in(x) == y.tolist()
    return y.tolist()


def test_iterating_gives_every_sample_once_per_epoch_in_another_order_each_time(data: ImageDataset) -> None:
    with pool_of(2) as pool, sequence_of(data, pool=pool) as sequence:
        epochs = [[row for batch in sequence for row in rows_of(batch)] for _ in range(4)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(NUM_ROWS))] * 4
    assert len({tuple(epoch) for epoch in epochs}) == 4


@pytest.mark.parametrize("shuffle", [False, True])
def test_indices_in_any_order_give_every_sample_once_per_epoch(shuffle: bool, data: ImageDataset) -> None:
    rng = random.Random(0)
    with pool_of(2) as pool, sequence_of(data, pool=pool, shuffle=shuffle) as sequence:
        for _ in range(10):
            indices = rng.sample(range(LENGTH), LENGTH)
            batches = {index: rows_of(sequence[index]) for index in indices}
            rows = [row for index in range(LENGTH) for row in batches[index]]
            assert (sorted(rows) if shuffle else rows) == list(range(NUM_ROWS))


def test_an_index_means_the_same_batch_for_as_long_as_the_epoch_lasts(data: ImageDataset) -> None:
    with pool_of(2) as pool, sequence_of(data, pool=pool) as sequence:
        rows = {index: rows_of(sequence[index]) for index in (3, 0, 5)}
        for index in (0, 5, 3, -3, -1, 3, np.int64(3), 0):
            assert rows_of(sequence[index]) == rows[index % LENGTH]


def test_the_last_batch_is_short_or_left_out(data: ImageDataset) -> None:
    with pool_of(2) as pool:
        with sequence_of(data, pool=pool) as sequence:
            assert [len(x) for x, _ in sequence] == [5, 5, 5, 5, 5, 2]
        with sequence_of(data, pool=pool, drop_remainder=True) as sequence:
            assert [len(x) for x, _ in sequence] == [5, 5, 5, 5, 5]


def test_what_was_decided_when_it_was_made_cannot_be_assigned(data: ImageDataset) -> None:
    with BatchSequence(data, batch_size=4, image_size=SIZE, workers=1) as sequence:
        sequence.batch_size = 4
        sequence.name = "anything else"
        for name, value, remedy in (
            ("shuffle", False, r"\.with_options\(shuffle=False\)"),
            ("batch_size", 20, r"\.with_options\(batch_size=20\)"),
            ("workers", 2, r"\.resize\(workers=2\)"),
        ):
            with pytest.raises(ConfigurationError, match=remedy):
                setattr(sequence, name, value)
        assert len(sequence[0][1]) == 4


def test_negative_indices_count_from_the_end_and_there_is_nothing_past_it(data: ImageDataset) -> None:
    with pool_of(1) as pool, sequence_of(data, pool=pool, shuffle=False) as sequence:
        assert rows_of(sequence[-1]) == [25, 26]
        assert rows_of(sequence[-LENGTH]) == [0, 1, 2, 3, 4]
        for index in (LENGTH, -LENGTH - 1, 10**9):
            with pytest.raises(IndexError, match=f"batch {index} of a sequence of {LENGTH}"):
                sequence[index]
        with pytest.raises(TypeError):
            sequence["first"]  # type: ignore[index]  # that is the point


def test_filenames_and_labels_are_in_the_order_of_delivery(data: ImageDataset) -> None:
    with pool_of(2) as pool, sequence_of(data, pool=pool) as sequence:
        for _ in range(2):
            rows = [row for batch in sequence for row in rows_of(batch)]
            assert sequence.labels.tolist() == rows
            assert sequence.filenames == [f"{row:04}.png" for row in rows]


def test_shards_are_disjoint_and_together_complete(data: ImageDataset) -> None:
    with (
        pool_of(2) as pool,
        sequence_of(data, pool=pool, shard_index=0, shard_count=2) as even,
        sequence_of(data, pool=pool, shard_index=1, shard_count=2) as odd,
    ):
        for _ in range(2):
            halves = [[row for batch in half for row in rows_of(batch)] for half in (even, odd)]
            assert len(halves[0]) == len(halves[1]) == -(-NUM_ROWS // 2)
            padded = sorted(halves[0] + halves[1])
            assert sorted({*padded}) == list(range(NUM_ROWS))
            assert len(padded) == NUM_ROWS + NUM_ROWS % 2


def test_sequences_with_workers_share_a_pool_as_large_as_the_largest_request(data: ImageDataset) -> None:
    with sequence_of(data, workers=1) as one:
        pool = one.pool
        wait_for_producers(pool, 1)
        with sequence_of(data, workers=3) as three:
            assert three.pool is pool
            wait_for_producers(pool, 3)
            with sequence_of(data, workers=2) as two:
                assert two.pool is pool
                for sequence in (one, two, three):
                    rows_of(sequence[0])
                assert len(pool.producers) == 3
            assert len(pool.producers) == 3
        wait_for_producers(pool, 1)
        assert sorted(row for batch in one for row in rows_of(batch)) == list(range(NUM_ROWS))
        assert len(pool.producers) == 1
    assert not pool.is_open

    with sequence_of(data, workers=2) as another:
        assert another.pool is not pool
        wait_for_producers(another.pool, 2)


def test_a_sequence_goes_on_while_the_pool_shrinks_and_grows_around_it(data: ImageDataset) -> None:
    with ProducerPool(workers=1) as pool, sequence_of(data, pool=pool) as sequence:
        for workers in (3, 1, 4, 2):
            pool.resize(workers)
            rows = [row for batch in sequence for row in rows_of(batch)]
            assert sorted(rows) == list(range(NUM_ROWS))
            wait_for_producers(pool, workers)


def test_a_closed_sequence_says_so_and_its_siblings_go_on(data: ImageDataset) -> None:
    with pool_of(2) as pool, sequence_of(data, pool=pool) as sibling:
        sequence = sequence_of(data, pool=pool)
        batch = sequence[0]
        sequence.close()
        sequence.close()
        with pytest.raises(ClosedError, match="this BatchSequence is closed"):
            sequence[0]
        rows_of(batch)
        assert sorted(row for batch in sibling for row in rows_of(batch)) == list(range(NUM_ROWS))
    with pytest.raises(ClosedError):
        sibling[0]


def test_workers_and_a_pool_together_are_an_error(data: ImageDataset) -> None:
    with pool_of(1) as pool, pytest.raises(ConfigurationError, match="leave out workers=2"):
        sequence_of(data, pool=pool, workers=2)
