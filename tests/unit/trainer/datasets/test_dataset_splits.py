"""`ImageDataset.split`: what is promised of every split, and splits that must never change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.dataset import ImageDataset

SHARES = st.floats(0.01, 0.99)
GOLDEN_SAMPLES = [1, 5, 6, 10, 14, 18, 24, 35]
GOLDEN_CLASSES = [1, 5, 6, 10, 14, 18, 24, 25]
GOLDEN_GROUPS = [20, 21, 22, 23, 24, 25, 26, 27]
SEEDS = st.integers(-(2**63), 2**64 - 1)


def numbered(num_samples: int, labels: Any = None) -> ImageDataset:
    """Samples named by their row."""
    return ImageDataset.from_lists([str(row) for row in range(num_samples)], labels)


def grouped(groups: list[Any]) -> ImageDataset:
    frame = pd.DataFrame({"filename": [str(row) for row in range(len(groups))], "patient": groups})
    return ImageDataset.from_dataframe(frame, class_mode=None, validate_filenames=False)


def rows_of(data: ImageDataset) -> list[int]:
    return [int(path) for path in data.paths]


def assert_partition(train: ImageDataset, validation: ImageDataset, num_samples: int) -> None:
    """Every sample is on one side, in dataset order on both."""
    assert sorted(rows_of(train) + rows_of(validation)) == list(range(num_samples))
    assert rows_of(train) == sorted(rows_of(train))
    assert rows_of(validation) == sorted(rows_of(validation))


@given(num_samples=st.integers(2, 200), share=SHARES, seed=SEEDS)
def test_every_sample_is_on_exactly_one_side_in_dataset_order(
    num_samples: int, share: float, seed: int
) -> None:
    assume(int(share * num_samples) > 0)
    train, validation = numbered(num_samples).split(share, seed)
    assert_partition(train, validation, num_samples)
    assert len(validation) == int(share * num_samples)


@given(num_samples=st.integers(2, 200), seed=SEEDS)
def test_equal_seeds_split_equally(num_samples: int, seed: int) -> None:
    first, second = (numbered(num_samples).split(0.5, seed)[1] for _ in range(2))
    assert first.paths == second.paths


def test_different_seeds_split_differently() -> None:
    splits = {numbered(100).split(0.5, seed)[1].paths for seed in range(50)}
    assert len(splits) == 50


def test_every_sample_is_held_out_equally_often() -> None:
    counts = np.zeros(20)
    for seed in range(2000):
        counts[rows_of(numbered(20).split(0.25, seed)[1])] += 1
    assert np.abs(counts - 500).max() < 100  # five standard deviations


def test_the_split_of_a_seed_never_changes() -> None:
    """A model is compared with one of years ago on the same validation samples."""
    assert rows_of(numbered(40).split(0.2, seed=7)[1]) == GOLDEN_SAMPLES
    labels = [row % 3 for row in range(40)]
    assert rows_of(numbered(40, labels).split(0.2, seed=7, stratify=True)[1]) == GOLDEN_CLASSES
    groups = [f"P{row // 4}" for row in range(40)]
    assert rows_of(grouped(groups).split(0.2, seed=7, group_col="patient")[1]) == GOLDEN_GROUPS


def test_targets_weights_and_columns_go_with_their_samples() -> None:
    frame = pd.DataFrame({"filename": [str(row) for row in range(30)], "class": range(30), "w": range(30)})
    data = ImageDataset.from_dataframe(
        frame, "images", class_mode="raw", weight_col="w", validate_filenames=False
    )
    for side in data.split(0.3):
        rows = rows_of(side)
        assert side.targets[0].tolist() == rows
        assert side.weights is not None
        assert side.weights.tolist() == rows
        assert side.columns["class"].tolist() == rows
        assert side.directory == "images"


# Groups.


@given(groups=st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=100), share=SHARES, seed=SEEDS)
def test_no_group_is_on_both_sides(groups: list[str], share: float, seed: int) -> None:
    try:
        train, validation = grouped(groups).split(share, seed, group_col="patient")
    except DatasetError:
        assume(False)  # one side empty, which the tests below are about
    assert_partition(train, validation, len(groups))
    assert not set(train.columns["patient"]) & set(validation.columns["patient"])


@given(sizes=st.lists(st.integers(1, 9), min_size=20, max_size=40), share=st.floats(0.1, 0.9), seed=SEEDS)
def test_groups_meet_the_share_to_within_half_a_group(sizes: list[int], share: float, seed: int) -> None:
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    _, validation = grouped(groups).split(share, seed, group_col="patient")
    assert abs(len(validation) - int(share * len(groups))) <= max(sizes) / 2


@pytest.mark.parametrize("seed", range(20))
def test_a_giant_group_is_passed_over_where_it_would_overshoot(seed: int) -> None:
    groups = ["giant"] * 80 + list(range(20))
    _, validation = grouped(groups).split(0.1, seed, group_col="patient")
    assert len(validation) == 10


@pytest.mark.parametrize(
    "groups",
    [
        ["a", "b", "c", "d"],
        [1, 2, 3, 4],
        [1.5, 2.5, 3.5, 4.5],
        ["a", 1, True, (2, 3)],
        pd.Categorical([*"abcd"]),
    ],
)
def test_groups_may_be_anything_that_can_be_told_apart(groups: Any) -> None:
    train, validation = grouped(groups).split(0.5, group_col="patient")
    assert (len(train), len(validation)) == (2, 2)


@pytest.mark.parametrize(
    ("groups", "shown"),
    [
        (["a", None, "b"], "None"),
        ([1.0, np.nan, 2.0], "nan"),
        (pd.array([1, None, 2], dtype="Int64"), "nan|None"),
        (pd.DatetimeIndex(["2020", "NaT", "2021"]), "None"),
    ],
)
def test_a_sample_without_a_group_is_refused(groups: Any, shown: str) -> None:
    with pytest.raises(DatasetError, match=rf"row 1 .* of 'patient' is ({shown}) .*: expected a group"):
        grouped(groups).split(0.5, group_col="patient")


def test_a_group_column_that_is_not_there_is_answered_with_those_there_are() -> None:
    with pytest.raises(DatasetError, match=r"no column 'patent'; .*Did you mean 'patient'\?"):
        grouped([1, 2]).split(0.5, group_col="patent")
    with pytest.raises(DatasetError, match="no column 'patient': this dataset has none"):
        numbered(2).split(0.5, group_col="patient")


# Classes.


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=200),
    share=SHARES,
    seed=SEEDS,
    one_hot=st.booleans(),
)
def test_each_class_is_held_out_to_within_one_sample_of_its_share(
    labels: list[int], share: float, seed: int, one_hot: bool
) -> None:
    num_wanted = int(share * len(labels))
    assume(num_wanted > 0)
    target = np.eye(5)[labels] if one_hot else labels
    train, validation = numbered(len(labels), target).split(share, seed, stratify=True)
    assert_partition(train, validation, len(labels))
    assert len(validation) == num_wanted
    held_out = np.bincount(np.array(labels)[rows_of(validation)], minlength=5)
    assert (np.abs(held_out - np.bincount(labels, minlength=5) * share) < 1).all()


def test_what_rounding_leaves_over_goes_to_the_class_that_lost_most() -> None:
    labels = [0] * 4 + [1] * 3 + [2] * 3  # half of them: 2, 1.5 and 1.5, five in all
    _, validation = numbered(10, labels).split(0.5, stratify=True)
    assert np.bincount(validation.targets[0]).tolist() == [2, 2, 1]


@pytest.mark.parametrize("labels", [[0.0, 1.0] * 4, [[0.0], [1.0]] * 4, [True, False] * 4, [-3, 9] * 4])
def test_two_classes_may_be_written_in_any_whole_numbers(labels: Any) -> None:
    _, validation = numbered(8, labels).split(0.5, stratify=True)
    assert sorted(np.ravel(validation.targets[0]).tolist()) == sorted(np.ravel(labels[:4]).tolist())


@pytest.mark.parametrize("labels", [[0.5, 1.0, 0.0], [[1, 1], [0, 1], [1, 0]], [[0, 0], [0, 1], [1, 0]]])
def test_labels_without_one_class_per_sample_cannot_be_stratified(labels: Any) -> None:
    with pytest.raises(DatasetError, match=r"needs one class per sample, .* shape \(3,.*start with"):
        numbered(3, labels).split(0.5, stratify=True)


def test_a_dataset_without_labels_cannot_be_stratified() -> None:
    with pytest.raises(DatasetError, match="needs one label array, this dataset has 0"):
        numbered(3).split(0.5, stratify=True)


# What is refused.


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), 100, "0.5", None])
def test_a_share_that_is_none_is_quoted(share: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"strictly between 0 and 1, got {share!r}"):
        numbered(10).split(share)


def test_a_numpy_seed_is_the_same_as_the_int() -> None:
    assert numbered(40).split(0.2, np.int64(-7))[1].paths == numbered(40).split(0.2, -7)[1].paths  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [None, 1.5, "7"])
def test_a_seed_that_is_no_whole_number_is_quoted(seed: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"seed must be an int, got {seed!r}"):
        numbered(10).split(0.5, seed)


def test_groups_and_classes_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be combined"):
        grouped([1, 2]).split(0.5, group_col="patient", stratify=True)


def test_an_empty_side_is_refused_with_the_numbers() -> None:
    with pytest.raises(
        DatasetError, match=r"=0.1 of 9 samples asks for 0 and leaves the validation side empty"
    ):
        numbered(9).split(0.1)
    with pytest.raises(DatasetError, match=r"0.1 .* asks for 3 .*validation .*2 groups of 15 to 15 samples"):
        grouped(["a", "b"] * 15).split(0.1, group_col="patient")
    with pytest.raises(DatasetError, match=r"0.9 .* asks for 27 .*training .*1 groups of 30 to 30 samples"):
        grouped(["a"] * 30).split(0.9, group_col="patient")


# --- files of several samples -----------------------------------------------------------------------


def repeated(name: str = "filename") -> ImageDataset:
    """Ten files of two samples each."""
    frame = pd.DataFrame({name: [f"{row}.png" for row in range(10)], "one": 1})
    both = pd.concat([frame, frame])
    return ImageDataset.from_dataframe(both, x_col=name, class_mode=None, validate_filenames=False)


def files_on_both_sides(sides: tuple[ImageDataset, ImageDataset]) -> set[str]:
    return set(sides[0].paths) & set(sides[1].paths)


@pytest.mark.parametrize("name", ["filename", "image"])
def test_files_on_both_sides_are_counted_in_a_warning_whose_remedy_keeps_them_together(name: str) -> None:
    data = repeated(name)
    with pytest.warns(UserWarning, match="files are on both sides") as warned:
        shared = files_on_both_sides(data.split(0.2, seed=1))
    assert shared
    text = str(warned[0].message)
    assert text.startswith(
        f"{len(shared)} of 10 files are on both sides of the split, such as '{min(shared)}'"
    )
    assert text.endswith(f": group_col={name!r} keeps all samples of a file together")
    assert not files_on_both_sides(data.split(0.2, seed=1, group_col=name))


def test_the_remedy_for_shared_files_says_what_it_does_not_go_with() -> None:
    frame = pd.DataFrame({"filename": ["a", "a", "b", "b"], "class": ["x", "x", "y", "y"]})
    data = ImageDataset.from_dataframe(frame, validate_filenames=False)
    with pytest.warns(UserWarning, match="group_col='filename', instead of stratify=True, keeps"):
        data.split(0.5, stratify=True)


def test_another_group_may_leave_files_on_both_sides_and_is_no_excuse() -> None:
    frame = pd.DataFrame({"filename": ["a", "a"], "patient": [1, 2]})
    data = ImageDataset.from_dataframe(frame, class_mode=None, validate_filenames=False)
    with pytest.warns(UserWarning, match="1 of 1 files are on both sides"):
        data.split(0.5, group_col="patient")


def test_without_columns_the_warning_says_what_has_some() -> None:
    with pytest.warns(UserWarning, match="group_col='filename' .*, in a dataset from_dataframe"):
        ImageDataset.from_lists(["a", "a"]).split(0.5)


def test_folds_warn_once_of_all_files_that_several_of_them_hold_out() -> None:
    with pytest.warns(UserWarning, match="files are on both sides") as warned:
        folds = repeated().k_fold(2)
    assert len(warned) == 1
    assert str(warned[0].message).startswith(f"{len(files_on_both_sides(folds[0]))} of 10 files")
    repeated().k_fold(2, group_col="filename")
