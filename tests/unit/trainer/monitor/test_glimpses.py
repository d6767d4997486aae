"""Pictures of a batch are copied when somebody asks, and not before."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from feedline.trainer.monitor.glimpses import NUM_SHOWN, SIDE, Glimpse, Glimpses
from feedline.trainer.monitor.pictures import GAP, png_of


def test_a_batch_is_kept_once_somebody_has_asked_and_only_that_jobs() -> None:
    glimpses, x = Glimpses(), np.zeros((16, 8, 8, 3), np.uint8)
    glimpses.offer(1, {"x": x})
    assert glimpses.take(1) is None
    glimpses.offer(2, {"x": x})
    glimpses.offer(1, {"x": x})
    x += 1
    glimpses.offer(1, {"x": x})
    kept = glimpses.take(1)
    assert kept is not None
    assert kept.images.shape == (NUM_SHOWN, 8, 8, 3)
    assert kept.images.max() == 0, "a copy, and of the first batch after it was asked for"
    assert glimpses.take(2) is None
    glimpses.forget(1)
    assert glimpses.take(1) is None


def test_batches_that_are_no_images_have_no_picture() -> None:
    glimpses = Glimpses()
    assert glimpses.take(1) is None
    glimpses.offer(1, {"x": np.zeros((1, 5000), np.uint8)})
    assert glimpses.take(1) is None


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((3, 60, 40, 3), "uint8"),
        ((3, 60, 40, 1), "float32"),
        ((1, 60, 40, 4), "uint16"),
        ((3, 60, 40, 9), "int16"),
        ((3, 1024, 20, 3), "uint8"),
        ((3, 4, 4, 2), "float32"),
    ],
)
def test_images_of_any_kind_become_a_row_of_small_ones(shape: tuple[int, ...], dtype: str) -> None:
    images = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    picture = cv2.imdecode(np.frombuffer(png_of(Glimpse.of(images)), np.uint8), cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    assert height == SIDE
    one = (width + GAP) // shape[0] - GAP
    assert one == pytest.approx(SIDE * shape[2] / shape[1], abs=1)


def test_colours_stay_what_they_are() -> None:
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    picture = cv2.imdecode(np.frombuffer(png_of(Glimpse.of(red)), np.uint8), cv2.IMREAD_COLOR)
    assert picture[0, 0].tolist() == [0, 0, 255], "OpenCV reads blue first"
