"""YOLOv3's targets, against a literal second implementation and against stored numbers of the original."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline.errors import ConfigurationError
from feedline.trainer.targets.yolo import (
    TINY_YOLO_ANCHORS,
    YOLO_ANCHORS,
    Anchors,
    YoloTargets,
    encode_yolo_targets,
)

Array = npt.NDArray[Any]
Size = tuple[int, int]

GRIDS_OF = {9: ((32, (6, 7, 8)), (16, (3, 4, 5)), (8, (0, 1, 2))), 6: ((32, (3, 4, 5)), (16, (1, 2, 3)))}
"""(stride, anchors) of each grid, written down from the networks' configurations."""

SIZES = st.sampled_from([(416, 416), (320, 608), (96, 32)])
ANCHORS = st.sampled_from([YOLO_ANCHORS, TINY_YOLO_ANCHORS])


def overlap(width: np.float32, height: np.float32, anchor: tuple[float, float]) -> float:
    """Intersection over union of a box and an anchor that have one centre."""
    shared = min(float(width), anchor[0]) * min(float(height), anchor[1])
    return shared / (float(width * height) + anchor[0] * anchor[1] - shared)


def encode_slowly(boxes: Array, size: Size, anchors: Anchors, num_classes: int) -> list[Array]:
    """Encode box by box; every box has an area and lies in the image. Boxes in one place add up."""
    height, width = size
    grids = GRIDS_OF[len(anchors)]
    targets = [
        np.zeros((len(boxes), height // stride, width // stride, 3, 5 + num_classes), np.float32)
        for stride, _ in grids
    ]
    for sample, rows in enumerate(boxes):
        for x1, y1, x2, y2, category in rows:
            if x2 - x1 <= 0:
                continue
            scores = [overlap(x2 - x1, y2 - y1, anchor) for anchor in anchors]
            best = scores.index(max(scores))
            x = np.float32(float((x1 + x2) // 2) / width)
            y = np.float32(float((y1 + y2) // 2) / height)
            w, h = np.float32(float(x2 - x1) / width), np.float32(float(y2 - y1) / height)
            for target, (stride, mask) in zip(targets, grids, strict=True):
                if best in mask:
                    row = math.floor(float(y) * (height // stride))
                    column = math.floor(float(x) * (width // stride))
                    place = target[sample, row, column, mask.index(best)]
                    place[:4] = (x, y, w, h)
                    place[4] = place[5 + int(category)] = 1
    return targets


def some_boxes(seed: int, batch: int, max_boxes: int, size: Size, num_classes: int) -> Array:
    """Boxes at whole pixels, from none to `max_boxes` an image, and rows of zeros behind them.

    The legacy generator, because its numbers are the same for ever.
    """
    rng = np.random.RandomState(seed)
    height, width = size
    boxes = np.zeros((batch, max_boxes, 5), np.float32)
    for image in boxes:
        n = rng.randint(0, max_boxes + 1)
        x, y = rng.randint(0, width - 2, n), rng.randint(0, height - 2, n)
        x2 = x + 2 + (rng.random_sample(n) * (width - 2 - x)).astype(int)
        y2 = y + 2 + (rng.random_sample(n) * (height - 2 - y)).astype(int)
        image[:n] = np.stack([x, y, x2, y2, rng.randint(0, num_classes, n)], axis=1)
    return boxes


def is_without_collision(targets: list[Array]) -> bool:
    return all(target[..., 5:].sum(axis=-1).max() <= 1 for target in targets)


@given(st.integers(0, 2**31), SIZES, ANCHORS)
def test_boxes_are_encoded_as_the_slow_literal_implementation_encodes_them(
    seed: int, size: Size, anchors: Anchors
) -> None:
    boxes = some_boxes(seed, 3, 12, size, 4)
    slow = encode_slowly(boxes, size, anchors, 4)
    for faithful in (True, False) if is_without_collision(slow) else (True,):
        fast = encode_yolo_targets(boxes, size, anchors, 4, faithful=faithful)
        assert len(fast) == len(slow)
        for mine, theirs in zip(fast, slow, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


@given(st.integers(0, 2**31), st.floats(0.0, 1.0))
def test_boxes_between_pixels_are_encoded_so_too(seed: int, by: float) -> None:
    boxes = some_boxes(seed, 2, 6, (416, 416), 3)
    boxes[boxes[..., 2] > 0] -= np.float32([by, by, by / 2, by / 3, 0])
    boxes = boxes.clip(0)
    slow = encode_slowly(boxes, (416, 416), YOLO_ANCHORS, 3)
    for mine, theirs in zip(
        encode_yolo_targets(boxes, (416, 416), YOLO_ANCHORS, 3, faithful=True), slow, strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


STORED = [
    # seed, size, anchors, classes: the first half of each grid's SHA-256, and its sum
    (0, (416, 416), YOLO_ANCHORS, 80, ("755be1ebe916918f", "9fda50080360ca5a", "5aa0592a4679b2b9"),
     (54.48076927661896, 41.70192318037152, 22.862980830017477)),
    (1, (320, 608), YOLO_ANCHORS, 20, ("ee609332e2f5e6c5", "295f5516866da45c", "7e21a7c3484fca7b"),
     (78.85707239806652, 63.840789487585425, 60.81019739666954)),
    (2, (416, 416), TINY_YOLO_ANCHORS, 3, ("d4bdf98de2761dd9", "083ee9aeeb6f5b18"),
     (105.49759619683027, 133.60336530348286)),
]  # fmt: skip
"""Made with ``preprocess_true_boxes`` of qqwweee/keras-yolo3 (e6598d1) itself, which is not part of this."""


@pytest.mark.parametrize(("seed", "size", "anchors", "num_classes", "hashes", "sums"), STORED)
def test_the_original_made_the_same_bytes(
    seed: int,
    size: Size,
    anchors: Anchors,
    num_classes: int,
    hashes: tuple[str, ...],
    sums: tuple[float, ...],
) -> None:
    boxes = some_boxes(seed, 4, 20, size, num_classes)
    targets = encode_yolo_targets(boxes, size, anchors, num_classes, faithful=True)
    assert tuple(float(target.sum(dtype=np.float64)) for target in targets) == sums
    assert tuple(hashlib.sha256(target.tobytes()).hexdigest()[:16] for target in targets) == hashes


def the_box(targets: tuple[Array, ...]) -> tuple[int, ...]:
    """(grid, row, column, anchor) of the only box of one image."""
    (found,) = [
        (grid, *map(int, place))
        for grid, target in enumerate(targets)
        for place in np.argwhere(target[0, ..., 4] == 1)
    ]
    return found


def encode_one(*rows: list[float], faithful: bool = False) -> tuple[Array, ...]:
    return encode_yolo_targets([rows], (416, 416), YOLO_ANCHORS, 3, faithful=faithful)


def test_a_box_is_the_task_of_the_cell_its_centre_lies_in_and_of_the_anchor_most_like_it() -> None:
    assert the_box(encode_one([100, 60, 134, 84, 1])) == (2, 9, 14, 2)
    assert the_box(encode_one([0, 0, 373, 326, 1])) == (0, 5, 5, 2)


def test_rows_without_an_area_are_no_boxes_and_lose_none() -> None:
    box = [100.0, 60, 134, 84, 1]
    alone = encode_one(box)
    for empty in ([50.0, 50, 50, 90, 2], [50, 50, 90, 50, 2], [-1] * 5, [0] * 5):
        for one, two in zip(alone, encode_one(empty, box), strict=True):
            np.testing.assert_array_equal(one, two)


def test_in_the_original_a_row_without_width_takes_the_anchor_of_the_box_behind_it() -> None:
    targets = encode_one([50, 50, 50, 90, 2], [100, 60, 134, 84, 1], faithful=True)
    assert the_box(targets) == (2, 8, 6, 2)
    assert targets[2][0, 8, 6, 2, 5:].tolist() == [0, 0, 1]


def test_a_centre_on_the_far_edge_belongs_to_the_last_cell() -> None:
    box = [406.0, 397, 426, 435, 0]
    assert the_box(encode_one(box)) == (2, 51, 51, 1)
    with pytest.raises(IndexError):
        encode_one(box, faithful=True)


@pytest.mark.parametrize("box", [[-40, 10, 20, 40, 0], [10, 410, 40, 450, 0], [420, 10, 440, 30, 0]])
def test_a_centre_outside_the_image_belongs_to_no_cell(box: list[float]) -> None:
    assert all(not target.any() for target in encode_one(box))


def test_of_two_boxes_for_one_place_the_later_one_stays() -> None:
    first, second = [100.0, 60, 134, 84, 1], [101.0, 60, 135, 84, 2]
    for one, both in zip(encode_one(second), encode_one(first, second), strict=True):
        np.testing.assert_array_equal(one, both)
    theirs = encode_one(first, second, faithful=True)[2][0, 9, 14, 2]
    assert theirs[5:].tolist() == [0, 1, 1]


def test_the_tiny_network_has_anchor_3_in_both_grids_and_anchor_0_in_none() -> None:
    like_3, like_0 = [100.0, 100, 181, 182, 0], [100.0, 100, 110, 114, 0]
    for box, present in ((like_3, [True, True]), (like_0, [False, False])):
        targets = encode_yolo_targets([[box]], (416, 416), TINY_YOLO_ANCHORS, 1)
        assert [bool(target.any()) for target in targets] == present


def test_images_without_boxes_have_targets_of_zeros() -> None:
    targets = encode_yolo_targets(np.zeros((2, 0, 5)), (64, 96), YOLO_ANCHORS, 1)
    assert [target.shape for target in targets] == [(2, 2, 3, 3, 6), (2, 4, 6, 3, 6), (2, 8, 12, 3, 6)]
    assert not any(target.any() for target in targets)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (([[[1, 2, 3, 4]]], (416, 416), YOLO_ANCHORS, 3), r"\(batch, max_boxes, 5\), got \(1, 1, 4\)"),
        (([[[1, 2, 3, 4, 3]]], (416, 416), YOLO_ANCHORS, 3), r"0 to 2; box 0 of sample 0 is \[1.0, 2.0, 3.0"),
        (([[[1, 2, 3, 4, -1]]], (416, 416), YOLO_ANCHORS, 3), "0 to 2"),
        (([[[1, 2, 3, 4, 0]]], (400, 416), YOLO_ANCHORS, 3), r"multiples of 32, got \(400, 416\)"),
        (([[[1, 2, 3, 4, 0]]], 416, YOLO_ANCHORS, 3), "multiples of 32, got 416"),
        (([[[1, 2, 3, 4, 0]]], (416, 416), YOLO_ANCHORS[:5], 3), "9 or 6 pairs"),
        (([[[1, 2, 3, 4, 0]]], (416, 416), [10, 13] * 9, 3), "9 or 6 pairs"),
        (([[[1, 2, 3, 4, 0]]], (416, 416), [(0, 1)] * 9, 3), "positive"),
        (([[[1, 2, 3, 4, 0]]], (416, 416), [(math.nan, 1)] * 9, 3), "finite"),
        (([[[1, 2, 3, 4, 0]]], (416, 416), YOLO_ANCHORS, 0), "num_classes"),
        (([[[1, 2, 3, 4, 0]]], (416, 416), YOLO_ANCHORS, 2.5), "num_classes"),
    ],
)
def test_what_cannot_work_is_refused(arguments: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        encode_yolo_targets(*arguments)


def test_a_declaration_of_targets_can_be_compared_and_knows_their_shapes() -> None:
    targets = YoloTargets(20, [[10, 13]] * 9)  # type: ignore[arg-type]
    assert targets == YoloTargets(20, ((10.0, 13.0),) * 9)
    assert targets.shapes((320, 608)) == ((10, 19, 3, 25), (20, 38, 3, 25), (40, 76, 3, 25))
