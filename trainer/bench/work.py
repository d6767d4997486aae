"""The work itself, in plain OpenCV: what the limit does, and what peers without decoders of their own do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from feedline.trainer.bench.case import DELTA, Case
from feedline.trainer.bench.slices import BareWindows

Pixels = npt.NDArray[Any]


def plain(path: str, case: Case) -> Pixels:
    """Decode and resize, into memory of its own: the part in which nothing is random."""
    image = decoder(case)(Path(path).read_bytes())
    if image is None:
        raise ValueError(f"OpenCV cannot decode {path!r}")
    if image.shape[:2] != (case.height, case.width):
        image = cv2.resize(image, (case.width, case.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(image, np.uint8).reshape(case.shape)


def decoder(case: Case) -> Callable[[bytes], Pixels | None]:
    """Who makes pixels of a file's bytes, without a resize."""
    if case.color_mode == "windows":
        return BareWindows(case.height, case.width)
    flags = cv2.IMREAD_GRAYSCALE if case.channels == 1 else cv2.IMREAD_COLOR_RGB
    return lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def augmented(path: str, case: Case, rng: np.random.Generator) -> Pixels:
    """All of the work, into memory of its own, as a user's ``__getitem__`` would."""
    image = plain(path, case)
    if rng.random() < 0.5:
        image = cv2.flip(image, 1)
    return brightened(image, rng.uniform(-DELTA, DELTA)).reshape(case.shape)


def brightened(image: Pixels, share: float, out: Pixels | None = None) -> Pixels:
    """Add `share` of 255, saturating."""
    delta = round(share * 255)
    operate = cv2.add if delta >= 0 else cv2.subtract
    # Four numbers, and rows without channels: OpenCV's fastest way.
    rows = image.reshape(len(image), -1)
    dst = None if out is None else out.reshape(len(out), -1)
    return operate(rows, np.full(4, abs(delta), np.float64), dst=dst, dtype=cv2.CV_8U)


class ReusedBuffers:
    """All of the work into the same memory again and again: nothing can be faster with OpenCV.

    OpenCV 5 has no ``imdecode(dst=)``: malloc is told to keep what is freed, see `KEEP_MEMORY` in
    `feedline.common.processes.children`.

    Parameters
    ----------
    case : Case
        The work.
    seed : int
        Of the draws.
    """

    def __init__(self, case: Case, seed: int) -> None:
        self._case = case
        self._rng = np.random.default_rng(seed)
        self._decode = decoder(case)
        plane = case.shape[:2] if case.channels == 1 else case.shape
        self._resized, self._mirrored = np.empty(plane, np.uint8), np.empty(plane, np.uint8)
        self.batch = np.empty((case.batch_size, *plane), np.uint8)

    def fill(self, place: int, path: str) -> None:
        """Do the work for one file, into one place of the batch."""
        image: Any = self._decode(Path(path).read_bytes())
        if image.shape[:2] != self._resized.shape[:2]:
            size = (self._case.width, self._case.height)
            image = cv2.resize(image, size, dst=self._resized, interpolation=cv2.INTER_LINEAR)
        if self._rng.random() < 0.5:
            image = cv2.flip(image, 1, dst=self._mirrored)
        brightened(image, self._rng.uniform(-DELTA, DELTA), self.batch[place])
