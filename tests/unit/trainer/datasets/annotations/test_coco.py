"""`ImageDataset.from_coco`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from feedline import ImageDataset
from feedline.errors import DatasetError


def content() -> dict[str, Any]:
    """Two images, one without annotations, and categories whose ids have gaps."""
    return {
        "info": {},
        "images": [
            {"id": 9, "file_name": "000000000009.jpg", "width": 640, "height": 480},
            {"id": 2, "file_name": "000000000002.jpg", "width": 100, "height": 50},
        ],
        "annotations": [
            {"id": 71, "image_id": 2, "category_id": 90, "bbox": [10, 20, 30.5, 5], "iscrowd": 0},
            {"id": 70, "image_id": 2, "category_id": 1, "bbox": [0, 0, 100, 50], "iscrowd": 1},
        ],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}],
    }


def read(folder: Path, what: Any, **options: Any) -> ImageDataset:
    file = folder / "instances.json"
    file.write_text(what if isinstance(what, str) else json.dumps(what))
    return ImageDataset.from_coco(file, "images", **options)


def test_boxes_become_corners_and_categories_are_counted_without_gaps(tmp_path: Path) -> None:
    data = read(tmp_path, content())
    assert data.paths == ("000000000009.jpg", "000000000002.jpg")
    assert data.class_names == ["person", "toothbrush"]
    assert data.boxes is not None
    assert [boxes.tolist() for boxes in data.boxes] == [[], [[10, 20, 40.5, 25, 1]]]


def test_crowds_are_taken_when_asked_for(tmp_path: Path) -> None:
    data = read(tmp_path, content(), crowds=True)
    assert data.boxes is not None
    assert data.boxes[1].tolist() == [[10, 20, 40.5, 25, 1], [0, 0, 100, 50, 0]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bbox": [1, 2, 3]}, r"annotation 71: expected bbox=\[x, y, width, height\], got \[1, 2, 3\]"),
        ({"bbox": "large"}, "annotation 71: expected bbox"),
        ({"bbox": None}, "annotation 71: expected bbox"),
        ({"bbox": [1, 2, -3, 4]}, "annotation 71: expected a box with x1 <= x2"),
        ({"category_id": 3}, "annotation 71 is of category 3, which is not in categories"),
        ({"image_id": 3}, "annotation 71 is of image 3, which is not in images"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_and_id(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    wrong = content()
    wrong["annotations"][0] |= change
    with pytest.raises(DatasetError, match=rf"instances.json, {text}"):
        read(tmp_path, wrong)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("{\n,", "line 2: not JSON"),
        ("[]", "a list of images"),
        ('{"images": [], "annotations": []}', "a list of categories"),
        (
            '{"images": [{"id": 1}], "annotations": [], "categories": []}',
            r"entry 0 of images must have id, file",
        ),
        ('{"images": [], "annotations": [7], "categories": []}', "entry 0 of annotations must have"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, what: str, text: str) -> None:
    with pytest.raises(DatasetError, match=text):
        read(tmp_path, what)
