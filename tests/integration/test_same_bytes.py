"""A batch is a pure function of dataset, seed, epoch and step, whoever builds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from children import Killer, pool_of, producer, producers_elsewhere, wait_for_producers
from job_kinds import JOB_KINDS, NUM_BATCHES

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.common.batch.layout import digest


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """JPEG files full of detail, with labels and weights."""
    data: ImageDataset = JOB_KINDS["photos"].data(tmp_path_factory.mktemp("photos"))
    return data


def sequence_of(
    photos: ImageDataset, pool: ProducerPool, *, seed: int = 3, shuffle: bool = True
) -> BatchSequence:
    """Every batch of it depends on random draws."""
    sequence: BatchSequence = JOB_KINDS["photos"].sequence(photos, pool, seed=seed, shuffle=shuffle)
    return sequence


def digests_of(batches: Iterable[Any]) -> list[str]:
    """SHA-256 of each batch: its arrays with their shapes and dtypes."""
    return [digest({"x": x, "y": y, "weight": weight}) for x, y, weight in batches]


def two_epochs(photos: ImageDataset, pool: ProducerPool, **options: Any) -> list[str]:
    """Digests of the first two epochs, one batch after another."""
    with sequence_of(photos, pool, **options) as sequence:
        return [hash_ for _ in range(2) for hash_ in digests_of(sequence)]


@pytest.fixture(scope="module")
def reference(photos: ImageDataset) -> list[str]:
    """What a single producer makes of it."""
    with pool_of(1) as pool:
        return two_epochs(photos, pool)


def test_every_batch_of_every_epoch_and_seed_has_other_bytes_so_that_equal_ones_mean_something(
    reference: list[str], photos: ImageDataset
) -> None:
    with pool_of(1) as pool:
        other_seed = two_epochs(photos, pool, seed=4)
        unshuffled = two_epochs(photos, pool, shuffle=False)
    assert len(reference) == 2 * NUM_BATCHES
    assert len({*reference, *other_seed, *unshuffled}) == 6 * NUM_BATCHES


@pytest.mark.parametrize("num_producers", [3, pytest.param(8, marks=pytest.mark.exhaustive)])
def test_two_epochs_have_the_same_bytes_with_more_producers(
    num_producers: int, reference: list[str], photos: ImageDataset
) -> None:
    with pool_of(num_producers) as pool:
        assert two_epochs(photos, pool) == reference


def test_two_epochs_have_the_same_bytes_when_producers_are_killed_in_the_middle(
    reference: list[str], photos: ImageDataset
) -> None:
    with (
        pool_of(3) as pool,
        sequence_of(photos, pool) as sequence,
        Killer(pool, lambda: sequence.stats.num_batches, seed=2) as killer,
    ):
        digests = [hash_ for _ in range(2) for hash_ in digests_of(sequence)]

    assert killer.killed
    assert digests == reference


def test_two_epochs_have_the_same_bytes_from_producers_elsewhere_over_tcp(
    reference: list[str], photos: ImageDataset
) -> None:
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        command = producer(pool.endpoint, photos.directory or "", "elsewhere", workers=3)
        with producers_elsewhere(*command):
            wait_for_producers(pool, 3)
            assert sorted(pool.producers) == ["elsewhere/0", "elsewhere/1", "elsewhere/2"]
            assert two_epochs(photos, pool) == reference


def one_by_one(sequence: BatchSequence) -> list[Any]:
    """An epoch by hand, with some batches asked for again while it lasts."""
    batches = []
    for index in range(len(sequence)):
        batches.append(sequence[index])
        if index % 5 == 3:
            again = sequence[index - 2]
            assert digests_of([again]) == digests_of([batches[-3]])
    return batches


def from_the_end(sequence: BatchSequence) -> list[Any]:
    """An epoch by negative indices."""
    return [sequence[index] for index in range(-len(sequence), 0)]


@pytest.mark.parametrize(
    "sweep", [list, from_the_end, pytest.param(one_by_one, marks=pytest.mark.exhaustive)]
)
def test_two_epochs_have_the_same_bytes_however_they_are_asked_for(
    sweep: Callable[[BatchSequence], list[Any]], reference: list[str], photos: ImageDataset
) -> None:
    with pool_of(2) as pool, sequence_of(photos, pool) as sequence:
        assert [hash_ for _ in range(2) for hash_ in digests_of(sweep(sequence))] == reference


def test_threads_that_ask_at_the_same_time_get_every_batch_once_each_in_arrays_of_its_own(
    reference: list[str], photos: ImageDataset
) -> None:
    with pool_of(2) as pool, sequence_of(photos, pool) as sequence, ThreadPoolExecutor(8) as threads:
        together = list(threads.map(sequence.__getitem__, range(NUM_BATCHES)))
        of_the_same = list(threads.map(sequence.__getitem__, [0] * 8))

    assert sorted(digests_of(together)) == sorted(reference[:NUM_BATCHES])
    assert len(set(digests_of(of_the_same))) == 1
    for i, (x, _, _) in enumerate(of_the_same):
        assert not any(np.shares_memory(x, other) for other, _, _ in of_the_same[:i])
