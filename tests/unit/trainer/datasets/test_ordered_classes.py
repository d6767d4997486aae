"""Classes get the indices that the user gives them, or an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedline import ImageDataset
from feedline.errors import ConfigurationError, FeedlineError
from feedline.trainer.datasets.classes import ordered, ordered_classes

FRAME = pd.DataFrame({"filename": ["a.png", "b.png", "c.png"], "class": ["cat", "dog", "owl"]})


def of_frame(classes: Any, **options: Any) -> ImageDataset:
    options = {"class_mode": "sparse", "validate_filenames": False} | options
    return ImageDataset.from_dataframe(FRAME, classes=classes, **options)


@pytest.mark.parametrize(
    "classes",
    [
        ["owl", "cat", "dog"],
        ("owl", "cat", "dog"),
        np.array(["owl", "cat", "dog"]),
        pd.Index(["owl", "cat", "dog"]),
        dict.fromkeys(["owl", "cat", "dog"]).keys(),
        {"cat": 1, "dog": 2, "owl": 0},
        {"cat": np.int64(1), "dog": np.int8(2), "owl": np.uint8(0)},
    ],
    ids=lambda classes: type(classes).__name__,
)
def test_classes_have_the_indices_that_they_are_given(classes: Any) -> None:
    data = of_frame(classes)
    assert data.class_names == ["owl", "cat", "dog"]
    assert data.targets[0].tolist() == [1, 2, 0]
    assert data.class_indices == {"owl": 0, "cat": 1, "dog": 2}


@pytest.mark.parametrize(
    "indices", [{"cat": 2, "dog": 1}, {"cat": 0, "dog": 0}, {"cat": 0, "dog": "1"}, {"cat": 0, "dog": True}]
)
def test_indices_that_leave_a_gap_or_come_twice_are_refused(indices: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"classes must give its 2 names the numbers 0 to 1.*'cat'"):
        of_frame(indices)


@pytest.mark.parametrize("classes", [{"cat", "dog"}, frozenset(["cat", "dog"])])
def test_a_set_is_refused_for_it_has_no_order(classes: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"classes must be a list: a set has no order.*'cat'"):
        of_frame(classes)


def test_a_class_given_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="classes has 'cat' at two places"):
        of_frame(["cat", "dog", "cat"])


@pytest.mark.parametrize("argument", ["x_col", "y_col"])
def test_columns_given_as_a_set_are_refused(argument: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{argument} must be a list: a set has no order"):
        of_frame(None, class_mode="raw", **{argument: {"filename", "class"}})


@pytest.mark.parametrize("names", [{"cat", "dog"}, {"cat": 1, "dog": 2}])
def test_folders_and_annotations_take_names_by_the_same_rule(names: Any, tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "boxes.txt").write_text("a.png 1,2,3,4,0\n")
    for make in (
        lambda: ImageDataset.from_directory(tmp_path, class_names=names),
        lambda: ImageDataset.from_yolo3_annotations(tmp_path / "boxes.txt", class_names=names),
        lambda: ImageDataset.from_voc(tmp_path, class_names=names),
    ):
        with pytest.raises(FeedlineError, match="class_names must"):
            make()


def test_names_of_boxes_may_be_numbered_by_a_dict(tmp_path: Path) -> None:
    (tmp_path / "boxes.txt").write_text("a.png 1,2,3,4,0\n")
    for names in ({"dog": 1, "cat": 0}, {0: "cat", 1: "dog"}):
        data = ImageDataset.from_yolo3_annotations(
            tmp_path / "boxes.txt", class_names=names, validate_filenames=False
        )
        assert data.class_names == ["cat", "dog"]


def test_an_order_needs_no_uniqueness_but_classes_do() -> None:
    assert ordered("names", "aba") == ["a", "b", "a"]
    with pytest.raises(ConfigurationError):
        ordered_classes("names", "aba")
