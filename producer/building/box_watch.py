"""Boxes that lie far out of their images, which transforms cut off or drop without a word."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from feedline.common.sample.boxes import Boxes
from feedline.common.sample.image import Size
from feedline.common.wire.protocol import Sample
from feedline.producer.building.warns_once import WarnsOnce

logger = logging.getLogger(__name__)

_LEAST_PIXELS = 2.0
_SHARE = 0.05
"""A box may stick out by so many pixels, or by so much of its image's side if that is more: people round."""


class BoxWatch:
    """Warns of the first of a job's boxes that sticks far out of the image in its file.

    Parameters
    ----------
    place : int
        Which of a sample's files has the image.
    """

    def __init__(self, place: int = 0) -> None:
        self._place = place
        self._first = WarnsOnce(logger, "boxes")

    def look_at(self, samples: Sequence[Sample], boxes: Sequence[Boxes], sizes: Sequence[Size]) -> None:
        """Compare the boxes of a batch, as the dataset has them, with the images in their files."""
        if self._first.has_warned:
            return
        owners = np.repeat(np.arange(len(boxes)), [len(one) for one in boxes])
        rows = np.concatenate(boxes)
        corners = rows[:, :4].reshape(-1, 2, 2)
        ends = np.array(sizes, np.float32)[:, ::-1]
        reach = ends / 2 + np.maximum(_LEAST_PIXELS, ends * _SHARE)
        far = np.abs(corners - ends[owners, np.newaxis] / 2) > reach[owners, np.newaxis]
        for nth in np.flatnonzero(far.any(axis=(1, 2))):
            sample, (height, width) = samples[owners[nth]], sizes[owners[nth]]
            # Of one that is left blank there is no image, and no size.
            if sample.paths:
                box = ", ".join(f"{edge:g}" for edge in rows[nth, :4])
                self._first.warn(
                    f"{sample.paths[self._place]} has a box ({box}) that sticks out of its {width} x {height}"
                    " pixels (width x height): were images made smaller after they were annotated, or are"
                    " corners taken for centre and size? What sticks out is cut off, and a box of which"
                    " nothing is left is dropped."
                )
                return
