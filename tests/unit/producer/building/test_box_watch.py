"""That a box lies far out of its image is said once, and only where one does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline.common.job.images import Job
from feedline.common.sample.boxes import BoxSpec, pack
from feedline.common.sample.image import ImageSpec, Size
from feedline.common.wire.protocol import Sample, Ticket
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.building.box_watch import BoxWatch
from feedline.producer.reading.roots import DataRoots

Edges = tuple[float, float, float, float]


def look(watch: BoxWatch, name: str, size: Size, *boxes: Edges) -> None:
    """At a sample of no boxes and one of these, on an image of `size`, (height, width)."""
    rows = np.array([(*box, 0) for box in boxes], np.float32).reshape(-1, 5)
    samples = [Sample(("none.png",), 0), Sample((name,) if name else (), 1)]
    watch.look_at(samples, [rows[:0], rows], [(9, 9), size])


def test_the_first_box_that_sticks_out_is_named_under_a_topic_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = BoxWatch()
    look(watch, "a.png", (48, 64), (0, 0, 64, 48))
    look(watch, "b.png", (48, 64), (1, 1, 9, 9), (40, 40.5, 300, 300))
    look(watch, "c.png", (48, 64), (100, 100, 300, 300))
    (text,) = caplog.messages
    assert text.startswith("b.png has a box (40, 40.5, 300, 300) that sticks out of its 64 x 48 pixels")
    assert "made smaller after they were annotated, or are corners taken for centre and size?" in text
    assert text.endswith(" Others like it are not told")
    assert [vars(record)["topic"] for record in caplog.records] == ["boxes"]


def test_nothing_is_compared_once_it_has_warned() -> None:
    watch = BoxWatch()
    look(watch, "a.png", (48, 64), (100, 100, 300, 300))
    watch.look_at([], [], [])
    with pytest.raises(ValueError, match="concatenate"):
        BoxWatch().look_at([], [], [])


@pytest.mark.parametrize(
    ("size", "box", "is_told"),
    [
        ((20, 30), (-2, -2, 32, 22), False),
        ((20, 30), (-2.5, 0, 9, 9), True),
        ((20, 30), (0, -2.5, 9, 9), True),
        ((20, 30), (0, 0, 32.5, 9), True),
        ((20, 30), (0, 0, 9, 22.5), True),
        ((200, 300), (-15, -10, 315, 210), False),
        ((200, 300), (-16, 0, 9, 9), True),
        ((200, 300), (0, -11, 9, 9), True),
        ((200, 300), (0, 0, 316, 9), True),
        ((200, 300), (0, 0, 9, 211), True),
    ],
)
def test_two_pixels_or_a_twentieth_of_a_side_are_rounding(
    size: Size, box: Edges, *, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    look(BoxWatch(), "a.png", size, box)
    assert bool(caplog.messages) == is_told


def test_of_a_sample_that_is_left_blank_nothing_is_known(caplog: pytest.LogCaptureFixture) -> None:
    look(BoxWatch(), "", (20, 30), (100, 100, 300, 300))
    assert caplog.messages == []


def test_a_job_compares_boxes_with_the_image_in_the_file_and_not_with_what_becomes_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, side in (("large.png", 400), ("small.png", 64)):
        assert cv2.imwrite(str(tmp_path / name), np.zeros((side, side), np.uint8))
    job = Job(1, 5, 2, ImageSpec(32, 32), (), "uint8", (), boxes=BoxSpec(1))
    builder = BatchBuilder(job, DataRoots([str(tmp_path)]))
    box = np.array([[100, 100, 300, 300, 0]], np.float32)
    samples = tuple(Sample((name,), row) for row, name in enumerate(("large.png", "small.png")))
    built = builder.build(Ticket(1, 0, 0, 1, 0, samples, tuple(pack([box, box]))), lambda: False)
    assert (job.layout(2).views(built)["boxes"][1] == -1).all()
    (text,) = caplog.messages
    assert text.startswith("small.png has a box (100, 100, 300, 300) that sticks out of its 64 x 64 pixels")
