"""`ImageDataset.from_lists`, `subset` and what every dataset shows of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedline.errors import DatasetError
from feedline.trainer.datasets.dataset import ImageDataset


@pytest.mark.parametrize(
    ("labels", "shape", "dtype"),
    [
        ([1, 2, 3], (3,), "int64"),
        ([1.5, 2, 3], (3,), "float64"),
        ([True, False, True], (3,), "bool"),
        ([[1, 2], [3, 4], [5, 6]], (3, 2), "int64"),
        ([np.array([1, 2], np.float32)] * 3, (3, 2), "float32"),
        (np.zeros((3, 4), np.float16), (3, 4), "float16"),
        (np.zeros((3, 2, 4), np.uint8), (3, 2, 4), "uint8"),
        (pd.Series([1, 2, 3], dtype="int32"), (3,), "int32"),
    ],
)
def test_labels_are_taken_as_they_are(labels: Any, shape: tuple[int, ...], dtype: str) -> None:
    target = ImageDataset.from_lists(list("abc"), labels).targets[0]
    assert (target.shape, target.dtype.name) == (shape, dtype)
    np.testing.assert_array_equal(target, np.array(list(labels)))


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
def test_labels_that_are_names_become_numbers_of_sorted_classes(kind: Any) -> None:
    data = ImageDataset.from_lists(list("abc"), kind(["dog", "cat", "dog"]))
    assert data.class_names == ["cat", "dog"]
    assert (data.targets[0].tolist(), data.targets[0].dtype) == ([1, 0, 1], np.int32)


def test_names_are_numbered_in_the_order_of_class_names() -> None:
    data = ImageDataset.from_lists(list("abc"), ["dog", "cat", "dog"], class_names=["dog", "ape", "cat"])
    assert data.class_indices == {"dog": 0, "ape": 1, "cat": 2}
    assert data.targets[0].tolist() == [0, 2, 0]
    assert ImageDataset.from_lists(["a"], [1], class_names=["cat", "dog"]).class_names == ["cat", "dog"]


def test_changing_the_arrays_later_changes_nothing() -> None:
    labels, weights = np.array([1, 2]), np.array([1, 2], np.float32)
    data = ImageDataset.from_lists(["a", "b"], labels, weights=weights)
    labels[0], weights[0] = 9, 9
    assert data.targets[0].tolist() == [1, 2]
    assert data.weights is not None
    assert data.weights.tolist() == [1, 2]


@pytest.mark.parametrize(
    "paths",
    [("a", "b"), np.array(["a", "b"]), pd.Series(["a", "b"]), [Path("a"), Path("b")], ["a", Path("b")]],
)
def test_paths_may_come_in_any_array(paths: Any) -> None:
    data = ImageDataset.from_lists(paths, masks=paths)
    assert data.paths == ("a", "b")
    assert {type(name) for name in (*data.paths, *data.further[0].paths)} == {str}


def test_a_relative_directory_is_where_it_was_when_the_dataset_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    named, bare = (ImageDataset.from_lists(["a.png", "b.png"], directory=d) for d in ("images", None))
    above = ImageDataset.from_lists(["a.png"], directory="inner/../images")
    monkeypatch.chdir("inner")
    assert (named.directory, named.root) == ("images", f"{tmp_path}/images")
    assert (bare.directory, bare.root) == (None, str(tmp_path))
    assert above.root == f"{tmp_path}/images"
    assert named.subset([1]).root == named.root


def test_files_named_by_where_a_linked_directory_really_is_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    names = [f"{tmp_path}/real/a.png", f"{tmp_path}/link/b.png", "/real/c.png"]
    assert ImageDataset.from_lists(names, directory=tmp_path / "link").paths == (
        "a.png",
        "b.png",
        "/real/c.png",
    )
    assert ImageDataset.from_lists(names[:1], directory=f"{tmp_path}/link/../real").paths == ("a.png",)


def test_paths_are_relative_to_the_directory(tmp_path: Path) -> None:
    data = ImageDataset.from_lists([f"{tmp_path}/a.png", "b.png"], directory=tmp_path)
    assert data.paths == ("a.png", "b.png")
    assert data.directory == str(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [1]}, "got 2 paths and 1 labels: give one per path"),
        ({"labels": np.zeros((3, 2))}, "got 2 paths and 3 labels"),
        ({"weights": [1, 2, 3]}, "got 2 paths and 3 weights"),
        ({"labels": 7}, "labels must have one entry per sample, got 7"),
        ({"labels": ["cat", 1]}, r"row 0 .* of 'labels' is 'cat': expected a number"),
        ({"labels": [1, None]}, r"row 1 .* of 'labels' is None \(NoneType\): expected a number"),
        ({"labels": [["cat"], ["dog"]]}, r"row 0 .* is \['cat'\] .*: expected a number"),
        (
            {"labels": ["cat", "cow"], "class_names": ["cat", "dog"]},
            r"row 1 .* of 'labels' is 'cow': expected one of the classes \['cat', 'dog'\]",
        ),
        ({"labels": [0, 2], "class_names": ["cat", "dog"]}, "row 1 .* is 2 .*: expected a class from 0 to 1"),
        ({"class_names": "cat"}, "class_names must be a list of different names, .* got 'cat'"),
        ({"class_names": ["cat", "cat"]}, "class_names must be a list of different names"),
        ({"class_names": {"cat": 0}}, "class_names must be a list of different names"),
        ({"class_names": []}, "class_names must be a list of different names"),
        ({"labels": [[1, 2], [3]]}, r"row 1 .* is \[3\] \(list\): expected the shape of the first, \(2,\)"),
        ({"labels": [1, 2j]}, "is .*: expected a number"),
        ({"weights": [[1, 2], [3, 4]]}, r"must hold one weight per sample, got shape \(2, 2\)"),
        ({"weights": [1, -1]}, r"row 1 .* of 'weights' is -1 \(int\): expected a weight of 0 or more"),
        ({"inputs": 3}, "inputs must be a list of lists of file names, got 3"),
        ({"inputs": "ab"}, "inputs must be a list of lists of file names, got 'ab'"),
        ({"inputs": [None, None]}, "inputs must be a list of lists of file names, got .None, None"),
        ({"weights": [1e39, 1]}, r"row 0 .* of 'weights' is 1e\+39 .*: expected a weight that fits float32"),
    ],
)
def test_what_cannot_be_used_is_quoted(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        ImageDataset.from_lists(["a", "b"], **arguments)


def test_no_samples_are_refused() -> None:
    with pytest.raises(DatasetError, match="at least one sample, got none"):
        ImageDataset.from_lists([])


def test_one_string_is_not_a_list_of_paths() -> None:
    with pytest.raises(DatasetError, match=r"paths must have one entry per sample, got 'a\.png'"):
        ImageDataset.from_lists("a.png")


@pytest.mark.parametrize("rows", [[2, 0], np.array([2, 0], np.uint8), (2, 0)])
def test_a_subset_takes_rows_in_the_order_asked(rows: Any) -> None:
    data = ImageDataset.from_lists(list("abc"), [[0, 1], [2, 3], [4, 5]], weights=[7, 8, 9], directory="d")
    taken = data.subset(rows)
    assert taken.paths == ("c", "a")
    assert taken.targets[0].tolist() == [[4, 5], [0, 1]]
    assert taken.weights is not None
    assert taken.weights.tolist() == [9, 7]
    assert taken.directory == "d"


def test_a_subset_takes_a_mask_and_may_repeat_rows() -> None:
    data = ImageDataset.from_lists(list("abc"))
    assert data.subset([True, False, True]).paths == ("a", "c")
    assert data.subset([1, 1]).paths == ("b", "b")


def test_classes_keep_their_indices_in_a_subset() -> None:
    frame = pd.DataFrame({"filename": list("ab"), "class": ["cat", "dog"]})
    dogs = ImageDataset.from_dataframe(frame, validate_filenames=False).subset([1])
    assert dogs.class_indices == {"cat": 0, "dog": 1}
    assert dogs.targets[0].tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 3], "there is no row 3: rows go from 0 to 2"),
        ([-1], "there is no row -1"),
        ([True, False], r"a mask of shape \(3,\), got bool of shape \(2,\)"),
        ([0.0], "got float64"),
        ([[0]], r"of shape \(1, 1\)"),
        (["a"], "got <U1"),
        ([], "at least one sample"),
        ([False] * 3, "at least one sample"),
    ],
)
def test_rows_that_are_not_there_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        ImageDataset.from_lists(list("abc")).subset(rows)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"targets": (np.zeros(3),)}, "a target has 3 entries for 2 paths"),
        ({"targets": (np.zeros(2, complex),)}, "a target has dtype complex128"),
        ({"weights": np.zeros(1, np.float32)}, "weights has 1 entries for 2 paths"),
        ({"columns": {"patient": np.zeros(5)}}, "patient has 5 entries for 2 paths"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        ImageDataset(["a", "b"], **parts)


def test_a_dataset_says_what_it_holds() -> None:
    paths = [str(row) for row in range(3120)]
    frame = pd.DataFrame({"filename": paths, "class": [f"c{row % 12:02}" for row in range(3120)]})
    data = ImageDataset.from_dataframe(frame, "images", validate_filenames=False)
    assert repr(data) == (
        "ImageDataset(3,120 samples, 12 classes, targets=[(12,) float32], directory='images')"
    )
    assert repr(ImageDataset(["a"], target_is_input=True)) == "ImageDataset(1 samples, targets=the image)"
    two = ImageDataset(
        ["a"], targets=(np.zeros(1), np.zeros((1, 4), np.int32)), weights=np.ones(1, np.float32)
    )
    assert repr(two) == "ImageDataset(1 samples, targets=[() float64, (4,) int32], weighted)"
