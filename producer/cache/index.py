"""Which slot of a cache file holds which sample, in memory of the process: 20 bytes a sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_RECENT = 8192
"""So many samples are looked up in a dict before they are merged into the sorted arrays."""


class Key(NamedTuple):
    """128 bits that name a sample: see `feedline.producer.cache.store.sample_key`."""

    high: int
    low: int


class KeyIndex:
    """Key -> slot. Of two slots with one key the later one counts. Used by the building thread alone."""

    def __init__(self) -> None:
        self._recent: dict[Key, int] = {}
        self._high = np.empty(0, np.uint64)
        self._low = np.empty(0, np.uint64)
        self._slots = np.empty(0, np.int32)

    def find(self, key: Key) -> int | None:
        """The slot of a sample, or None."""
        slot = self._recent.get(key)
        return self._find_sorted(key) if slot is None else slot

    def add(self, key: Key, slot: int) -> None:
        """A slot was filled."""
        self._recent[key] = slot
        if len(self._recent) > MAX_RECENT:
            keys = np.array(list(self._recent), np.uint64)
            slots = np.array(list(self._recent.values()), np.int32)
            self._recent.clear()
            self.extend(keys[:, 0], keys[:, 1], slots)

    def extend(
        self, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64], slots: npt.NDArray[np.int32]
    ) -> None:
        """Many slots were filled."""
        highs = np.concatenate([self._high, high])
        order = np.argsort(highs, kind="stable")
        self._high = highs[order]
        self._low = np.concatenate([self._low, low])[order]
        self._slots = np.concatenate([self._slots, slots])[order]

    def _find_sorted(self, key: Key) -> int | None:
        position = int(np.searchsorted(self._high, np.uint64(key.high), "right")) - 1
        while position >= 0 and int(self._high[position]) == key.high:
            if int(self._low[position]) == key.low:
                return int(self._slots[position])
            position -= 1
        return None
