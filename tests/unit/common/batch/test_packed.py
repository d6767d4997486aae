"""Batches of any structure as bytes, and back."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt
import pytest

from feedline.common.batch.layout import ALIGNMENT_BYTES, DTYPES, empty_buffer
from feedline.common.batch.packed import COPIED_BYTES, PackedBatch, arrays_in, unpack
from feedline.errors import RemoteProtocolError, UserCodeError

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
Y = np.array([3, 1], np.int64)
LARGE = np.ones(COPIED_BYTES + 1, np.uint8)


def there_and_back(batch: Any) -> Any:
    return unpack(written(batch))


def written(batch: Any) -> npt.NDArray[np.uint8]:
    packed = PackedBatch.of(batch)
    memory = empty_buffer(packed.num_bytes + 640)
    memory[:] = 255
    packed.write(memory)
    return memory


def same(one: Any, other: Any) -> bool:
    """Whether two batches have one structure, and equal arrays of equal dtypes in it."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (X, X),
        ((X, Y), (X, Y)),
        ((X, Y, X[:, 0, 0]), (X, Y, X[:, 0, 0])),
        (({"a": X, "b": {"c": Y}}, (Y, X)), ({"a": X, "b": {"c": Y}}, (Y, X))),
        ([[X, X], [Y, Y]], ((X, X), (Y, Y))),
        ((X, None), X),
        ((X, Y, None), (X, Y)),
        ((X, [3, 1]), (X, Y)),
        ((X, [[1.0, 2.0], [3.0, 4.0]]), (X, np.array([[1.0, 2.0], [3.0, 4.0]]))),
        ((X[:, ::-1, ::2], Y.astype(">i8")), (X[:, ::-1, ::2], Y)),
        (X[:0], X[:0]),
        ((X, 0.5), (X, np.array(0.5))),
    ],
)
def test_a_batch_comes_back_as_keras_wants_it(batch: Any, expected: Any) -> None:
    assert same(there_and_back(batch), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_of_batches_comes_back(dtype: str) -> None:
    array = np.array([[1, 0, 1]]).astype(dtype)
    assert same(there_and_back((array,)), (array,))


def test_every_array_is_aligned_and_large_ones_are_not_copied() -> None:
    memory = written((LARGE, LARGE[:100], LARGE))
    large, small, other = unpack(memory)
    for array in (large, other):
        assert array.ctypes.data % ALIGNMENT_BYTES == 0
        assert np.shares_memory(array, memory)
    assert not np.shares_memory(small, memory)


def test_equal_batches_have_equal_digests_and_others_have_not() -> None:
    def digest(batch: Any) -> str:
        return PackedBatch.of(batch).digest

    assert digest((X, Y)) == digest([X.copy(), [3, 1]])
    different = [(X, Y), (Y, X), (X + 1, Y), X, (X.astype(np.float64), Y), (X.reshape(3, 2, 4), Y), {"a": X}]
    assert len({digest(batch) for batch in different}) == len(different)


def test_an_outline_says_what_is_in_a_batch() -> None:
    outline = PackedBatch.of(({"a": X}, Y)).outline
    assert outline == "({'a': float32 (2, 3, 4)}, int64 (2,))"


@pytest.mark.parametrize(
    "batch", [None, (X, "text"), (X, np.array([None])), X.astype(np.complex64), {"a": {1, 2}}]
)
def test_what_is_no_array_of_a_known_dtype_is_refused(batch: Any) -> None:
    with pytest.raises(UserCodeError, match="batches hold arrays of"):
        PackedBatch.of(batch)


def test_bytes_that_are_no_batch_are_refused() -> None:
    whole = written((LARGE, LARGE))
    lies = whole.copy()
    lies[0] = 255
    for memory in (lies, whole[:COPIED_BYTES], whole[:4], np.zeros(64, np.uint8)):
        with pytest.raises(RemoteProtocolError, match="not a packed batch"):
            unpack(memory)


def test_arrays_come_in_the_order_of_the_structure() -> None:
    assert [array.dtype.name for array in arrays_in(({"a": X, "b": Y}, (Y, X)))] == [
        "float32", "int64", "int64", "float32",
    ]  # fmt: skip


def bytes_of(head: object) -> np.ndarray:
    """Memory that begins with a head of somebody's own making."""
    packed = head if isinstance(head, bytes) else msgpack.packb(head)
    return np.frombuffer((len(packed).to_bytes(8, "little") + packed).ljust(256, b"\0"), np.uint8)


def place(*parts: object) -> msgpack.ExtType:
    return msgpack.ExtType(1, msgpack.packb(parts))


@pytest.mark.parametrize(
    "memory",
    [
        bytes_of("a text"),
        bytes_of([]),
        bytes_of({}),
        bytes_of([None]),
        bytes_of([[[1]]]),
        bytes_of({1: place("uint8", [1], 0)}),
        bytes_of(msgpack.ExtType(2, b"")),
        bytes_of(place("uint8", [-1], 0)),
        bytes_of(place("uint8", [1000], 0)),
        bytes_of(place("uint8", [1], -64)),
        bytes_of(place("uint8", [1], 1 << 60)),
        bytes_of(place("uint8", [1 << 62, 1 << 62], 0)),
        bytes_of(place("uint8", [1] * 65, 0)),
        bytes_of(place("object", [1], 0)),
        bytes_of(place("uint8", 3, 0)),
        bytes_of(place("uint8", [True], 0)),
        bytes_of(b"\x91" * 200),
        np.full(256, 255, np.uint8),
        np.zeros(3, np.uint8),
    ],
)
def test_what_no_producer_packs_is_refused(memory: np.ndarray) -> None:
    with pytest.raises(RemoteProtocolError, match="not a packed batch"):
        unpack(memory)
