"""Memory of a builder's own, for batches that travel as frames."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from feedline.common.batch.layout import empty_buffer


class OwnSlots:
    """One buffer a slot. The trainer leases a slot again only when it has all of its last batch.

    Parameters
    ----------
    slot_bytes : int
        Length of each.
    """

    def __init__(self, slot_bytes: int) -> None:
        self._slot_bytes = slot_bytes
        self._slots: dict[int, npt.NDArray[np.uint8]] = {}

    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]:
        """The buffer of a slot, shape (slot_bytes,); zero at first."""
        if index not in self._slots:
            self._slots[index] = empty_buffer(self._slot_bytes)
            self._slots[index][:] = 0
        return self._slots[index]

    def forget(self, indices: Iterable[int]) -> None:
        """Let buffers go; those that are still being sent live until they are. From any thread."""
        for index in indices:
            self._slots.pop(index, None)
