"""MixUp, CutMix, Mosaic: how several images, their boxes and their labels become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.declarations.mixing import Collage, CutMix, MixUp, Mosaic, Patch
from feedline.common.sample.boxes import Boxes
from feedline.common.sample.image import Size
from feedline.producer.arrays import Draws, Pixels
from feedline.producer.transforms.boxes import moved_into
from feedline.producer.transforms.forms import Mix
from feedline.producer.transforms.registry import mixing_of


@dataclass(frozen=True, slots=True)
class Blended:
    """Two images, one shining through the other; boxes of both are there."""

    share: float

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """See `Mix`."""
        return np.array([self.share, 1.0 - self.share])

    def write_image(self, sources: Sequence[Pixels], out: Pixels) -> None:
        """See `Mix`; a result that is not float32 is rounded."""
        first, second = sources
        cv2.addWeighted(first, self.share, second, 1.0 - self.share, 0.0, dst=out)

    def boxes(self, sources: Sequence[Boxes]) -> Boxes:
        """See `Mix`."""
        return np.concatenate(sources)


@dataclass(frozen=True, slots=True)
class Pasted:
    """Patches of images; later ones hide what is under them."""

    patches: Sequence[Patch]
    size: Size

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """See `Mix`: the part of the area where the sample is seen."""
        owners = np.zeros(self.size, np.intp)
        for patch in self.patches:
            owners[_place(patch)] = patch.source
        num_samples = 1 + max(patch.source for patch in self.patches)
        return np.bincount(owners.reshape(-1), minlength=num_samples) / owners.size

    def write_image(self, sources: Sequence[Pixels], out: Pixels) -> None:
        """See `Mix`."""
        for patch in self.patches:
            rows = slice(patch.from_top, patch.from_top + patch.height)
            columns = slice(patch.from_left, patch.from_left + patch.width)
            out[_place(patch)] = sources[patch.source][rows, columns]

    def boxes(self, sources: Sequence[Boxes]) -> Boxes:
        """See `Mix`: boxes go with their patch, and end where it ends; what is hidden is dropped."""
        kept = sources[0][:0]
        for patch in self.patches:
            kept = np.concatenate([_seen_beside(patch, kept), _boxes_of(patch, sources[patch.source])])
        return kept


@mixing_of(MixUp)
def blend(declaration: MixUp, draws: Draws, _: Size) -> Mix:
    """Blend by the drawn share."""
    return Blended(declaration.share(draws))


@mixing_of(CutMix, Mosaic)
def collage(declaration: Collage, draws: Draws, size: Size) -> Mix:
    """Paste the drawn patches."""
    return Pasted(declaration.patches(draws, size), size)


def _place(patch: Patch) -> tuple[slice, slice]:
    return slice(patch.top, patch.top + patch.height), slice(patch.left, patch.left + patch.width)


def _boxes_of(patch: Patch, boxes: Boxes) -> Boxes:
    window = (patch.left, patch.top, patch.left + patch.width, patch.top + patch.height)
    right, down = patch.left - patch.from_left, patch.top - patch.from_top
    return moved_into(boxes, np.array([[1.0, 0.0, right], [0.0, 1.0, down], [0.0, 0.0, 1.0]]), window)


def _seen_beside(patch: Patch, boxes: Boxes) -> Boxes:
    """Leave out boxes that lie wholly under a patch."""
    corner = np.array([patch.left, patch.top])
    end = corner + np.array([patch.height, patch.width])[::-1]
    is_hidden = (boxes[:, :2] >= corner).all(axis=1) & (boxes[:, 2:4] <= end).all(axis=1)
    seen: Boxes = boxes[~is_hidden]
    return seen
