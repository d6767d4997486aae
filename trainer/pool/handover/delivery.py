"""From the bytes of a batch to the arrays Keras gets, and back to a free slot when those are gone."""

from __future__ import annotations

import ctypes
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.batch.layout import ALIGNMENT_BYTES, BatchLayout
from feedline.common.memory.arena import ArenaView
from feedline.common.processes.waker import Waker
from feedline.common.wire.protocol import Buffer
from feedline.trainer.dispatch.slots import SlotId

WORD_BYTES = 8
"""Arrays start at a multiple of this. TensorFlow and JAX copy what is not at a multiple of 64, as frames are
not: a copy made here would take no less, and for others it would be in vain."""


class Releases:
    """Slots that consumers gave back, on their way to the pool's thread.

    `release` may run in any thread, also inside the garbage collector while that thread holds any
    lock: it appends and wakes, nothing else. It does not even wake while every producer has enough to do:
    a thread that is woken costs more than all that it does with the slot.
    """

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._slots: deque[SlotId] = deque()
        self._wanted = True

    def release(self, slot: SlotId) -> None:
        """A slot is not read any more."""
        self._slots.append(slot)
        if self._wanted:
            self._waker.wake()

    def are_wanted(self, *, wanted: bool) -> bool:
        """Whether to wake; called by the pool's thread before it waits. True if some are there already."""
        self._wanted = wanted
        return wanted and bool(self._slots)

    def take(self) -> list[SlotId]:
        """All released slots since the last call. Called by the pool's thread."""
        slots = []
        while self._slots:
            slots.append(self._slots.popleft())
        return slots


class Once:
    """Makes a call the first time that it is called, from whatever thread, and never again."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._calls = [call]

    def __call__(self) -> None:
        """Make the call, unless it was made."""
        with suppress(IndexError):
            self._calls.pop()()


@dataclass(frozen=True, slots=True)
class Frame:
    """A received frame. ZeroMQ does not align it, but a large one starts at a word."""

    data: Buffer

    def owner(self, num_bytes: int) -> Any:
        """A ctypes array over the first bytes."""
        return (ctypes.c_uint8 * num_bytes).from_buffer(self.data)


@dataclass(frozen=True, slots=True)
class SharedSlot:
    """A slot of an arena, aligned."""

    arena: ArenaView
    index: int

    def owner(self, num_bytes: int) -> Any:
        """A ctypes array over the first bytes."""
        return self.arena.owner(self.index, num_bytes)


Payload: TypeAlias = Frame | SharedSlot
"""The bytes of a batch that arrived, wherever they are."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One batch, for whoever asked for it.

    Attributes
    ----------
    layout : BatchLayout
        Where the arrays lie in the payload.
    payload : Payload
        The bytes.
    copy : bool
        The slot is to be free as soon as the bytes are out of it, not when the arrays are gone.
    release : callable
        Gives the slot back, the first time that it is called.
    producer_id : bytes
        Who built it.
    since : float
        When it was handed out, in seconds of `time.monotonic`.
    """

    layout: BatchLayout
    payload: Payload
    copy: bool
    release: Callable[[], None]
    producer_id: bytes = b""
    since: float = field(default_factory=time.monotonic)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The batch's arrays by name, writable, aligned to words; to 64 bytes but for frames. Called once.

        The images are views, of the slot or of a copy. The slot is free again, unless a copy frees it
        at once, when the last array that reads the memory is gone: NumPy collapses chains of views,
        so it is the ctypes object at their root that is watched. Labels and weights are small and
        copied, lest one kept label keeps a batch.
        """
        num_bytes = self.layout.num_bytes
        owner = self.payload.owner(num_bytes)
        if self.copy or ctypes.addressof(owner) % WORD_BYTES:
            source, owner = owner, aligned_owner(num_bytes)
            ctypes.memmove(owner, source, num_bytes)
        if self.copy:
            self.release()
        else:
            weakref.finalize(owner, self.release).atexit = False
        views = self.layout.views(owner)
        return {name: array if name == "x" else array.copy() for name, array in views.items()}


def aligned_owner(num_bytes: int) -> Any:
    """A ctypes array of `num_bytes` that starts at a multiple of `ALIGNMENT_BYTES`."""
    block: Any = np.empty(num_bytes + ALIGNMENT_BYTES, np.uint8)
    return (ctypes.c_uint8 * num_bytes).from_buffer(block, -block.ctypes.data % ALIGNMENT_BYTES)


class HandOver:
    """Counts deliveries. Thread-safe: any thread may take a batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.num_delivered = 0
        self.seconds = 0.0

    def count(self, seconds: float) -> None:
        """One more, that took so long."""
        with self._lock:
            self.num_delivered += 1
            self.seconds += seconds
