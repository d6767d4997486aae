"""`ImageDataset.from_yolo3_annotations`, and what all formats with boxes have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotation_files import boxes_of, touch

from feedline import ImageDataset
from feedline.errors import DatasetError


def written(folder: Path, text: str) -> Path:
    file = folder / "train.txt"
    file.write_text(text)
    return file


def read(file: Path, directory: str | None = None, **options: Any) -> ImageDataset:
    """Without a look at the images."""
    return ImageDataset.from_yolo3_annotations(file, directory, validate_filenames=False, **options)


def test_a_line_is_a_path_and_its_boxes(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jpg 1,2,30,40,5 6,7,8,9,0\nsub/b.png 1,2,3,4,1\n")
    data = read(file, "images")
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
    data = read(written(tmp_path, f"\n{line}\n\n"))
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
        ("b.jpg 1,2,3,4,0,", "line 2: expected a box x1,y1,x2,y2,class, got '1 2 3 4 0 '"),
        ("b.jpg 1,2,3,4,dog", "line 2: expected a box x1,y1,x2,y2,class, got '1 2 3 4 dog'"),
        ("a.jpg 5,6,7,8,1", "line 2: the image 'a.jpg' is named a second time, after .*line 1: name it once"),
        ("b.jpg 1,nan,3,4,0", "line 2: expected a box with x1 <= x2"),
        ("b.jpg 1,2,inf,4,0", "line 2: expected a box with x1 <= x2"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_and_line(tmp_path: Path, line: str, text: str) -> None:
    file = written(tmp_path, f"a.jpg 1,2,3,4,0\n{line}\n")
    with pytest.raises(DatasetError, match=f"^{file}, {text}"):
        read(file, class_names=["cat", "dog"])


def test_a_file_of_names_is_not_taken_for_names_of_one_letter(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jpg 1,2,3,4,0\n")
    with pytest.raises(DatasetError, match=r"class_names must be a list of names, got 'classes\.txt'.*lines"):
        read(file, class_names="classes.txt")


@pytest.mark.parametrize("names", [["cat", "cat"], ["cat", ""], [], [1, 2]])
def test_names_of_classes_are_different_texts(tmp_path: Path, names: Any) -> None:
    with pytest.raises(DatasetError, match="class_names must be a list of different names, got"):
        read(written(tmp_path, "a.jpg 1,2,3,4,0\n"), class_names=names)


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot read the annotation file '.*no.txt': .*No such file"):
        read(tmp_path / "no.txt")
    (tmp_path / "train.txt").write_bytes(b"\xe9.jpg")
    with pytest.raises(DatasetError, match=r"train.txt.*utf-8.*\. Save it as UTF-8"):
        read(tmp_path / "train.txt")
    with pytest.raises(DatasetError, match=r"train.txt names no image"):
        read(written(tmp_path, "\n"))


def test_boxes_without_an_area_are_left_out_with_one_warning(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jpg 1,2,1,4,0 1,2,3,4,0\nb.jpg 1,2,3,2,0\n")
    with pytest.warns(
        UserWarning, match=r"^left out boxes: 2 without an area, .*train.txt, line 1$"
    ) as caught:
        data = read(file)
    assert [warning.filename for warning in caught] == [__file__]
    assert boxes_of(data) == [[[1, 2, 3, 4, 0]], []]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_of_windows_are_read(tmp_path: Path, encoding: str) -> None:
    """With a byte order mark, and two characters at the end of a line; names may have odd ones."""
    file = tmp_path / "train.txt"
    file.write_bytes("ä\u2028b.jpg 1,2,3,4,0\r\n\r\nb.jpg\r\n".encode(encoding))
    data = read(file)
    assert data.paths == ("ä\u2028b.jpg", "b.jpg")
    assert boxes_of(data) == [[[1, 2, 3, 4, 0]], []]


def test_images_without_a_file_are_found_when_the_set_is_made(tmp_path: Path) -> None:
    file = written(tmp_path, "a.jpg 1,2,3,4,0\ndeep/b.jpg 1,2,3,4,1\n")
    with pytest.raises(DatasetError, match=r"none of the 2 files in .*train.txt exists .*validate_filenames"):
        ImageDataset.from_yolo3_annotations(file, tmp_path)
    touch(tmp_path / "deep/b.jpg")
    with pytest.warns(UserWarning, match=r"left out 1 of 2 images .*\['a.jpg'\]") as caught:
        data = ImageDataset.from_yolo3_annotations(file, tmp_path)
    assert [warning.filename for warning in caught] == [__file__]
    assert (data.paths, boxes_of(data)) == (("deep/b.jpg",), [[[1, 2, 3, 4, 1]]])


def test_a_box_that_comes_twice_is_taken_once(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="1 that repeat one of the same image and class"):
        data = read(written(tmp_path, "a.jpg 1,2,3,4,0 1,2,3,4,0 1,2,3,4,1\n"))
    assert boxes_of(data) == [[[1, 2, 3, 4, 0], [1, 2, 3, 4, 1]]]


@pytest.mark.parametrize(
    ("boxes", "are_fractions"),
    [
        ("0.1,0.2,0.3,0.4,0 0.5,0.5,1,1.005,1", True),
        ("0.1,0.2,0.3,0.4,0 0,0,5,5,1", False),
        ("0,0,1,1,0", False),
    ],
)
def test_fractions_where_pixels_are_meant_are_refused_in_words(
    tmp_path: Path, boxes: str, *, are_fractions: bool
) -> None:
    """Unless it is a box of one whole pixel."""
    file = written(tmp_path, f"a.jpg {boxes}\n")
    if not are_fractions:
        assert len(read(file)) == 1
        return
    with pytest.raises(DatasetError, match=r"train.txt: boxes are in pixels, .* multiply x by its width"):
        read(file)
