"""That bits are lost is said once, and only where some are."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline.common.sample.image import ColorMode, ImageSpec
from feedline.common.wire.protocol import Sample
from feedline.producer.building.samples import Samples
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.reading.roots import DataRoots

IMAGE = ImageSpec(8, 8, color_mode=ColorMode.GRAYSCALE)


def told(folder: Path, image: ImageSpec, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is said of a file of 8 bits and two of 16."""
    for name, dtype in (("a.png", np.uint8), ("b.png", np.uint16), ("c.png", np.uint16)):
        assert cv2.imwrite(str(folder / name), np.full((8, 8), 3, dtype))
    samples = Samples(image, DataRoots([str(folder)]), StageClock())
    with caplog.at_level(logging.WARNING):
        for row, name in enumerate(("a.png", "b.png", "c.png")):
            samples.decoded(Sample((name,), row))
    return caplog.messages


def test_the_first_file_that_loses_bits_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (text,) = told(tmp_path, IMAGE, caplog)
    assert text.startswith("b.png has 16 bits a channel, of which the upper 8 are kept: pass dtype='uint16'")
    assert text.endswith(". Others like it are not told")
    assert [vars(record)["topic"] for record in caplog.records] == ["depth"]


def test_a_job_that_keeps_all_is_told_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert told(tmp_path, replace(IMAGE, dtype="uint16"), caplog) == []


def test_masks_that_fit_are_told_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert told(tmp_path, replace(IMAGE, color_mode=ColorMode.CLASSES), caplog) == []
