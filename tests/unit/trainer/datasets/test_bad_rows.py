"""`on_bad_row="drop"`: what cannot be used is left out and listed, with one warning; the rest stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from feedline import ImageDataset
from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.rsna_csv import SUBTYPES

Reader = Callable[..., ImageDataset]


def dropped(read: Reader, **options: Any) -> tuple[ImageDataset, list[tuple[str, str]]]:
    """The dataset without its bad rows, and what is said of them; without the option each is an error."""
    with pytest.raises(DatasetError):
        read(**options)
    with pytest.warns(UserWarning, match="rows that cannot be used"):
        data = read(on_bad_row="drop", **options)
    assert list(data.dropped.columns) == ["where", "reason"]
    return data, list(data.dropped.itertuples(index=False, name=None))


def test_rows_of_a_frame_with_bad_cells_go_and_keep_their_numbers_in_the_table() -> None:
    frame = pd.DataFrame(
        {
            "file": ["0.png", None, "2.png", "3.png", "4.png", "5.png"],
            "label": [0.0, 1.0, float("nan"), 3.0, 4.0, 5.0],
            "weight": [1.0, 1.0, 1.0, -2.0, 1.0, float("inf")],
        }
    )

    def read(**options: Any) -> ImageDataset:
        names = {"x_col": "file", "y_col": "label", "weight_col": "weight", "class_mode": "raw"}
        return ImageDataset.from_dataframe(frame, validate_filenames=False, **names, **options)

    data, rows = dropped(read)
    assert data.paths == ("0.png", "4.png")
    assert data.targets[0].tolist() == [0.0, 4.0]
    assert sorted(where for where, _ in rows) == [
        "row 1 (counted from 0) of 'file'",
        "row 2 (counted from 0) of 'label'",
        "row 3 (counted from 0) of 'weight'",
        "row 5 (counted from 0) of 'weight'",
    ]
    assert all("expected" in reason for _, reason in rows)


def test_a_table_of_nothing_but_bad_rows_is_an_error() -> None:
    frame = pd.DataFrame({"filename": [None, None]})
    with pytest.raises(DatasetError, match="row 0"):
        ImageDataset.from_dataframe(frame, class_mode=None, validate_filenames=False, on_bad_row="drop")


def test_another_word_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"on_bad_row must be one of \['raise', 'drop'\], got 'skip'"
    ):
        ImageDataset.from_dataframe(pd.DataFrame({"filename": ["a"]}), class_mode=None, on_bad_row="skip")


def test_good_tables_have_nothing_dropped_and_parts_of_them_say_the_same() -> None:
    frame = pd.DataFrame({"filename": ["a.png", "b.png"]})
    data = ImageDataset.from_dataframe(frame, class_mode=None, validate_filenames=False, on_bad_row="drop")
    assert data.dropped.empty
    assert data.subset([1]).dropped.empty


def test_annotations_of_coco_go_and_their_images_stay(tmp_path: Path) -> None:
    good = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4]}
    bad = [
        {**good, "id": 2, "bbox": [1, 2, 3]},
        {**good, "id": 3, "category_id": 99},
        {**good, "id": 4, "image_id": 8},
        {**good, "id": 5, "iscrowd": 7},
    ]
    content = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 50, "height": 50}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [good, *bad],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))

    def read(**options: Any) -> ImageDataset:
        return ImageDataset.from_coco(tmp_path / "instances.json", validate_filenames=False, **options)

    data, rows = dropped(read)
    assert [len(boxes) for boxes in data.boxes or ()] == [1]
    assert {where.rpartition(", ")[2] for where, _ in rows} == {f"annotation {nth}" for nth in (2, 3, 4, 5)}


def test_objects_of_voc_go_and_files_that_are_no_xml(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages").mkdir()
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>{}</xmax><ymax>9</ymax></bndbox>"
    objects = [("cat", 9), ("unicorn", 9), ("dog", "wide")]
    inside = "\n".join(f"<object><name>{name}</name>{box.format(x)}</object>" for name, x in objects)
    (tmp_path / "Annotations" / "a.xml").write_text(f"<annotation>\n{inside}\n</annotation>")
    (tmp_path / "Annotations" / "b.xml").write_text("<annotation>")

    def read(**options: Any) -> ImageDataset:
        return ImageDataset.from_voc(tmp_path, None, validate_filenames=False, **options)

    data, rows = dropped(read)
    assert data.paths == ("JPEGImages/a",)
    assert [len(boxes) for boxes in data.boxes or ()] == [1]
    assert [where.rpartition("/")[2] for where, _ in rows] == ["a.xml, line 3", "a.xml, line 4", "b.xml"]


def test_boxes_of_the_keras_yolo_go_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a.jpg 1,2,9,9,0 1,2,x,9,0 5,5,1,1,0\nb.jpg 1,2,3,4\n")

    def read(**options: Any) -> ImageDataset:
        return ImageDataset.from_yolo3_annotations(
            tmp_path / "train.txt", validate_filenames=False, **options
        )

    data, rows = dropped(read)
    assert [len(boxes) for boxes in data.boxes or ()] == [1, 0]
    assert [where.rpartition(", ")[2] for where, _ in rows] == ["line 1", "line 1", "line 2"]


def test_lines_of_yolo_go_and_images_whose_size_is_not_known(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in "ab":
        (tmp_path / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 7 0.2\n0 1 2\n")
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((10, 10, 3), np.uint8))
    (tmp_path / "images" / "b.png").write_text("text")

    def read(**options: Any) -> ImageDataset:
        return ImageDataset.from_yolo_txt(tmp_path / "images", **options)

    data, rows = dropped(read)
    assert data.paths == ("a.png",)
    assert [len(boxes) for boxes in data.boxes or ()] == [1]
    assert {where.rpartition("/")[2] for where, _ in rows} == {
        "a.txt, line 2", "a.txt, line 3", "b.txt, line 2", "b.txt, line 3", "b.txt"
    }  # fmt: skip


def test_rows_of_the_competition_go_and_images_that_lack_a_label(tmp_path: Path) -> None:
    def image(name: str, labels: str = "000000") -> list[str]:
        return [f"{name}_{subtype},{one}" for subtype, one in zip(SUBTYPES, labels, strict=True)]

    lines = [
        "ID,Label",
        *image("ID_aa", "100001"),
        "nonsense",
        *image("ID_bb")[:-1],
        *image("ID_cc"),
        "ID_cc_any,1",
        *image("ID_dd", "000011"),
    ]
    (tmp_path / "labels.csv").write_text("\n".join(lines))

    def read(**options: Any) -> ImageDataset:
        table = tmp_path / "labels.csv"
        return ImageDataset.from_rsna_csv(table, tmp_path, validate_filenames=False, **options)

    data, rows = dropped(read)
    assert data.paths == ("ID_aa.dcm", "ID_dd.dcm")
    assert data.targets[0].tolist() == [[1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 1]]
    assert [where.split(" of ")[0] for where, _ in rows] == ["line 8", "image ID_bb", "image ID_cc"]
    assert [reason.rpartition("' ")[2] for _, reason in rows[1:]] == ["is missing", "is both 0 and 1"]
