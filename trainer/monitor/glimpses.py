"""The first images of a batch, for whoever watches: copied when somebody has asked, and not before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

NUM_SHOWN = 8
"""So many images of a batch."""

SIDE = 128
"""The longer side of each where it is shown, in pixels."""

IMAGE_DIMENSIONS = 4
"""Of an array of images: (batch, height, width, channels)."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """The first images of a batch, copied.

    Attributes
    ----------
    images : ndarray
        Shape (num, height, width, channels); of large ones only every second pixel, or third, and so on.
    """

    images: npt.NDArray[Any]

    @classmethod
    def of(cls, images: npt.NDArray[Any]) -> Glimpse:
        """Copy no more than will be shown: the trainer waits meanwhile."""
        every = max(1, max(images.shape[1:3]) // (2 * SIDE))
        return cls(images[:NUM_SHOWN, ::every, ::every].copy())


class Glimpses:
    """Keeps a glimpse of each job's next batch once somebody wants one. Any thread may call.

    While nobody does, a batch costs one look at an empty set.
    """

    def __init__(self) -> None:
        self._wanted: set[int] = set()
        self._kept: dict[int, Glimpse] = {}

    def offer(self, job_id: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """A batch was delivered. In the thread that takes it."""
        if job_id not in self._wanted:
            return
        self._wanted.discard(job_id)
        images = arrays.get("x")
        if images is not None and images.ndim == IMAGE_DIMENSIONS:
            self._kept[job_id] = Glimpse.of(images)

    def take(self, job_id: int) -> Glimpse | None:
        """What was kept last; and have the next batch looked at."""
        self._wanted.add(job_id)
        return self._kept.get(job_id)

    def forget(self, job_id: int) -> None:
        """A job was closed."""
        self._wanted.discard(job_id)
        self._kept.pop(job_id, None)
