"""Nothing of what lay in a slot before is left in a batch, whatever its job does."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from feedline.common.job.images import Job
from feedline.common.sample.companions import Companion, Role
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import Sample, Ticket
from feedline.errors import SampleError
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.building.mask_watch import have_one_ratio
from feedline.producer.reading.roots import DataRoots
from feedline.transforms import (
    CenterCrop,
    CutMix,
    Mosaic,
    RandomBrightness,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGrayscale,
    RandomRotation,
    RandomSaturation,
    Rescaling,
)

SIZE = (48, 64)
TRANSFORMS: list[tuple[Any, ...]] = [
    (),
    (RandomFlip(), RandomRotation(0.2, "constant")),
    (RandomCrop(40, 40), RandomBrightness(0.2)),
    (CenterCrop(40, 40), RandomErasing(1.0)),
    (RandomSaturation(0.5), RandomGrayscale(1.0)),
    (RandomFlip(), Rescaling(1 / 255)),
    (CutMix(), RandomFlip()),
    (Mosaic(),),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = tmp_path_factory.mktemp("slots")
    rng = np.random.default_rng(1)
    for row in range(4):
        cv2.imwrite(str(result / f"{row}.png"), rng.integers(0, 256, (50 + row, 70, 3), np.uint8))
        cv2.imwrite(str(result / f"{row}-mask.png"), rng.integers(0, 9, (50 + row, 70), np.uint8))
    cv2.imwrite(str(result / "grey.pfm"), rng.random((4, 4), np.float32))
    Image.fromarray(np.zeros((70, 50), np.uint8)).save(result / "turned.png")
    return result


def ticket(*names: tuple[str, ...]) -> Ticket:
    return Ticket(1, 0, 0, 1, 0, tuple(Sample(name, row) for row, name in enumerate(names)), ())


def job(transforms: tuple[Any, ...] = (), **given: Any) -> Job:
    masks = (Companion("mask0", Role.MASK),)
    return Job(1, 7, 4, ImageSpec(*SIZE, **given), transforms, "uint8", (), companions=masks)


@pytest.mark.parametrize("transforms", TRANSFORMS, ids=str)
@pytest.mark.parametrize("given", [{}, {"fit": "pad"}, {"fit": "crop"}, {"color_mode": "rgba"}], ids=str)
def test_a_batch_is_the_same_whatever_lay_in_its_slot(
    transforms: tuple[Any, ...], given: dict[str, Any], folder: Path
) -> None:
    one = job(transforms, **given)
    order = ticket(*((f"{row}.png", f"{row}-mask.png") for row in range(4)))
    builder = BatchBuilder(one, DataRoots([str(folder)]))
    layout = one.layout(4 // one.num_sources)
    arrays = []
    for filling in (0x5A, 0xA5):
        slot = np.full(one.slot_bytes, filling, np.uint8)
        builder.build(order, lambda: False, slot)
        arrays.append({name: view.copy() for name, view in layout.views(slot[: layout.num_bytes]).items()})
    for name, array in arrays[0].items():
        np.testing.assert_array_equal(array, arrays[1][name])


def test_a_file_without_the_channels_that_were_asked_for_fails_its_batch(folder: Path) -> None:
    builder = BatchBuilder(job(), DataRoots([str(folder)]))
    with pytest.raises(SampleError, match=r"grey.pfm: is a PFM file"):
        builder.build(ticket(("0.png", "0-mask.png"), ("grey.pfm", "0-mask.png")), lambda: False)


def test_a_mask_that_is_stretched_is_told_once_with_both_names(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    builder = BatchBuilder(job(), DataRoots([str(folder)]))
    with caplog.at_level(logging.WARNING):
        builder.build(ticket(("0.png", "0-mask.png"), ("1.png", "1-mask.png")), lambda: False)
        assert not caplog.messages
        builder.build(ticket(("0.png", "turned.png"), ("1.png", "turned.png")), lambda: False)
    (message,) = caplog.messages
    assert "turned.png has 70 x 50 pixels, and its image 0.png 50 x 70" in message


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ((480, 640), (480, 640), True),
        ((480, 640), (240, 320), True),
        ((301, 401), (150, 200), True),
        ((301, 401), (151, 201), True),
        ((480, 640), (640, 480), False),
        ((480, 640), (512, 512), False),
        ((50, 50), (50, 52), False),
    ],
)
def test_ratios_are_compared_up_to_rounding(
    first: tuple[int, int], second: tuple[int, int], is_one: bool
) -> None:
    assert have_one_ratio(first, second) == have_one_ratio(second, first) == is_one
