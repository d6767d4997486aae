"""Sequences that nobody reads any more, as notebooks leave them behind, cost no memory and no descriptors."""

from __future__ import annotations

import gc
from pathlib import Path

import keras
import numpy as np
import psutil
import pytest
from children import wait_for, wait_for_producers
from images import SIZE, numbered

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.common.memory.arena import whole_pages
from feedline.trainer.dispatch.turns import MAX_KNOWN_AT_REST

BATCH_SIZE = 4
SLOT_BYTES = whole_pages(BATCH_SIZE * (SIZE[0] * SIZE[1] * 3 + 8))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Five batches."""
    return numbered(tmp_path_factory.mktemp("images"), 5 * BATCH_SIZE)


@pytest.fixture(autouse=True)
def nothing_of_others() -> None:
    """Arrays of batches that other tests' fixtures kept in a cycle are there until they are collected."""
    gc.collect()
    assert shared_bytes() == 0


def shared_bytes() -> int:
    """What shared memory of this trainer and its producers takes; their files are deleted, but for `df`."""
    found: dict[tuple[int, int], int] = {}
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                if "/feedline-" in str(link.readlink()):
                    status = link.stat()
                    found[status.st_dev, status.st_ino] = status.st_blocks * 512
            except FileNotFoundError:
                continue
    return sum(found.values())


def num_descriptors() -> int:
    return sum(p.num_fds() for p in (psutil.Process(), *psutil.Process().children(recursive=True)))


def opened(data: ImageDataset, pool: ProducerPool) -> BatchSequence:
    return BatchSequence(data, batch_size=BATCH_SIZE, image_size=SIZE, seed=1, pool=pool)


def test_the_budget_is_what_the_system_counts_however_many_sequences_there_are(data: ImageDataset) -> None:
    budget = 24 * SLOT_BYTES
    with ProducerPool(workers=2, memory_budget=budget) as pool:
        wait_for_producers(pool, 2)
        sequences = [opened(data, pool) for _ in range(12)]
        wait_for("all arenas to be mapped, whose first page is no slot", lambda: shared_bytes() <= budget)
        sums = []
        for _ in range(2):
            for sequence in sequences:
                sums.append(sum(int(y.sum()) for _, y in sequence))
                assert shared_bytes() <= budget
        assert set(sums) == {sum(range(5 * BATCH_SIZE))}
        for sequence in sequences:
            sequence.close()
        wait_for("all memory to be given back", lambda: shared_bytes() == 0)


def test_memory_of_a_batch_that_is_kept_is_given_back_when_it_is_dropped(data: ImageDataset) -> None:
    with ProducerPool(workers=1) as pool:
        sequence = opened(data, pool)
        # The first ones may have come as frames.
        kept = [sequence[index] for index in range(4)][-1]
        before = kept[0].copy()
        sequence.close()
        wait_for("all other memory to be given back", lambda: shared_bytes() == SLOT_BYTES)
        assert (kept[0] == before).all()
        del kept
        wait_for("the rest", lambda: shared_bytes() == 0)


def test_a_cell_that_makes_a_sequence_can_be_run_again_and_again(data: ImageDataset) -> None:
    """Nobody closes them, and Keras keeps them: here a list does. The budget has room for three at a time."""
    kept, descriptors = [], []
    with ProducerPool(workers=1, memory_budget=6 * SLOT_BYTES) as pool:
        for _ in range(100):
            kept.append(opened(data, pool))
            assert len(kept[-1][0][1]) == BATCH_SIZE
            descriptors.append(num_descriptors())
        # Three for each arena that is known: one here, two at the producer; some have leases in work.
        assert max(descriptors) <= descriptors[0] + 3 * (MAX_KNOWN_AT_REST + 16)
        first = np.concatenate([y for _, y in kept[0]])
        assert sorted(first.tolist()) == list(range(5 * BATCH_SIZE))
        for sequence in kept:
            sequence.close()


def test_fit_again_and_again_with_sequences_that_keras_keeps(data: ImageDataset) -> None:
    model = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(loss="mse")
    with ProducerPool(workers=1, memory_budget=4 * SLOT_BYTES) as pool:
        sequences = []
        for _ in range(5):
            train, validation = opened(data, pool), opened(data, pool)
            model.fit(train, validation_data=validation, epochs=2, verbose=0)
            sequences += [train, validation]
        for sequence in sequences:
            assert sequence.stats.num_samples >= 2 * 5 * BATCH_SIZE
            sequence.close()
