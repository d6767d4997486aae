"""That a mask is stretched is said once, and only where one is."""

from __future__ import annotations

from typing import cast

import pytest

from feedline.common.sample.image import Size
from feedline.common.wire.protocol import Sample
from feedline.producer.building.items import ImageMaker
from feedline.producer.building.mask_watch import MaskWatch


class Place:
    """A maker, as far as it says which of a sample's files is its own."""

    def __init__(self, nth: int) -> None:
        self._nth = nth

    def path_of(self, sample: Sample) -> str:
        """As `ImageMaker.path_of`."""
        return sample.paths[self._nth]


def look(watch: MaskWatch, name: str, mask: Size) -> None:
    """At an image of 20 x 40 pixels and its mask."""
    images, masks = (cast("ImageMaker", Place(nth)) for nth in range(2))
    watch.look_at(images, masks, [Sample((f"{name}.png", f"{name}-mask.png"), 0)], [(20, 40)], [mask])


def test_the_first_mask_of_another_ratio_is_named_under_a_topic_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = MaskWatch()
    for name, mask in (("a", (10, 20)), ("b", (40, 20)), ("c", (40, 20))):
        look(watch, name, mask)
    (text,) = caplog.messages
    assert text.startswith(
        "the mask b-mask.png has 40 x 20 pixels, and its image b.png 20 x 40: it is stretched"
    )
    assert text.endswith(" turned by Exif? Others like it are not told")
    assert [vars(record)["topic"] for record in caplog.records] == ["masks"]
