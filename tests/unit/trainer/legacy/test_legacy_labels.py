"""Labels by ID: what old generators look up one by one, all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.legacy.labels import class_names_of, labels_in_order

IDS = ["c", "a", "b"]
NUMBERS = {"a": 1, "b": 2, "c": 3, "unused": 4}


@pytest.mark.parametrize(
    "labels",
    [
        NUMBERS,
        pd.Series(NUMBERS),
        pd.Series(NUMBERS).sort_index(ascending=False),
        [3, 1, 2],
        np.array([3, 1, 2]),
    ],
    ids=["dict", "series", "reversed series", "list", "array"],
)
def test_each_id_gets_its_own_label(labels: Any) -> None:
    found = labels_in_order(IDS, labels)
    assert found is not None
    assert found.dtype == np.int64
    assert found.tolist() == [3, 1, 2]


def test_a_frame_gives_its_rows_as_they_are_and_keeps_a_single_column_apart() -> None:
    frame = pd.DataFrame({"any": [0, 1, 1], "subdural": [0.25, 0.5, 1.0]}, index=["a", "b", "c"])
    both, one = labels_in_order(IDS, frame), labels_in_order(IDS, frame[["any"]])
    assert both is not None
    assert one is not None
    assert both.tolist() == [[1.0, 1.0], [0.0, 0.25], [1.0, 0.5]]
    assert (one.shape, one.dtype, one.tolist()) == ((3, 1), np.int64, [[1], [0], [1]])


def test_ids_may_be_numbers_of_any_kind_and_occur_several_times() -> None:
    frame = pd.DataFrame({"y": [5, 6]}, index=[10, 20])
    for ids in ([20, 10, 20], list(np.array([20, 10, 20])), list(pd.Index([20, 10, 20]))):
        found = labels_in_order(ids, frame)
        assert found is not None
        assert found[:, 0].tolist() == [6, 5, 6]


def test_a_dict_may_hold_rows() -> None:
    found = labels_in_order(["a", "b"], {"a": [0.0, 1.0], "b": np.array([1.0, 0.0])})
    assert found is not None
    assert found.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_repeated_rows_of_ids_that_are_not_wanted_do_no_harm() -> None:
    found = labels_in_order(["a"], pd.Series([1, 2, 3], index=["a", "b", "b"]))
    assert found is not None
    assert found.tolist() == [1]


def test_class_numbers_become_rows_with_a_one() -> None:
    found = labels_in_order(IDS, {"a": 0, "b": 1, "c": 2}, n_classes=4)
    assert found is not None
    assert found.dtype == np.float32
    assert found.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


ANIMALS = {"a": "cat", "b": "dog", "c": "cow", "unused": "ape"}


@pytest.mark.parametrize(
    "labels",
    [ANIMALS, pd.Series(ANIMALS), pd.DataFrame({"kind": ANIMALS})],
    ids=["dict", "series", "frame"],
)
def test_names_become_numbers_in_the_order_of_all_names_that_there_are(labels: Any) -> None:
    found, hot = labels_in_order(IDS, labels), labels_in_order(IDS, labels, n_classes=4)
    assert found is not None
    assert hot is not None
    assert class_names_of(labels) == ["ape", "cat", "cow", "dog"]
    assert found.tolist() == [2, 1, 3]
    assert hot.tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]


def test_names_in_the_order_of_ids_become_numbers() -> None:
    found = labels_in_order(IDS, ["dog", "cat", "dog"])
    assert found is not None
    assert found.tolist() == [1, 0, 1]


def test_without_labels_there_are_none() -> None:
    assert labels_in_order(IDS, None) is None


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"a": 1}, r"nothing for 'c', 'b'; there is 'a' in its keys.*set_index"),
        (
            pd.Series([1, 2, 3]),
            r"nothing for 'c', 'a', 'b'; there is 0, 1, 2 in its index.*array in the order",
        ),
        ({}, "there is nothing in its keys"),
        (pd.Series([1, 2, 3, 4], index=["a", "b", "c", "c"]), r"several rows for 'c'.*duplicated"),
        ([1, 2], "got 3 IDs and 2 labels"),
        ({"a": "cat", "b": 1, "c": "dog"}, r"row 0 .* of 'labels' is 'dog'.*expected a number"),
        ([1.0, np.nan, 2.0], "row 1 .*nan.*expected a finite number"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Any, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        labels_in_order(IDS, labels)


def test_a_long_list_of_missing_ids_is_cut() -> None:
    with pytest.raises(DatasetError, match="nothing for 0, 1, 2 and 997 more"):
        labels_in_order(range(1000), {"a": 1})


@pytest.mark.parametrize(
    ("labels", "n_classes", "expected"),
    [
        (None, 2, "n_classes=2 needs labels, got none"),
        ([0, 1, 2], 2, "class numbers 0 to 1, got 2"),
        (
            ["x", "y", "y"],
            3,
            "n_classes=3, and labels have 2 different names, 'x', 'y'",
        ),
        ([0, 1, -1], 2, "class numbers 0 to 1, got -1"),
        ([0.0, 1.0, 1.0], 2, r"one whole number each; labels are of shape \(3,\) and dtype float64"),
        ([[0, 1], [1, 0], [1, 0]], 2, r"labels are of shape \(3, 2\)"),
    ],
)
def test_n_classes_that_do_not_fit_are_refused(labels: Any, n_classes: int, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        labels_in_order(IDS, labels, n_classes)
