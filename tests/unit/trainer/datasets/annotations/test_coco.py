"""`ImageDataset.from_coco`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from annotation_files import boxes_of, touch

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
    """Without a look at the images."""
    file = folder / "instances.json"
    file.write_text(what if isinstance(what, str) else json.dumps(what))
    return ImageDataset.from_coco(file, "images", **{"validate_filenames": False, **options})


def test_boxes_become_corners_and_categories_are_counted_without_gaps(tmp_path: Path) -> None:
    data = read(tmp_path, content())
    assert data.paths == ("000000000009.jpg", "000000000002.jpg")
    assert data.class_names == ["person", "toothbrush"]
    assert boxes_of(data) == [[], [[10, 20, 40.5, 25, 1]]]


def test_crowds_are_taken_when_asked_for(tmp_path: Path) -> None:
    data = read(tmp_path, content(), crowds=True)
    assert boxes_of(data)[1] == [[10, 20, 40.5, 25, 1], [0, 0, 100, 50, 0]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bbox": [1, 2, 3]}, r"annotation 71: expected bbox=\[x, y, width, height\], got \[1, 2, 3\]"),
        ({"bbox": "large"}, "annotation 71: expected bbox"),
        ({"bbox": None}, "annotation 71: expected bbox"),
        ({"bbox": [1, 2, -3, 4]}, "annotation 71: expected a box with x1 <= x2"),
        ({"category_id": 3}, "annotation 71 is of category 3, which is not in categories"),
        ({"image_id": 3}, "annotation 71 is of image 3, which is not in images$"),
        ({"image_id": "2"}, "annotation 71 is of image '2', .*; 2 is: write all ids as numbers, or all as"),
        ({"image_id": [2]}, r"annotation 71 is of image \[2\], which is not in images"),
        ({"image_id": None}, "annotation 71 is of image None"),
        ({"category_id": "90"}, "annotation 71 is of category '90', .*; 90 is: write all ids as numbers"),
        ({"category_id": None}, "annotation 71 is of category None"),
        ({"bbox": [1, float("nan"), 3, 4]}, "annotation 71: expected a box with x1 <= x2"),
        ({"bbox": [1, 2, float("inf"), 4]}, "annotation 71: expected a box with x1 <= x2"),
        ({"iscrowd": "no"}, "annotation 71: expected iscrowd to be 0 or 1, got 'no'"),
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
        ("", "line 1: not JSON"),
        ('{"images": [],}', "line 1: not JSON"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, what: str, text: str) -> None:
    with pytest.raises(DatasetError, match=text):
        read(tmp_path, what)


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("images", {"id": 9}, "entries 0 and 1 of images have the same id, 9: give each its own"),
        ("images", {"id": "2"}, "ids of images are numbers as well as texts, such as 9 and '2'"),
        ("images", {"id": None}, "entry 1 of images must have a number or a text as its id"),
        ("images", {"id": [2]}, "entry 1 of images must have a number or a text as its id"),
        ("images", {"id": float("nan")}, "entry 1 of images must have a number or a text as its id"),
        ("images", {"file_name": None}, "entry 1 of images must have a text as its file_name, got .*None"),
        ("images", {"file_name": ""}, "entry 1 of images must have a text as its file_name"),
        ("images", {"file_name": "000000000009.jpg"}, "entries 0 and 1 of images have the same file_name"),
        ("images", {"width": "wide"}, "image 2: expected height and width in pixels, or neither"),
        ("images", {"width": -1}, "image 2: expected height and width in pixels, or neither"),
        ("categories", {"id": 90}, "entries 0 and 1 of categories have the same id, 90"),
        ("categories", {"id": "1"}, "ids of categories are numbers as well as texts, such as 90 and '1'"),
        ("categories", {"name": None}, "entry 1 of categories must have a text as its name"),
        ("categories", {"name": "toothbrush"}, "entries 0 and 1 of categories have the same name"),
    ],
)
def test_records_that_cannot_be_told_apart_or_named_are_refused(
    tmp_path: Path, name: str, change: dict[str, Any], text: str
) -> None:
    wrong = content()
    wrong[name][1] |= change
    with pytest.raises(DatasetError, match=rf"instances.json.*{text}"):
        read(tmp_path, wrong)


@pytest.mark.parametrize("crowd", [True, 1, "1"])
def test_a_crowd_is_one_however_it_is_written(tmp_path: Path, crowd: Any) -> None:
    """And what is written as none is none."""
    given = content()
    given["annotations"][0]["iscrowd"] = "0"
    given["annotations"][1]["iscrowd"] = crowd
    assert boxes_of(read(tmp_path, given))[1] == [[10, 20, 40.5, 25, 1]]


def test_ids_may_be_texts_or_numbers_with_a_point(tmp_path: Path) -> None:
    given = content()
    for place, name in enumerate(["two", "nine"]):
        given["images"][place]["id"] = name
    for annotation in given["annotations"]:
        annotation |= {"image_id": "nine", "category_id": float(annotation["category_id"])}
    assert boxes_of(read(tmp_path, given))[1] == [[10, 20, 40.5, 25, 1]]


def test_boxes_of_no_use_are_left_out_with_one_warning(tmp_path: Path) -> None:
    given = content()
    for number, box in enumerate([[0, 0, 0, 4], [100, 0, 5, 5], [-9, 0, 9, 5], [10, 20, 30.5, 5]]):
        given["annotations"].append({"id": number, "image_id": 2, "category_id": 90, "bbox": box})
    text = (
        r"^left out boxes: 1 without an area, the first at .*annotation 0; 2 wholly outside of their image,"
        r" the first at .*annotation 1; 1 that repeat one of the same image and class.*annotation 3$"
    )
    with pytest.warns(UserWarning, match=text) as caught:
        data = read(tmp_path, given)
    assert len(caught) == 1
    assert boxes_of(data)[1] == [[10, 20, 40.5, 25, 1]]


def test_fractions_where_pixels_are_meant_are_refused_in_words(tmp_path: Path) -> None:
    given = content()
    given["annotations"][0]["bbox"] = [0.1, 0.2, 0.305, 0.05]
    with pytest.raises(DatasetError, match=r"instances.json: boxes are in pixels, and all of these lie betw"):
        read(tmp_path, given)


def test_images_without_a_file_are_found_when_the_set_is_made(tmp_path: Path) -> None:
    given = content()
    (tmp_path / "instances.json").write_text(json.dumps(given))
    with pytest.raises(DatasetError, match=r"none of the 2 files in .*instances.json exists .*validate_file"):
        ImageDataset.from_coco(tmp_path / "instances.json", tmp_path)
    touch(tmp_path / "000000000002.jpg")
    with pytest.warns(UserWarning, match=r"left out 1 of 2 images .*000000000009.jpg"):
        data = ImageDataset.from_coco(tmp_path / "instances.json", tmp_path)
    assert (data.paths, len(boxes_of(data)[0])) == (("000000000002.jpg",), 1)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(content()), encoding=encoding, newline="\r\n")
    assert len(ImageDataset.from_coco(file, validate_filenames=False)) == 2
