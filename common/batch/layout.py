"""Where the arrays of a batch lie in its bytes.

A batch is one run of bytes, whether it lies in a slot of shared memory or travels as a frame: the
arrays one after another in the order of their specs, each at a multiple of 64 bytes (what
TensorFlow and JAX need to take an array without a copy), the gaps zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.common.errors import ConfigurationError

ALIGNMENT_BYTES = 64
"""Every array and every slot starts at a multiple of this."""

DTYPES = ("uint8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64", "bool")
"""What an array of a batch may hold, by NumPy's names."""


def aligned(num_bytes: int) -> int:
    """Round up to the next multiple of `ALIGNMENT_BYTES`."""
    return -(-num_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """One array of a batch, without its first axis, which counts samples.

    Attributes
    ----------
    name : str
        ``"x"``, ``"y"``, ``"y1"``, ``"weight"`` ...
    shape : tuple of int
        Per sample: ``(height, width, channels)`` for images, ``()`` for a scalar label.
    dtype : str
        One of `DTYPES`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ConfigurationError(f"dtype of {self.name!r} must be one of {DTYPES}, got {self.dtype!r}")
        if any(side < 1 for side in self.shape):
            raise ConfigurationError(f"shape of {self.name!r} must be positive, got {self.shape}")

    @property
    def sample_bytes(self) -> int:
        """Bytes that one sample takes."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        return [self.name, list(self.shape), self.dtype]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> ArraySpec:
        """Undo `to_wire`."""
        name, shape, dtype = wire
        return cls(str(name), tuple(int(side) for side in shape), str(dtype))


@dataclass(frozen=True, slots=True)
class BatchLayout:
    """The places of all arrays in a batch of `num_samples` samples.

    Attributes
    ----------
    offsets : tuple of int
        Byte offset of each array, in the order of the specs.
    num_bytes : int
        Bytes of the whole batch, a multiple of `ALIGNMENT_BYTES`.
    """

    specs: tuple[ArraySpec, ...]
    num_samples: int
    offsets: tuple[int, ...] = field(init=False, compare=False)
    num_bytes: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Add up; a layout is asked for its places much more often than it is made."""
        ends = list(accumulate(aligned(spec.sample_bytes * self.num_samples) for spec in self.specs))
        object.__setattr__(self, "offsets", (0, *ends[:-1]))
        object.__setattr__(self, "num_bytes", ends[-1])

    def views(self, buffer: Any) -> dict[str, npt.NDArray[Any]]:
        """Arrays of shape (num_samples, ...) that read and write `buffer`, by name.

        Parameters
        ----------
        buffer : buffer
            At least `num_bytes` long; the views keep it alive and are writable if it is.
        """
        return {
            spec.name: np.ndarray((self.num_samples, *spec.shape), spec.dtype, buffer, offset)
            for spec, offset in zip(self.specs, self.offsets, strict=True)
        }


def empty_buffer(num_bytes: int) -> npt.NDArray[np.uint8]:
    """A heap buffer, shape (num_bytes,), that starts at a multiple of `ALIGNMENT_BYTES`."""
    return _aligned_part(np.empty(num_bytes + ALIGNMENT_BYTES, np.uint8), num_bytes)


def zero_buffer(num_bytes: int) -> npt.NDArray[np.uint8]:
    """An `empty_buffer` of zeros: as large as you like, it costs nothing where nobody writes or reads."""
    return _aligned_part(np.zeros(num_bytes + ALIGNMENT_BYTES, np.uint8), num_bytes)


def _aligned_part(block: npt.NDArray[np.uint8], num_bytes: int) -> npt.NDArray[np.uint8]:
    start = -block.ctypes.data % ALIGNMENT_BYTES
    return block[start : start + num_bytes]


def digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 over names, shapes, dtypes and bytes, to tell whether two batches are the same."""
    sha = hashlib.sha256()
    for name, array in arrays.items():
        sha.update(f"{name}{array.shape}{array.dtype.str}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()
