"""Batches of any structure as one run of bytes that says itself what is in it.

What someone else's Sequence returns need not have the same shapes from index to index, or any that a trainer
knew beforehand. So its batches begin with a head, msgpack of their structure, and the arrays follow, each at
a multiple of 64 bytes, as in `feedline.common.batch.layout`::

    length of the head, 8 bytes | head | gap | array | gap | array | gap

In the head, tuples and dicts are themselves, and an array is its dtype, shape and offset from the first one.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt

from feedline.common.batch.layout import DTYPES, aligned
from feedline.common.errors import RemoteProtocolError, UserCodeError

_LENGTH = struct.Struct("<Q")
_PLACE = 1
"""msgpack's type code of an array's place."""

MAX_DEPTH = 32
"""Tuples and dicts in each other; Keras' structures have two or three."""

MAX_AXES = 32
"""NumPy 1 has no arrays with more."""

COPIED_BYTES = 1 << 16
"""Arrays up to this size are copied out: one kept label must not keep a whole batch."""


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """A batch, ready to be written.

    Attributes
    ----------
    head : bytes
        Its structure.
    arrays : tuple of ndarray
        In the order of the structure.
    offsets : tuple of int
        Where each begins, in bytes from the first one's place.
    num_bytes : int
        Of all, a multiple of 64.
    """

    head: bytes
    arrays: tuple[npt.NDArray[Any], ...]
    offsets: tuple[int, ...]
    num_bytes: int

    @classmethod
    def of(cls, batch: Any) -> PackedBatch:
        """Take in what a Sequence's ``__getitem__`` returned.

        Lists of arrays become tuples, lists of numbers become arrays, and Nones at the end are left out: so
        Keras takes them.

        Raises
        ------
        UserCodeError
            There is something in it that is no array of a dtype in `feedline.common.batch.layout.DTYPES`.
        """
        arrays: list[npt.NDArray[Any]] = []
        offsets = [0]

        def place_of(array: npt.NDArray[Any]) -> msgpack.ExtType:
            arrays.append(array)
            offsets.append(offsets[-1] + aligned(array.nbytes))
            return msgpack.ExtType(_PLACE, msgpack.packb([array.dtype.name, list(array.shape), offsets[-2]]))

        head = msgpack.packb(_outlined(_without_nones(batch), place_of))
        return cls(head, tuple(arrays), tuple(offsets[:-1]), _start(len(head)) + offsets[-1])

    def write(self, memory: npt.NDArray[np.uint8]) -> None:
        """Write it to the first `num_bytes` bytes of `memory`, gaps as zeros; the rest is left as it is."""
        head = _LENGTH.pack(len(self.head)) + self.head
        start = _start(len(self.head))
        memory[:start] = np.frombuffer(head.ljust(start, b"\0"), np.uint8)
        for array, offset in zip(self.arrays, self.offsets, strict=True):
            begin, end = start + offset, start + offset + array.nbytes
            np.ndarray(array.shape, array.dtype.newbyteorder("="), memory, begin)[...] = array
            memory[end : start + offset + aligned(array.nbytes)] = 0

    @property
    def digest(self) -> str:
        """SHA-256 over structure, shapes, dtypes and bytes."""
        sha = hashlib.sha256(self.head)
        for array in self.arrays:
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    @property
    def outline(self) -> str:
        """Structure, dtypes and shapes for people: ``(float32 (8, 32, 32, 3), {'y': int64 (8,)})``."""
        return repr(msgpack.unpackb(self.head, ext_hook=_place_in_words, use_list=False))


def unpack(memory: npt.NDArray[np.uint8]) -> Any:
    """The batch that lies at the beginning of `memory`; its large arrays are views, writable if that is.

    Raises
    ------
    RemoteProtocolError
        There lies none.
    """
    try:
        (length,) = _LENGTH.unpack_from(memory.data)
        head = memory[_LENGTH.size : _LENGTH.size + min(length, len(memory))].tobytes()

        def array_at(code: int, data: bytes) -> npt.NDArray[Any]:
            dtype, shape, offset = _read_place(code, data)
            array = np.ndarray(shape, dtype, memory, _start(length) + offset)
            return array.copy() if array.nbytes <= COPIED_BYTES else array

        batch = msgpack.unpackb(head, ext_hook=array_at, use_list=False)
        _check_structure(batch)
    except (struct.error, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise RemoteProtocolError(f"not a packed batch: {error}") from error
    except msgpack.UnpackException as error:
        raise RemoteProtocolError(f"not a packed batch: {error!r}") from error
    return batch


def _check_structure(batch: Any, depth: int = 0) -> None:
    """A batch is arrays, in tuples and dicts that are not without end, and has one at least."""
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} times")
    match batch:
        case np.ndarray():
            return
        case tuple() if batch:
            parts: Any = batch
        case dict() if batch and all(isinstance(name, str) for name in batch):
            parts = batch.values()
        case _:
            raise ValueError(f"it holds {type(batch).__name__} where an array is expected")
    for part in parts:
        _check_structure(part, depth + 1)


def arrays_in(batch: Any) -> Iterator[npt.NDArray[Any]]:
    """All arrays of an unpacked batch, in the order of its structure."""
    match batch:
        case tuple():
            parts: Any = batch
        case dict():
            parts = batch.values()
        case _:
            yield batch
            return
    for part in parts:
        yield from arrays_in(part)


def _start(head_bytes: int) -> int:
    """Where the first array lies."""
    return aligned(_LENGTH.size + head_bytes)


def _without_nones(batch: Any) -> Any:
    """Leave out the parts of (x, y, weights) that are None."""
    if not isinstance(batch, tuple | list):
        return batch
    parts = list(batch)
    while parts and parts[-1] is None:
        parts.pop()
    return parts[0] if len(parts) == 1 < len(batch) else tuple(parts)


def _outlined(part: Any, place_of: Any) -> Any:
    """The structure of a part, with what `place_of` makes of its arrays."""
    match part:
        case dict():
            return {str(name): _outlined(value, place_of) for name, value in part.items()}
        case tuple() | list() if not _is_nested_numbers(part):
            return [_outlined(value, place_of) for value in part]
        case _:
            return place_of(_as_array(part))


def _is_nested_numbers(part: Any) -> bool:
    """Whether a list is an array that was not made one."""
    if not isinstance(part, list) or not part:
        return False
    return all(isinstance(value, int | float | np.generic) or _is_nested_numbers(value) for value in part)


def _as_array(value: Any) -> npt.NDArray[Any]:
    array = np.asarray(value)
    if array.dtype.name not in DTYPES:
        raise UserCodeError(
            f"a batch has a {type(value).__name__} of dtype {array.dtype.name}; batches hold arrays of"
            f" {', '.join(DTYPES)}, in tuples, lists and dicts"
        )
    return array


def _read_place(code: int, data: bytes) -> tuple[str, tuple[int, ...], int]:
    dtype, shape, offset = msgpack.unpackb(data, use_list=False)
    if code != _PLACE or dtype not in DTYPES:
        raise ValueError(f"no array has code {code} and dtype {dtype!r:.80}")
    numbers = (offset, *shape)
    if len(shape) > MAX_AXES or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"no array has shape {shape!r:.80} and offset {offset!r:.80}")
    return dtype, shape, offset


def _place_in_words(code: int, data: bytes) -> Any:
    dtype, shape, _ = _read_place(code, data)
    return _Words(f"{dtype} {shape}")


class _Words(str):
    """A text that is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
