"""Regions as they travel."""

from __future__ import annotations

import numpy as np
import pytest

from feedline.common.sample.regions import Region, Shape, joined, pack, parted, unpack
from feedline.errors import RemoteProtocolError


def region(value: int, *numbers: int, shape: Shape = Shape.POLYGON) -> Region:
    return Region(value, shape, np.array(numbers, np.int32))


def as_lists(regions: list[Region]) -> list[tuple[int, Shape, list[int]]]:
    return [(value, shape, numbers.tolist()) for value, shape, numbers in regions]


def test_regions_of_several_images_come_back_as_they_were() -> None:
    images = [
        [region(3, 0, 0, 256, 0, 0, 256), region(1, 2, 2, 2, shape=Shape.RUNS)],
        [],
        [region(300, 1, 2, 3, 4, 5, -6)],
    ]
    packed = [joined((2, 3 + nth), regions) for nth, regions in enumerate(images)]
    buffers = [bytes(buffer) for buffer in pack(packed)]
    for nth, (values, regions) in enumerate(zip(unpack(buffers, 3), images, strict=True)):
        size, parts = parted(values)
        assert size == (2, 3 + nth)
        assert as_lists(list(parts)) == as_lists(regions)


@pytest.mark.parametrize(
    "numbers",
    [[], [4], [0, 4], [4, -1], [4, 4, 1], [4, 4, 1, 7, 0], [4, 4, 1, 0, 5, 1], [4, 4, 1, 0, -1]],
)
def test_numbers_that_are_no_regions_are_refused(numbers: list[int]) -> None:
    with pytest.raises(RemoteProtocolError):
        list(parted(np.array(numbers, np.int32))[1])


@pytest.mark.parametrize("size", [[1 << 14, (1 << 14) + 1], [(1 << 31) - 1, (1 << 31) - 1]])
def test_a_mask_of_more_pixels_than_an_image_may_have_is_refused(size: list[int]) -> None:
    with pytest.raises(RemoteProtocolError, match="no image with more than 268,435,456"):
        parted(np.array(size, np.int32))


@pytest.mark.parametrize("buffers", [[], [b"abc", b""], [b"\4\0\0\0", b""], [b"\0\0\0\0", b""]])
def test_buffers_of_another_length_are_refused(buffers: list[bytes]) -> None:
    with pytest.raises(RemoteProtocolError, match="regions"):
        unpack(buffers, 2)
