"""Arrays can be kept as long as one likes, and their slot is free exactly when nobody reads it."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from feedline.common.batch.layout import ALIGNMENT_BYTES, ArraySpec, BatchLayout, empty_buffer
from feedline.common.processes.waker import Waker
from feedline.trainer.dispatch.slots import SlotId
from feedline.trainer.pool.handover.delivery import Delivery, Frame, Releases, aligned_owner

LAYOUT = BatchLayout(
    (ArraySpec("x", (5, 7, 3), "uint8"), ArraySpec("y", (2,), "float32"), ArraySpec("weight", (), "float32")),
    num_samples=3,
)


class Consumer:
    """Takes a delivery, and counts how often its slot came back."""

    def __init__(self, *, copy: bool = False, misaligned_by: int = 0) -> None:
        self.num_released = 0
        rng = np.random.default_rng(1)
        frame = empty_buffer(LAYOUT.num_bytes + 64)[misaligned_by:][: LAYOUT.num_bytes]
        frame[:] = 0
        self.sent = LAYOUT.views(frame)
        self.sent["x"][:] = rng.integers(0, 256, self.sent["x"].shape)
        self.sent["y"][:] = rng.random(self.sent["y"].shape)
        self.sent["weight"][:] = [1, 2, 3]
        self.arrays = Delivery(LAYOUT, Frame(memoryview(frame)), copy, self.release).arrays()

    def release(self) -> None:
        """Count."""
        self.num_released += 1

    def take(self, name: str) -> npt.NDArray[Any]:
        """Take an array out: nobody else has it then."""
        return self.arrays.pop(name)


def test_arrays_hold_what_was_sent() -> None:
    consumer = Consumer()
    assert list(consumer.arrays) == ["x", "y", "weight"]
    for name, array in consumer.arrays.items():
        assert array.dtype == consumer.sent[name].dtype
        np.testing.assert_array_equal(array, consumer.sent[name])


@pytest.mark.parametrize("misaligned_by", [0, 8, 40])
def test_a_frame_at_a_word_is_used_where_it_is(misaligned_by: int) -> None:
    consumer = Consumer(misaligned_by=misaligned_by)
    x = consumer.arrays["x"]
    assert np.shares_memory(x, consumer.sent["x"])
    assert x.flags.writeable
    assert x.flags.c_contiguous


@pytest.mark.parametrize("misaligned_by", [1, 33])
def test_a_frame_between_words_is_copied_to_an_aligned_place(misaligned_by: int) -> None:
    consumer = Consumer(misaligned_by=misaligned_by)
    x = consumer.take("x")
    assert not np.shares_memory(x, consumer.sent["x"])
    assert x.ctypes.data % ALIGNMENT_BYTES == 0
    assert x.flags.writeable
    assert x.flags.c_contiguous
    del x
    assert consumer.num_released == 1


def test_a_slot_is_released_once_with_the_last_array_that_reads_it() -> None:
    consumer = Consumer()
    x = consumer.take("x")
    consumer.arrays.clear()
    assert consumer.num_released == 0
    del x
    assert consumer.num_released == 1
    gc.collect()
    assert consumer.num_released == 1


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1],
        lambda x: x[1:2, ::2, ::-1][0],
        lambda x: x.reshape(-1)[3:9].view(np.int8),
        memoryview,
        lambda x: np.asarray(memoryview(x[0]))[1:],
    ],
)
def test_any_view_of_an_image_keeps_its_slot(view: Any) -> None:
    consumer = Consumer()
    kept = view(consumer.take("x"))
    expected = view(consumer.sent["x"])
    gc.collect()
    assert consumer.num_released == 0
    np.testing.assert_array_equal(kept, expected)
    del kept
    assert consumer.num_released == 1


def test_labels_and_weights_keep_no_slot() -> None:
    consumer = Consumer()
    y, weight = consumer.take("y"), consumer.take("weight")
    consumer.arrays.clear()
    assert consumer.num_released == 1
    np.testing.assert_array_equal(y, consumer.sent["y"])
    assert weight.tolist() == [1, 2, 3]
    assert y.base is None
    assert weight.base is None


def test_a_copied_delivery_releases_its_slot_at_once_and_keeps_its_pixels() -> None:
    consumer = Consumer(copy=True)
    assert consumer.num_released == 1
    x = consumer.take("x")
    np.testing.assert_array_equal(x, consumer.sent["x"])
    assert x.ctypes.data % ALIGNMENT_BYTES == 0
    del x
    assert consumer.num_released == 1


@pytest.mark.parametrize("num_bytes", [1, 63, 64, 65, 4097])
def test_an_owner_is_aligned_and_as_long_as_asked(num_bytes: int) -> None:
    for _ in range(8):
        array = np.frombuffer(aligned_owner(num_bytes), np.uint8)
        assert array.ctypes.data % ALIGNMENT_BYTES == 0
        assert array.nbytes == num_bytes


# --- releases -----------------------------------------------------------------------------------


def test_releases_come_in_order_once_each_and_wake_the_pool() -> None:
    waker = CountingWaker()
    releases = Releases(waker)
    slots = [SlotId(b"p", 1, index) for index in range(3)]
    for slot in slots:
        releases.release(slot)
    assert waker.num_wakes == 3
    assert releases.take() == slots
    assert releases.take() == []


def test_releases_wake_nobody_while_they_are_not_wanted_and_are_not_forgotten() -> None:
    waker = CountingWaker()
    releases = Releases(waker)
    slots = [SlotId(b"p", 1, index) for index in range(3)]
    assert not releases.are_wanted(wanted=False)
    releases.release(slots[0])
    assert waker.num_wakes == 0
    assert releases.are_wanted(wanted=True), "one that came meanwhile is told"
    releases.release(slots[1])
    assert waker.num_wakes == 1
    assert releases.take() == slots[:2]
    assert not releases.are_wanted(wanted=True)


class CountingWaker(Waker):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.num_wakes = 0

    def wake(self) -> None:
        """Count, and wake."""
        self.num_wakes += 1
        super().wake()
