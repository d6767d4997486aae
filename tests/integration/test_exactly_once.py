"""Every epoch delivers every sample once, whatever happens to producers."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from children import (
    PATIENCE_S,
    Killer,
    faulty_producer,
    pool_of,
    producer,
    producers_elsewhere,
    slot_states,
    wait_for,
    wait_for_producers,
)
from images import rows_in, write_images

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.trainer.dispatch.slots import SlotState

NUM_ROWS = 150
BATCH_SIZE = 4
LARGE = (360, 480)
"""Large enough that producers are the slow side, and hold leases at any moment. JPEG, as photos are."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    folder = tmp_path_factory.mktemp("rows")
    names = write_images(folder, NUM_ROWS, "jpg", LARGE)
    return ImageDataset.from_lists(names, range(NUM_ROWS), directory=folder)


def sequence_of(data: ImageDataset, pool: ProducerPool, max_queue_size: int = 10) -> BatchSequence:
    """Batches of large images."""
    return BatchSequence(
        data,
        batch_size=BATCH_SIZE,
        image_size=LARGE,
        pool=pool,
        max_queue_size=max_queue_size,
        timeout_s=PATIENCE_S,
    )


def rows_of_an_epoch(sequence: BatchSequence) -> list[int]:
    """Take one epoch, and read from the pixels which rows came."""
    rows = []
    for x, y in sequence:
        assert rows_in(x) == y.tolist()
        rows += y.tolist()
    return rows


def assert_whole_and_different(epochs: list[list[int]]) -> None:
    """Every row once in every epoch, and no two epochs in one order."""
    for rows in epochs:
        assert sorted(rows) == list(range(NUM_ROWS))
    assert len({tuple(rows) for rows in epochs}) == len(epochs)


def test_every_sample_comes_once_per_epoch_while_producers_are_killed_at_random(data: ImageDataset) -> None:
    with (
        pool_of(3) as pool,
        sequence_of(data, pool, max_queue_size=2) as sequence,
        Killer(pool, lambda: sequence.stats.num_batches, seed=1) as killer,
    ):
        epochs = [rows_of_an_epoch(sequence) for _ in range(3)]

    assert_whole_and_different(epochs)
    assert len(killer.killed) >= 9, "that was no test"


def test_every_sample_comes_once_per_epoch_although_producers_stop_hang_and_answer_late_and_twice(
    data: ImageDataset, tmp_path: Path
) -> None:
    """The stopped one falls silent; the hung one keeps its heart beating; in the end both answer."""
    root = data.directory or ""
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        start = partial(faulty_producer, pool.endpoint, root, flags=tmp_path)
        stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "sound")))
        stack.enter_context(producers_elsewhere(*start("answers-twice")))
        stack.enter_context(producers_elsewhere(*start("hangs")))
        stopped = stack.enter_context(producers_elsewhere(*start("none")))
        wait_for_producers(pool, 4)
        stopped.send_signal(signal.SIGSTOP)

        sequence = stack.enter_context(sequence_of(data, pool))
        epochs = [rows_of_an_epoch(sequence)]

        wait_for_producers(pool, 3)
        assert sorted(pool.producers) == ["answers-twice", "hangs", "sound/0"]
        assert slot_states(pool)[SlotState.QUARANTINED] > 0
        stopped.send_signal(signal.SIGCONT)
        (tmp_path / "go").touch()
        epochs += [rows_of_an_epoch(sequence) for _ in range(2)]
        wait_for("the late answers", lambda: not slot_states(pool)[SlotState.QUARANTINED])
        wait_for_producers(pool, 4)
        epochs.append(rows_of_an_epoch(sequence))

    assert_whole_and_different(epochs)
