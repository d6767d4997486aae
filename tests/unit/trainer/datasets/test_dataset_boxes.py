"""Boxes of an `ImageDataset`: checked when it is made, and never separated from their image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline import ImageDataset
from feedline.errors import DatasetError


def numbered(num: int) -> ImageDataset:
    """Images with as many boxes as their number modulo 3, all of which have that number as their class."""
    boxes = [[[0, 0, 1, 1, row]] * (row % 3) for row in range(num)]
    return ImageDataset.from_lists([f"{row}.png" for row in range(num)], boxes=boxes)


def assert_together(data: ImageDataset) -> None:
    assert data.boxes is not None
    for path, boxes in zip(data.paths, data.boxes, strict=True):
        row = int(path.removesuffix(".png"))
        assert boxes[:, 4].tolist() == [row] * (row % 3)


@given(st.lists(st.integers(0, 19), min_size=1))
def test_a_subset_has_the_boxes_of_its_images(rows: list[int]) -> None:
    assert_together(numbered(20).subset(rows))


def test_so_have_both_sides_of_a_split() -> None:
    for side in numbered(20).split(0.3, seed=1):
        assert_together(side)


def test_boxes_of_any_array_become_float32_rows() -> None:
    given_boxes: list[Any] = [[(1, 2, 3, 4, 0)], np.zeros((0, 5)), [], np.array([[1.5, 2, 3, 4, 1]])]
    data = ImageDataset.from_lists(list("abcd"), boxes=given_boxes)
    assert data.boxes is not None
    assert [(boxes.shape, boxes.dtype.name) for boxes in data.boxes] == [
        ((1, 5), "float32"),
        ((0, 5), "float32"),
        ((0, 5), "float32"),
        ((1, 5), "float32"),
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_boxes_that_their_giver_changes_later_stay_as_they_were(dtype: Any) -> None:
    separate, together = np.array([[1, 2, 3, 4, 0]], dtype), np.array([[[1, 2, 3, 4, 0]]], dtype)
    sets = [ImageDataset.from_lists(["a"], boxes=boxes) for boxes in ([separate], together)]
    separate[:] = together[:] = 7
    for data in sets:
        assert data.boxes is not None
        assert data.boxes[0].tolist() == [[1, 2, 3, 4, 0]]


def test_a_dataset_says_how_many_boxes_it_has() -> None:
    assert repr(numbered(5)) == "ImageDataset(5 samples, targets=[], 4 boxes)"
    assert ImageDataset.from_lists(["a"]).boxes is None


@pytest.mark.parametrize(
    ("boxes", "text"),
    [
        ([[]], "boxes has 1 entries for 2 paths"),
        ([[], [1, 2, 3, 4, 0]], r"boxes of sample 1 must have shape \(num_boxes, 5\).* got \(5,\)"),
        ([[], [[1, 2, 3, 4]]], r"boxes of sample 1 .* got \(1, 4\)"),
        (
            [[[1, 2, 3, 4, 0]], [[1, 2, 3, 4, 0], [1, 2, 1, 4, 0]]],
            r"box of sample 1 is \[1.0, 2.0, 1.0, .* x1 < x2",
        ),
        ([[], [[1, np.nan, 3, 4, 0]]], "box of sample 1 .* five finite numbers"),
        ([[], [[1, 2, 3, 4, 0.5]]], "box of sample 1 .* whole number"),
        ([[], [["a", 2, 3, 4, 0]]], r"sample 1 must be rows of five numbers.* got \[\['a', 2, 3, 4, 0\]\]"),
        ([[[1, 2, 3, 4, -1]], []], "box of sample 0 .* a class from 0 on"),
    ],
)
def test_boxes_that_cannot_be_used_are_quoted(boxes: list[Any], text: str) -> None:
    with pytest.raises(DatasetError, match=text):
        ImageDataset.from_lists(["a", "b"], boxes=boxes)


def test_a_class_needs_a_name_where_there_are_names() -> None:
    with pytest.raises(DatasetError, match="a class below 2, the number of class_names"):
        ImageDataset(["a"], class_names=["cat", "dog"], boxes=[np.array([[1, 2, 3, 4, 2]])])


def test_fractions_where_pixels_are_meant_are_refused_in_words() -> None:
    boxes = [[[0.1, 0.2, 0.5, 1, 0]], []]
    with pytest.raises(DatasetError, match="boxes are in pixels, and all of these lie between 0 and 1"):
        ImageDataset.from_lists(["a", "b"], boxes=boxes)
    assert len(ImageDataset.from_lists(["a", "b"], boxes=[*boxes[:1], [[0, 0, 9, 9, 0]]])) == 2
    assert len(ImageDataset.from_lists(["a", "b"], boxes=[[], []])) == 2
