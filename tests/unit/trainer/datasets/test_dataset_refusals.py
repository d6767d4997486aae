"""Frames and arguments that `ImageDataset.from_dataframe` refuses, and the words it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.dataset import ImageDataset

ANIMALS = pd.DataFrame({"filename": list("abcde"), "class": ["dog", "cat", "dog", "ape", "cat"]})


def of_frame(frame: pd.DataFrame, **arguments: Any) -> ImageDataset:
    return ImageDataset.from_dataframe(frame, **{"validate_filenames": False, **arguments})


def of_column(values: Any, **arguments: Any) -> ImageDataset:
    """One label column, ``class_mode="raw"`` unless told otherwise."""
    frame = pd.DataFrame({"filename": [f"{row}.png" for row in range(len(values))], "class": values})
    return of_frame(frame, **{"class_mode": "raw", **arguments})


@pytest.mark.parametrize(
    ("values", "arguments", "message"),
    [
        (["x", None, "y"], {"class_mode": "categorical"}, r"row 1 \(counted from 0\) of 'class' is nan"),
        ([1.0, 2.0, np.nan], {}, "row 2 .* is nan"),
        ([1.0, np.inf], {}, r"row 1 .* is inf \(float\): expected a finite number"),
        (pd.array([1, None], dtype="Int64"), {}, "row 1 .* is nan|row 1 .* is <NA>"),
        ([1, "two"], {}, r"row 1 .* is 'two': expected a number"),
        (
            ["cat", "dog"],
            {},
            "row 0 .* is 'cat': expected a number. from_dataframe takes class names with class_mode=\"categ",
        ),
        ([[1, "x"]], {}, r"row 0 .* is \[1, 'x'\] \(list\): expected a number"),
        (pd.to_datetime(["2020-01-01"]), {}, "row 0 .*expected a number"),
        (["a", 7], {"class_mode": "sparse"}, r"row 1 .* is 7 \(int\): expected a class name .*\"sparse\""),
        ([["a"], "b"], {"class_mode": "sparse"}, r"row 0 .* is \['a'\] \(list\): expected a class name"),
        (
            [["a", 3]],
            {"class_mode": "categorical"},
            r"row 0 .* \['a', 3\] .*expected a class name, or a list",
        ),
        (["a", "b", "c"], {"class_mode": "binary"}, r"exactly 2 classes, got 3: \['a', 'b', 'c'\]"),
        ([1, "a"], {"class_mode": "sparse"}, r"row 1 .* is 'a': expected a class name"),
        ([1, True], {"class_mode": "sparse"}, r"row 1 .* is True \(bool\): expected a class name"),
        ([0.0, 1.0], {"class_mode": "sparse"}, r"row 0 .* is 0.0 \(float\): expected a class name"),
        ([1, 2, 3], {"class_mode": "sparse"}, r"the numbers \[1, 2, 3\], which .*pass classes=range\(4\)"),
        ([0, 2], {"class_mode": "categorical"}, r"\[0, 2\], which do not go from 0 on without gaps"),
        (["a", "a"], {"class_mode": "binary"}, r"exactly 2 classes, got 1: \['a'\]"),
        (["a"], {"class_mode": "sparse", "classes": ["b"]}, r"one of classes=\['b'\]; it has \['a'\]"),
        (np.array([1.0], np.longdouble), {}, "dtype .*128.*expected one of"),
    ],
)
def test_labels_that_cannot_be_used_are_quoted(values: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        of_column(values, **arguments)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -0.5], r"row 1 .* of 'w' is -0.5 \(float\): expected a weight of 0 or more"),
        ([1.0, np.nan], "row 1 .* of 'w' is nan"),
        (["much", "little"], "row 0 .* of 'w' is 'much': expected a number"),
    ],
)
def test_weights_that_cannot_be_used_are_quoted(weights: Any, message: str) -> None:
    frame = pd.DataFrame({"filename": list("ab"), "class": list("ab"), "w": weights})
    with pytest.raises(DatasetError, match=message):
        of_frame(frame, weight_col="w")


@pytest.mark.parametrize("name", [3, None, "", Path(), b"a.png"])
def test_file_names_that_are_neither_texts_nor_paths_are_quoted(name: Any) -> None:
    frame = pd.DataFrame({"filename": pd.Series(["a.png", name], dtype=object)})
    with pytest.raises(DatasetError, match=r"row 1 .* of 'filename' is .*: expected a file name"):
        of_frame(frame, class_mode=None)


def test_a_missing_column_is_answered_with_the_columns_there_are_and_the_nearest() -> None:
    with pytest.raises(
        DatasetError, match=r"no column 'clas'; .*\['filename', 'class'\]. Did you mean 'class'"
    ):
        of_frame(ANIMALS, y_col="clas")


@pytest.mark.parametrize(
    "arguments",
    [{"y_col": "filename"}, {"y_col": ["n", "n"], "class_mode": "raw"}, {"y_col": "n", "weight_col": "n"}],
)
def test_a_column_used_twice_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(DatasetError, match="is used twice"):
        of_frame(ANIMALS.assign(n=1), **{"class_mode": "raw", **arguments})


def test_two_columns_of_one_name_are_refused_only_if_they_are_used() -> None:
    frame = pd.DataFrame([["a", "x", 1, 2]], columns=["filename", "class", "n", "n"])
    assert len(of_frame(frame)) == 1
    with pytest.raises(DatasetError, match="several columns named 'n'"):
        of_frame(frame, y_col="n", class_mode="raw")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_mode": "multi"}, "class_mode must be one of .*got 'multi'"),
        ({"class_mode": "multi_output"}, "takes a list, got y_col='class'"),
        ({"y_col": ["a", "b"]}, r"takes one label column, got y_col=\['a', 'b'\]"),
        ({"x_col": []}, r"x_col must be the name of a column, or several, got \[\]"),
        ({"x_col": None}, r"x_col must be the name of a column, or several, got None"),
        ({"class_mode": "multi_output", "y_col": 0}, "takes a list, got y_col=0"),
        ({"y_col": [], "class_mode": "raw"}, r"at least one label column, got y_col=\[\]"),
        ({"class_mode": "raw", "classes": ["a"]}, "classes has no meaning with class_mode='raw'"),
        ({"classes": "cat"}, "classes must be a list of class names, got 'cat'"),
        ({"classes": []}, r"classes must be a list of class names, got \[\]"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        of_frame(ANIMALS, **arguments)


def test_a_frame_without_rows_is_refused() -> None:
    with pytest.raises(DatasetError, match="no rows"):
        of_frame(ANIMALS[:0])


def test_columns_of_several_levels_are_refused() -> None:
    columns = pd.MultiIndex.from_tuples([("filename", "x"), ("class", "y")])
    with pytest.raises(DatasetError, match=r"2 levels, such as \('filename', 'x'\): give each one name"):
        of_frame(pd.DataFrame([["a", "b"]], columns=columns))


def test_what_is_not_a_frame_is_refused_with_the_constructor_for_lists() -> None:
    with pytest.raises(ConfigurationError, match="got dict; for lists use from_lists"):
        ImageDataset.from_dataframe({"filename": ["a"]})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["labels", "weights", "nothing_that_there_is"])
def test_a_dataset_does_not_change_and_says_what_to_do_instead(name: str) -> None:
    data = of_frame(ANIMALS)
    sentence = f"^a dataset does not change, so {name} cannot be {{}}: make another, with from_dataframe"
    with pytest.raises(ConfigurationError, match=sentence.format("set")):
        setattr(data, name, [1.0] * 5)
    with pytest.raises(ConfigurationError, match=sentence.format("deleted")):
        delattr(data, name)
    assert data.weights is None
