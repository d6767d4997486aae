"""Masks that are stretched onto their images, as where only one of the two is turned by its Exif."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from feedline.common.sample.image import Size
from feedline.common.wire.protocol import Sample
from feedline.producer.building.items import ImageMaker
from feedline.producer.building.warns_once import WarnsOnce

logger = logging.getLogger(__name__)


class MaskWatch:
    """Warns of the first of a job's masks whose sides have another ratio than its image's."""

    def __init__(self) -> None:
        self._first = WarnsOnce(logger, "masks")

    def look_at(
        self,
        images: ImageMaker,
        masks: ImageMaker,
        samples: Sequence[Sample],
        image_sizes: Sequence[Size],
        mask_sizes: Sequence[Size],
    ) -> None:
        """Compare the masks of an item with its images, one for each of its samples."""
        if self._first.has_warned:
            return
        for sample, image, mask in zip(samples, image_sizes, mask_sizes, strict=True):
            if not have_one_ratio(image, mask):
                self._first.warn(
                    f"the mask {masks.path_of(sample)} has {mask[0]} x {mask[1]} pixels, and its image"
                    f" {images.path_of(sample)} {image[0]} x {image[1]}: it is stretched onto it. Is only one"
                    " of them turned by Exif?"
                )
                return


def have_one_ratio(first: Size, second: Size) -> bool:
    """Whether one is the other made larger or smaller, rounded to whole pixels."""
    (height, width), (other_height, other_width) = first, second
    off = abs(height * other_width - width * other_height)
    return off <= max(height, width, other_height, other_width)
