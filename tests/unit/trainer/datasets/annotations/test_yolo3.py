"""`ImageDataset.from_yolo3_annotations`, and what all formats with boxes have in common."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedline import ImageDataset
from feedline.errors import DatasetError


def written(folder: Path, text: str) -> Path:
    file = folder / "train.txt"
    file.write_text(text)
    return file


def boxes_of(data: ImageDataset) -> list[list[list[float]]]:
    assert data.boxes is not None
    return [boxes.tolist() for boxes in data.boxes]


def test_a_line_is_a_path_and_its_boxes(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jpg 1,2,30,40,5 6,7,8,9,0\nsub/b.png 1,2,3,4,1\n")
    data = ImageDataset.from_yolo3_annotations(file, "images")
    assert (data.paths, data.directory) == (("a.jpg", "sub/b.png"), "images")
    assert boxes_of(data) == [[[1, 2, 30, 40, 5], [6, 7, 8, 9, 0]], [[1, 2, 3, 4, 1]]]
    assert data.boxes is not None
    assert data.boxes[0].dtype == np.float32


@pytest.mark.parametrize(
    ("line", "path", "boxes"),
    [
        ("my dir/a photo.jpg 1,2,3,4,0", "my dir/a photo.jpg", [[1, 2, 3, 4, 0]]),
        ("a, b.c/1,2,3,4,5 x.jpg 1,2,3,4,0", "a, b.c/1,2,3,4,5 x.jpg", [[1, 2, 3, 4, 0]]),
        ("a.jpg/b.jpeg.PNG\t1,2,3,4,0", "a.jpg/b.jpeg.PNG", [[1, 2, 3, 4, 0]]),
        ("without ending 1,2,3,4,0 5,6,7,8,1", "without ending", [[1, 2, 3, 4, 0], [5, 6, 7, 8, 1]]),
        ("a.jpg 1.5,2.25,3e1,4.0,0", "a.jpg", [[1.5, 2.25, 30, 4, 0]]),
        ("a.jpg 1,2,3,4,7.0", "a.jpg", [[1, 2, 3, 4, 7]]),
        ("a.jpg -3,-4,3,4,0", "a.jpg", [[-3, -4, 3, 4, 0]]),
        ("a.jpg", "a.jpg", []),
        ("  a.jpg  1,2,3,4,0  ", "a.jpg", [[1, 2, 3, 4, 0]]),
    ],
)
def test_paths_may_have_spaces_and_boxes_fractions(
    tmp_path: Path, line: str, path: str, boxes: list[list[float]]
) -> None:
    data = ImageDataset.from_yolo3_annotations(written(tmp_path, f"\n{line}\n\n"))
    assert data.paths == (path,)
    assert boxes_of(data) == [boxes]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("b.jpg 1,2,3,4", r"line 2: expected a box x1,y1,x2,y2,class, got '1,2,3,4'"),
        ("b.jpg 1,2,3,x,0", r"line 2: expected a box x1,y1,x2,y2,class, got '1 2 3 x 0'"),
        ("b.jpg 1,2,3,4,0 dog", "line 2: expected a box .* got 'dog'"),
        ("b.jpg 1,2,3,4,0.5", "line 2: expected a class that is a whole number, got 0.5"),
        ("b.jpg 1,2,3,4,-1", "line 2: expected a class from 0 on, got -1"),
        ("b.jpg 1,2,3,4,2", "line 2: expected a class below 2, the number of class_names, got 2"),
        ("b.jpg 9,2,3,4,0", r"line 2: expected a box with x1 <= x2 .* got \(9.0, 2.0, 3.0, 4.0\)"),
        ("b.jpg 1,nan,3,4,0", "line 2: expected a box with x1 <= x2"),
        ("b.jpg 1,2,inf,4,0", "line 2: expected a box with x1 <= x2"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_and_line(tmp_path: Path, line: str, text: str) -> None:
    file = written(tmp_path, f"a.jpg 1,2,3,4,0\n{line}\n")
    with pytest.raises(DatasetError, match=f"^{file}, {text}"):
        ImageDataset.from_yolo3_annotations(file, class_names=["cat", "dog"])


def test_a_file_of_names_is_not_taken_for_names_of_one_letter(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jpg 1,2,3,4,0\n")
    with pytest.raises(DatasetError, match=r"class_names must be a list of names, got 'classes\.txt'"):
        ImageDataset.from_yolo3_annotations(file, class_names="classes.txt")


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot read the annotation file '.*no.txt': .*No such file"):
        ImageDataset.from_yolo3_annotations(tmp_path / "no.txt")
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"train.txt.*utf-8"):
        ImageDataset.from_yolo3_annotations(tmp_path / "train.txt")
    with pytest.raises(DatasetError, match="at least one sample"):
        ImageDataset.from_yolo3_annotations(written(tmp_path, "\n"))


def test_boxes_without_an_area_are_left_out_with_one_warning(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jpg 1,2,1,4,0 1,2,3,4,0\nb.jpg 1,2,3,2,0\n")
    with pytest.warns(UserWarning, match=r"^2 boxes without an area .*train.txt, line 1$") as caught:
        data = ImageDataset.from_yolo3_annotations(file)
    assert [warning.filename for warning in caught] == [__file__]
    assert boxes_of(data) == [[[1, 2, 3, 4, 0]], []]
