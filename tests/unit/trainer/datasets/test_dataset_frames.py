"""`ImageDataset.from_dataframe`: what becomes of rows, labels and weights, and what is refused."""

from __future__ import annotations

import ast  # noqa: F401 - see exec
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from keras.src.legacy.preprocessing.image import DataFrameIterator

from feedline.common.batch.layout import DTYPES
from feedline.errors import DatasetError
from feedline.trainer.datasets.dataset import ImageDataset

ANIMALS = pd.DataFrame({"filename": list("abcde"), "class": ["dog", "cat", "dog", "ape", "cat"]})


def of_frame(frame: pd.DataFrame, **arguments: Any) -> ImageDataset:
    return ImageDataset.from_dataframe(frame, **{"validate_filenames": False, **arguments})


def of_column(values: Any, **arguments: Any) -> ImageDataset:
    """One label column, ``class_mode="raw"`` unless told otherwise."""
    frame = pd.DataFrame({"filename": [f"{row}.png" for row in range(len(values))], "class": values})
    return of_frame(frame, **{"class_mode": "raw", **arguments})


def test_importing_the_dataset_imports_neither_pandas_nor_keras_nor_tensorflow() -> None:
    code = (
        "import sys, feedline as f; f.ImageDataset; "
        "print({'pandas', 'keras', 'tensorflow'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("classes", [None, ["dog", "cat"]])
@pytest.mark.parametrize("class_mode", ["categorical", "sparse"])
def test_class_names_become_what_keras_makes_of_them(class_mode: str, classes: list[str] | None) -> None:
    keras = DataFrameIterator(
        ANIMALS, class_mode=class_mode, classes=classes, validate_filenames=False, shuffle=False
    )
    ours = of_frame(ANIMALS, class_mode=class_mode, classes=classes)
    assert ours.class_indices == keras.class_indices
    assert list(ours.filenames) == keras.filenames
    expected = np.eye(len(keras.class_indices))[keras.labels] if class_mode == "categorical" else keras.labels
    np.testing.assert_array_equal(ours.labels, expected)


def test_rows_with_several_classes_become_what_keras_makes_of_them() -> None:
    frame = pd.DataFrame({"filename": list("abcd"), "class": [["x", "z"], "y", ("z",), []]})
    keras = DataFrameIterator(frame, validate_filenames=False, shuffle=False)
    ours = of_frame(frame)
    assert ours.class_indices == keras.class_indices
    assert [np.flatnonzero(row).tolist() for row in ours.targets[0]] == [[0, 2], [1], [2], []]
    assert [np.ravel(codes).tolist() for codes in keras.labels] == [[0, 2], [1], [2], []]


def test_a_row_keeps_the_chosen_ones_of_its_classes_and_goes_when_none_is_left() -> None:
    frame = pd.DataFrame({"filename": list("abcd"), "class": [["x", "z"], "y", ("z",), []]})
    data = of_frame(frame, classes=["z", "x"])
    assert data.paths == ("a", "c")
    assert data.targets[0].tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize("make", [np.array, list, tuple, set, lambda names: np.array(names, object)])
def test_several_classes_of_a_row_come_in_whatever_holds_them(make: Any) -> None:
    cells = [make(["x", "z"]), make(["y"]), make(["z"])]
    frame = pd.DataFrame({"filename": list("abc"), "class": pd.Series(cells, dtype=object)})
    data = of_frame(frame)
    assert data.class_names == ["x", "y", "z"]
    assert data.targets[0].tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("values", "arguments", "names", "indices"),
    [
        ([10, 2, 0, 1, 3, 4, 5, 6, 7, 8, 9], {}, [str(n) for n in range(11)], [10, 2, 0, 1, *range(3, 10)]),
        ([True, False, True], {}, ["False", "True"], [1, 0, 1]),
        ([True, True], {}, ["False", "True"], [1, 1]),
        (np.array([1, 0], np.uint8), {}, ["0", "1"], [1, 0]),
        (pd.Categorical([1, 0]), {}, ["0", "1"], [1, 0]),
        (pd.array([1, 0], dtype="Int64"), {}, ["0", "1"], [1, 0]),
        ([1, 3], {"classes": range(4)}, ["0", "1", "2", "3"], [1, 3]),
        ([1, 3], {"classes": [3, 1]}, ["3", "1"], [1, 0]),
    ],
)
@pytest.mark.parametrize("class_mode", ["categorical", "sparse"])
def test_whole_numbers_and_booleans_are_their_own_indices(
    class_mode: str, values: Any, arguments: dict[str, Any], names: list[str], indices: list[int]
) -> None:
    data = of_column(values, class_mode=class_mode, **arguments)
    assert data.class_names == names
    found = data.targets[0] if class_mode == "sparse" else np.argmax(data.targets[0], axis=1)
    assert found.tolist() == indices


def test_rows_of_several_numbers_are_classes_too() -> None:
    data = of_column([[0, 2], [1], []], class_mode="categorical")
    assert data.targets[0].tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("mark", [",", ", ", ";", "|"])
def test_names_that_seem_to_be_several_in_one_text_are_warned_of(mark: str) -> None:
    with pytest.warns(
        UserWarning, match=r"'a.*b' in 'class' is taken for .* one class.*str\.split"
    ) as warned:
        data = of_column([f"a{mark}b", "a", "b"], class_mode="categorical")
    assert data.class_names == sorted({"a", f"a{mark}b", "b"})
    assert [warning.filename for warning in warned] == [__file__]


def test_lists_that_went_through_a_csv_file_are_warned_of_and_the_remedy_brings_them_back(
    tmp_path: Path,
) -> None:
    lists = pd.DataFrame({"filename": ["a", "b"], "class": [["cat", "dog"], ["cat"]]})
    lists.to_csv(tmp_path / "lists.csv", index=False)
    frame = pd.read_csv(tmp_path / "lists.csv")
    remedy = "frame['class'] = frame['class'].map(ast.literal_eval)"
    with pytest.warns(UserWarning, match="taken for the name of one class.* lists") as warned:
        ImageDataset.from_dataframe(frame, validate_filenames=False)
    assert str(warned[0].message).endswith(remedy)
    exec(remedy)  # as whoever reads the warning does
    assert ImageDataset.from_dataframe(frame, validate_filenames=False).class_names == ["cat", "dog"]


def test_names_in_brackets_that_are_no_lists_are_not_warned_of() -> None:
    frame = pd.DataFrame({"filename": list("abc"), "class": ["[cat]", "(dog) big", "['a' 'b']"]})
    assert ImageDataset.from_dataframe(frame, validate_filenames=False).class_names == [
        "(dog) big",
        "['a' 'b']",
        "[cat]",
    ]


def test_a_name_with_a_comma_of_its_own_is_not_warned_of() -> None:
    names = ["tench, Tinca tinca", "goldfish, Carassius auratus", "crane"]
    assert of_column(names, class_mode="sparse").class_names == sorted(names)


@pytest.mark.parametrize(
    ("names", "difference"),
    [
        (["cat", "cat "], "blanks around a name"),
        (["cat", "Cat"], "upper and lower case"),
        (["\u00e9t\u00e9", "e\u0301te\u0301"], "the Unicode form of accents"),
    ],
)
def test_classes_whose_names_look_the_same_are_warned_of(names: list[str], difference: str) -> None:
    with pytest.warns(UserWarning, match=f"the classes in 'class' .* are two, .* only in {difference}"):
        data = of_column([*names, "dog"], class_mode="sparse")
    assert len(data.class_names or ()) == 3
    with pytest.warns(UserWarning, match=f"the classes in labels .* only in {difference}"):
        ImageDataset.from_lists(["1", "2"], names)


def test_columns_of_a_frame_without_a_header_are_named_by_their_numbers() -> None:
    frame = pd.DataFrame([["a.png", 1.5, 2, "p"], ["b.png", 2.5, 3, "q"]])
    data = of_frame(frame, x_col=0, y_col=1, weight_col=2, class_mode="raw")
    assert data.paths == ("a.png", "b.png")
    assert data.targets[0].tolist() == [1.5, 2.5]
    assert data.columns[3].tolist() == ["p", "q"]
    assert [len(side) for side in data.split(0.5, group_col=3)] == [1, 1]
    assert of_frame(frame, x_col=0, y_col=[1, 2], class_mode="raw").targets[0].shape == (2, 2)


def test_binary_gives_zeros_and_ones_of_float32() -> None:
    data = of_column(["yes", "no", "yes"], class_mode="binary")
    assert data.class_names == ["no", "yes"]
    assert data.targets[0].dtype == np.float32
    assert data.targets[0].tolist() == [1, 0, 1]


def test_sparse_gives_int32_and_categorical_float32() -> None:
    assert of_frame(ANIMALS, class_mode="sparse").targets[0].dtype == np.int32
    assert of_frame(ANIMALS).targets[0].dtype == np.float32


@pytest.mark.parametrize(
    ("y_col", "shape"), [("a", (3,)), (["a"], (3,)), (["a", "b"], (3, 2)), (("b", "a"), (3, 2))]
)
def test_one_raw_column_gives_one_axis_and_several_give_two(y_col: Any, shape: tuple[int, ...]) -> None:
    frame = pd.DataFrame({"filename": list("xyz"), "a": [1, 2, 3], "b": [4, 5, 6]})
    target = of_frame(frame, y_col=y_col, class_mode="raw").targets[0]
    assert target.shape == shape
    np.testing.assert_array_equal(target, frame[list(y_col)].to_numpy().reshape(shape))


@pytest.mark.parametrize("dtype", DTYPES)
def test_raw_numbers_keep_a_dtype_that_a_batch_can_hold(dtype: str) -> None:
    assert of_column(np.array([0, 1], dtype)).targets[0].dtype == dtype


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([-1, 5], np.int8), "int16"),
        (np.array([2**32 - 1], np.uint32), "int64"),
        (np.array([7], np.uint64), "int64"),
        (np.array([7], ">i4"), "int32"),
        (pd.array([1, 2], dtype="Int64"), "int64"),
        (pd.array([True, False], dtype="boolean"), "bool"),
        (np.array([1, 2.5], object), "float64"),
    ],
)
def test_other_raw_numbers_get_the_smallest_dtype_that_holds_them(values: Any, dtype: str) -> None:
    target = of_column(values).targets[0]
    assert target.dtype == dtype
    assert target.dtype.isnative
    assert target.tolist() == list(values)


def test_a_raw_number_that_no_batch_can_hold_is_refused_with_its_row() -> None:
    with pytest.raises(
        DatasetError, match=r"row 1 .* 18446744073709551615 \(int\): expected at most 2\*\*63 - 1"
    ):
        of_column(np.array([1, 2**64 - 1], np.uint64))


def test_multi_output_gives_one_array_per_column_of_numbers_or_lists() -> None:
    frame = pd.DataFrame({"filename": list("xy"), "age": [3, 4], "box": [[0.5, 1.0], [2.0, 3.0]]})
    data = of_frame(frame, y_col=["age", "box"], class_mode="multi_output")
    assert [target.tolist() for target in data.targets] == [[3, 4], [[0.5, 1.0], [2.0, 3.0]]]
    assert data.labels is data.targets


def test_lists_of_different_length_are_refused_with_the_first_that_differs() -> None:
    with pytest.raises(DatasetError, match=r"row 1 .* of 'class' is \[1\] \(list\): expected .* \(2,\)"):
        of_column([[1, 2], [1], [3, 4]])


@pytest.mark.parametrize(("class_mode", "is_input"), [("input", True), (None, False)])
def test_modes_without_labels_read_no_label_column(class_mode: str | None, is_input: bool) -> None:
    data = of_frame(ANIMALS[["filename"]], class_mode=class_mode)
    assert data.targets == ()
    assert data.labels is None
    assert data.class_names is None
    assert data.target_is_input is is_input


def test_weights_become_float32() -> None:
    data = of_frame(ANIMALS.assign(w=[0, 1, 2, 3, 4]), weight_col="w")
    assert data.weights is not None
    assert data.weights.dtype == np.float32
    assert data.weights.tolist() == [0, 1, 2, 3, 4]


def test_changing_the_frame_later_changes_nothing() -> None:
    numbers = np.array([1.0, 2.0])
    frame = pd.DataFrame({"filename": list("ab"), "class": numbers, "w": numbers}, copy=False)
    data = of_frame(frame, class_mode="raw", weight_col="w")
    numbers[:] = 9
    frame.loc[0, "filename"] = "z"
    assert frame["class"].tolist() == [9, 9]
    assert data.paths == ("a", "b")
    assert data.weights is not None
    held = [data.targets[0], data.weights, data.columns["class"]]
    assert [array.tolist() for array in held] == [[1, 2]] * 3
