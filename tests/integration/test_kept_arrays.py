"""Arrays may be kept as long as one likes: they stay what they are, and nobody starves for them."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from children import PATIENCE_S, pool_of, slot_states, wait_for
from images import SIZE, numbered, rows_in

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.common.batch.layout import ALIGNMENT_BYTES
from feedline.common.memory.arena import whole_pages
from feedline.trainer.dispatch.slots import SlotState
from feedline.trainer.pool.handover.delivery import WORD_BYTES
from feedline.trainer.pool.handover.shelf import MIN_STREAK

NUM_ROWS = 400
BATCH_SIZE = 4
BATCH_BYTES = whole_pages(BATCH_SIZE * (SIZE[0] * SIZE[1] * 3 + ALIGNMENT_BYTES))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row: a hundred batches."""
    return numbered(tmp_path_factory.mktemp("rows"), NUM_ROWS)


def sequence_of(data: ImageDataset, pool: ProducerPool, max_queue_size: int = 2) -> BatchSequence:
    """As few batches in hand as there can be, and an early end to waits that would never end."""
    return BatchSequence(
        data,
        batch_size=BATCH_SIZE,
        image_size=SIZE,
        pool=pool,
        max_queue_size=max_queue_size,
        timeout_s=PATIENCE_S,
    )


def owner_of(array: npt.NDArray[Any]) -> Any:
    """What the memory of an array belongs to."""
    owner: Any = array
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return owner


def test_a_list_of_a_hundred_batches_holds_the_right_pixels_with_two_slots_for_each_producer(
    data: ImageDataset,
) -> None:
    with pool_of(2) as pool, sequence_of(data, pool) as sequence:
        batches = [list(sequence) for _ in range(2)]

    for epoch in batches:
        assert len(epoch) == 100
        for x, y in epoch:
            assert rows_in(x) == y.tolist()
        assert sorted(np.concatenate([y for _, y in epoch])) == list(range(NUM_ROWS))


def test_a_list_of_a_hundred_batches_comes_through_with_a_budget_of_two_batches(data: ImageDataset) -> None:
    """One producer gets both slots, the other one none."""
    with (
        ProducerPool(workers=2, memory_budget=2 * BATCH_BYTES) as pool,
        sequence_of(data, pool, max_queue_size=10) as sequence,
    ):
        batches = list(sequence)

    assert [rows_in(x) for x, _ in batches] == [y.tolist() for _, y in batches]
    assert sorted(np.concatenate([y for _, y in batches])) == list(range(NUM_ROWS))


def test_slices_hold_the_right_pixels_when_batch_sequence_and_pool_are_gone(data: ImageDataset) -> None:
    slices = []
    with pool_of(2) as pool, sequence_of(data, pool) as sequence:
        for x, y in sequence:
            view = x[1:]
            slices.append((view[1:3, ::2][:, :, ::-3], y[1:][1:3]))
            del x, y, view
        for _ in sequence:
            pass
    del sequence, pool
    gc.collect()

    assert len(slices) == 100
    for pixels, labels in slices:
        assert not pixels.flags.owndata, "a copy would be no test"
        assert rows_in(pixels) == labels.tolist()


def test_an_array_that_is_written_to_changes_no_other(data: ImageDataset) -> None:
    with pool_of(2) as pool, sequence_of(data, pool) as sequence:
        kept = []
        for x, y in itertools.islice(sequence, 20):
            kept.append((x.copy(), x, y))
            x[:] = 255 - x
        for _ in sequence:
            pass

    for original, x, y in kept:
        assert rows_in(original) == y.tolist()
        assert (x == 255 - original).all()


def test_arrays_are_contiguous_writable_and_aligned_at_least_to_words(data: ImageDataset) -> None:
    with pool_of(2) as pool, sequence_of(data, pool) as sequence:
        for x, y in sequence:
            assert x.ctypes.data % WORD_BYTES == 0
            assert x.flags.writeable
            assert y.flags.writeable
            assert x.flags.c_contiguous


def test_kept_images_occupy_slots_until_the_last_view_of_them_is_gone(data: ImageDataset) -> None:
    with pool_of(2) as pool, sequence_of(data, pool, max_queue_size=10) as sequence:
        # So few that nothing is handed over before it is asked for.
        views = [x[0, ::2, 1] for x, _ in itertools.islice(sequence, MIN_STREAK - 1)]
        assert slot_states(pool)[SlotState.HELD] == MIN_STREAK - 1
        del views[1:]
        wait_for("the others", lambda: slot_states(pool)[SlotState.HELD] == 1)
        del views
        wait_for("all slots", lambda: slot_states(pool)[SlotState.HELD] == 0)


def test_kept_labels_keep_neither_images_nor_slots(data: ImageDataset) -> None:
    with pool_of(2) as pool, sequence_of(data, pool, max_queue_size=10) as sequence:
        memory, labels = [], []
        for x, y in sequence:
            memory.append(weakref.ref(owner_of(x)))
            labels.append(y)
            del x
        assert not any(reference() for reference in memory)
        wait_for("all slots", lambda: slot_states(pool)[SlotState.HELD] == 0)

    assert sorted(np.concatenate(labels)) == list(range(NUM_ROWS))
