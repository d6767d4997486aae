"""That a mask holds no classes is said once, and only where it seems so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline.common.sample.image import ColorMode, Fit, ImageSpec
from feedline.common.sample.mask_values import MaskValues
from feedline.common.wire.protocol import Sample
from feedline.producer.building.samples import Samples
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.reading.roots import DataRoots

MASK = ImageSpec(8, 8, color_mode=ColorMode.CLASSES)
NAMED = replace(MASK, color_mode=MaskValues.of({255: 1}))


def told(folder: Path, image: ImageSpec, caplog: pytest.LogCaptureFixture, *files: str) -> list[str]:
    """What is said of files, each named by the values of its pixels and its format, as ``0-255.png``."""
    samples = Samples(image, DataRoots([str(folder)]), StageClock())
    for row, name in enumerate(files):
        values = [int(value) for value in name.split(".")[0].split("-")]
        pixels = np.resize(np.array(values, np.uint8), (8, 8))
        assert cv2.imwrite(str(folder / name), pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])
        samples.decoded(Sample((name,), row))
    assert {vars(record)["topic"] for record in caplog.records} <= {"mask values"}
    return caplog.messages


def test_the_first_mask_of_0_and_255_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (text,) = told(tmp_path, MASK, caplog, "0.png", "255.png", "0-255.png", "0-0-255.png", "0-255.jpg")
    assert text.startswith("the mask 0-255.png holds 0 and 255 and nothing else: mask_values={255: 1} of")
    assert text.endswith(" Others like it are not told")


def test_the_first_jpeg_is_named_whatever_came_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (text,) = told(tmp_path, MASK, caplog, "0-1.png", "7.jpg", "8.jpg", "0-255.png")
    assert text.startswith("the mask 7.jpg is a JPEG, which changes numbers: save masks as PNG.")


@pytest.mark.parametrize("first", ["0-1.png", "0-7-255.png", "254.png"])
def test_where_a_mask_has_shown_classes_255_is_one(
    first: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(tmp_path, MASK, caplog, first, "0-255.png") == []


@pytest.mark.parametrize(
    "image",
    [
        NAMED,
        replace(MASK, color_mode=ColorMode.GRAYSCALE),
        replace(MASK, height=16, fit=Fit.PAD, fill=255),
    ],
)
def test_nothing_is_said_of_pictures_of_values_that_are_named_or_of_a_class_255_that_is_filled_with(
    image: ImageSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(tmp_path, image, caplog, "0.png", "0-255.png") == []
    if not image.fill:
        assert told(tmp_path, image, caplog, "255.jpg") == []


def test_masks_of_16_bits_are_looked_at_alike(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(told(tmp_path, replace(MASK, dtype="uint16"), caplog, "0-255.png")) == 1
