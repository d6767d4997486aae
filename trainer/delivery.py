"""From the bytes of a batch to the arrays Keras gets, and back to a free slot when those are gone."""

from __future__ import annotations

import ctypes
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from common.batch import ALIGNMENT_BYTES, BatchLayout
from common.protocol import Buffer
from common.waker import Waker
from trainer.slots import SlotId


class Releases:
    """Slots that consumers gave back, on their way to the pool's thread.

    `release` may run in any thread, also inside the garbage collector while that thread holds any
    lock: it appends and wakes, nothing else.
    """

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._slots: deque[SlotId] = deque()

    def release(self, slot: SlotId) -> None:
        """A slot is not read any more."""
        self._slots.append(slot)
        self._waker.wake()

    def take(self) -> list[SlotId]:
        """All released slots since the last call. Called by the pool's thread."""
        slots = []
        while self._slots:
            slots.append(self._slots.popleft())
        return slots


@dataclass(frozen=True, slots=True)
class Delivery:
    """One batch, for whoever asked for it.

    Attributes
    ----------
    layout : BatchLayout
        Where the arrays lie in `data`.
    data : buffer
        A received frame.
    copy : bool
        The slot is to be free as soon as the bytes are out of it, not when the arrays are gone.
    release : callable
        Gives the slot back; to be called once.
    """

    layout: BatchLayout
    data: Buffer
    copy: bool
    release: Callable[[], None]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The batch's arrays by name, aligned to 64 bytes and writable. Called once, by the consumer.

        ZeroMQ does not align frames, and Keras copies what is not aligned; so the images are copied
        here instead, into memory of their own. The slot is free again, unless `copy` frees it at
        once, when the last array that reads that memory is gone: NumPy collapses chains of views,
        so it is the ctypes object at their root that is watched. Labels and weights are small and
        copied, lest one kept label keeps a batch.
        """
        owner = aligned_owner(self.layout.num_bytes)
        ctypes.memmove(owner, np.frombuffer(self.data, np.uint8).ctypes.data, self.layout.num_bytes)
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
