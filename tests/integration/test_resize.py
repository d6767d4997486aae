"""A `BatchSequence` gets other producers, or room for other queues, while it is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from children import PATIENCE_S, wait_for, wait_for_producers
from images import SIZE, numbered, rows_in

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.errors import ClosedError, ConfigurationError
from feedline.trainer.pool.shared import SHARED

NUM_ROWS = 27
LENGTH = 6  # of 5 samples


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return numbered(tmp_path_factory.mktemp("rows"), NUM_ROWS)


def sequence_of(data: ImageDataset, **options: Any) -> BatchSequence:
    return BatchSequence(data, batch_size=5, image_size=SIZE, timeout_s=PATIENCE_S, **options)


def test_an_epoch_goes_on_where_it_was(data: ImageDataset) -> None:
    supplies = [{"workers": 3}, {"max_queue_size": 3}, {"workers": 1, "max_queue_size": 12}, {}]
    with sequence_of(data, workers=2) as sequence, sequence_of(data, workers=2) as untouched:
        for step in range(4 * LENGTH):
            if step % 5 == 3:
                sequence.resize(**supplies[step // 5 % 4])
            x, y = sequence[step % LENGTH]
            assert rows_in(x) == y.tolist() == untouched[step % LENGTH][1].tolist()


def test_what_is_left_of_the_epoch_is_prefetched_and_nothing_before(data: ImageDataset) -> None:
    with (
        ProducerPool(workers=1) as pool,
        sequence_of(data, pool=pool, max_queue_size=2) as sequence,
    ):
        for step in range(3):
            sequence[step]
        sequence.resize(max_queue_size=4)
        steps = iter(range(3, LENGTH))
        assert len(sequence[next(steps)][1]) == 5
        books = pool._thread.exchange._dispatcher._books

        def ready() -> list[tuple[int, int]]:
            return [tuple(key) for work in books.works.values() for key in sorted(work.ready)]

        wait_for("batches that lie ready", lambda: len(pool._call(lambda _: ready())) >= 2)
        assert pool._call(lambda _: ready())[:2] == [(0, 4), (0, 5)]


def test_producers_come_and_go_and_others_keep_theirs(data: ImageDataset) -> None:
    with sequence_of(data, workers=1) as sequence, sequence_of(data, workers=2) as other:
        assert sequence.pool is other.pool
        for workers, expected in ((3, 3), (1, 2)):
            sequence.resize(workers)
            wait_for_producers(sequence.pool, expected)
        other.resize(1)
        wait_for_producers(other.pool, 1)
        sequence.close()
        assert rows_in(other[0][0]) == other[0][1].tolist()
    assert SHARED._requests == {}


def test_arrays_delivered_before_stay_as_they_are(data: ImageDataset) -> None:
    with sequence_of(data, workers=1, max_queue_size=4) as sequence:
        kept = [sequence[index] for index in range(3)]
        sequence.resize(max_queue_size=2)
        list(sequence)
        assert all(rows_in(x) == y.tolist() for x, y in kept)


def test_what_cannot_work_is_refused_and_changes_nothing(data: ImageDataset) -> None:
    with sequence_of(data, workers=1) as sequence:
        before = dict(SHARED._requests)
        for workers in (0, 2.5, "two"):
            with pytest.raises(ConfigurationError, match=f"workers must be a whole number.*{workers}"):
                sequence.resize(workers=workers)  # type: ignore[arg-type]
        for size in (1, 2.5, "many"):
            with pytest.raises(ConfigurationError, match=f"max_queue_size must be a whole number.*{size}"):
                sequence.resize(max_queue_size=size)  # type: ignore[arg-type]
        assert SHARED._requests == before
        assert sequence[0], "a wrong number does no harm to the pool"
        assert sorted(row for x, _ in sequence for row in rows_in(x)) == list(range(NUM_ROWS))
    with pytest.raises(ClosedError, match="closed"):
        sequence.resize(workers=2)


def test_a_pool_that_was_brought_along_keeps_its_producers(data: ImageDataset, tmp_path: Path) -> None:
    with ProducerPool(f"ipc://{tmp_path}/pool") as pool, sequence_of(data, pool=pool) as sequence:
        with pytest.raises(ConfigurationError, match="leave out workers=2"):
            sequence.resize(workers=2)
        sequence.resize(max_queue_size=3)
