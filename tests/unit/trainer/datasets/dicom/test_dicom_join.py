"""An index makes patients and neighbouring slices part of a dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedline import ImageDataset
from feedline.errors import ConfigurationError, DatasetError

AXIAL, SAGITTAL = r"1\0\0\0\1\0", r"0\1\0\0\0\-1"

SLICES = [
    # name, patient, series, instance, position; not in the order of positions
    ("p1-c.dcm", "p1", "s1", 1, 20.0),
    ("p1-a.dcm", "p1", "s1", 3, 0.0),
    ("p1-b.dcm", "p1", "s1", 2, 10.0),
    ("p2-a.dcm", "p2", "s2", 1, -5.0),
    ("p2-b.dcm", "p2", "s2", 2, -5.0),
    ("p3-a.dcm", "p3", "s3", 1, 7.0),
]


def index_of(slices: list[tuple[Any, ...]] = SLICES, **columns: Any) -> pd.DataFrame:
    """What `build_index` makes, in the order of names."""
    frame = pd.DataFrame(sorted(slices), columns=["filename", "patient", "series", "instance", "position"])
    usual = {"study": frame["series"], "frame": "1.2", "orientation": AXIAL, "reason": ""}
    frame = frame.assign(sop=frame["filename"], **usual | columns)
    return frame.astype({"instance": "Int64", "position": "float64"})


def dataset_of(names: list[str]) -> ImageDataset:
    return ImageDataset.from_lists(names, range(len(names)))


ALL = [name for name, *_ in SLICES]


def stacks_of(data: ImageDataset) -> dict[str, tuple[str, ...]]:
    """The files of each sample, without their ending."""
    assert data.stacks is not None
    return {path[:-4]: tuple(name[:-4] for name in data.stacks[row]) for row, path in enumerate(data.paths)}


def test_patients_are_split_as_a_whole() -> None:
    train, held_out = dataset_of(ALL).with_dicom_index(index_of()).split(0.4, group_col="patient")

    assert set(train.columns["patient"]).isdisjoint(held_out.columns["patient"])
    assert sorted([*train.paths, *held_out.paths]) == sorted(ALL)


def test_columns_go_with_their_files() -> None:
    data = dataset_of(ALL[::-1]).with_dicom_index(index_of())

    assert data.columns["patient"].tolist() == ["p3", "p2", "p2", "p1", "p1", "p1"]
    assert data.columns["position"].tolist() == [7.0, -5.0, -5.0, 10.0, 0.0, 20.0]
    assert data.columns["instance"].dtype == np.float64
    assert data.num_slices == 1


def test_neighbours_are_in_the_order_of_positions_and_repeat_at_the_ends() -> None:
    data = dataset_of(ALL).with_dicom_index(index_of(), neighbours=1)

    assert data.num_slices == 3
    assert stacks_of(data) == {
        "p1-a": ("p1-a", "p1-a", "p1-b"),
        "p1-b": ("p1-a", "p1-b", "p1-c"),
        "p1-c": ("p1-b", "p1-c", "p1-c"),
        "p2-a": ("p2-a", "p2-a", "p2-b"),  # at one position: by InstanceNumber
        "p2-b": ("p2-a", "p2-b", "p2-b"),
        "p3-a": ("p3-a", "p3-a", "p3-a"),
    }


def test_more_neighbours_than_there_are_slices_repeat_the_ends() -> None:
    data = dataset_of(["p1-b.dcm"]).with_dicom_index(index_of(), neighbours=3)
    assert stacks_of(data)["p1-b"] == ("p1-a", "p1-a", "p1-a", "p1-b", "p1-c", "p1-c", "p1-c")


def test_neighbours_need_not_be_in_the_dataset_and_follow_a_subset() -> None:
    data = dataset_of(["p1-c.dcm", "p1-b.dcm"]).with_dicom_index(index_of(), neighbours=1)

    assert stacks_of(data.subset([1])) == {"p1-b": ("p1-a", "p1-b", "p1-c")}
    assert data.subset([1]).labels.tolist() == [1]  # type: ignore[union-attr]


def test_a_broken_file_is_nobodys_neighbour() -> None:
    broken = [*SLICES, ("broken.dcm", "", "", None, None)]
    index = index_of(broken)
    index.loc[index["filename"] == "broken.dcm", "reason"] = "cut off"

    assert stacks_of(dataset_of(ALL).with_dicom_index(index, neighbours=1)) == stacks_of(
        dataset_of(ALL).with_dicom_index(index_of(), neighbours=1)
    )
    with pytest.raises(DatasetError, match=r"1 files could not be read, the first is 'broken\.dcm': cut off"):
        dataset_of([*ALL, "broken.dcm"]).with_dicom_index(index)


def test_a_series_without_positions_has_no_neighbours() -> None:
    lost = [*SLICES[:-1], ("p3-a.dcm", "p3", "s3", 1, None)]

    with pytest.raises(DatasetError, match=r"'p3-a\.dcm' has no ImagePositionPatient"):
        dataset_of(ALL).with_dicom_index(index_of(lost), neighbours=1)
    assert dataset_of(ALL[:3]).with_dicom_index(index_of(lost), neighbours=1).num_slices == 3


def test_files_that_are_not_in_the_index_are_named() -> None:
    with pytest.raises(DatasetError, match=r"1 of 2 files are not in the index, the first is 'else\.dcm'"):
        dataset_of(["p1-a.dcm", "else.dcm"]).with_dicom_index(index_of())


@pytest.mark.parametrize("index", ["index.csv", index_of().drop(columns=["reason", "position"])])
def test_what_is_no_index_is_refused(index: Any) -> None:
    with pytest.raises(DatasetError, match=r"the DataFrame that build_index returns.*'position'.*'reason'"):
        dataset_of(ALL).with_dicom_index(index)


@pytest.mark.parametrize("neighbours", [-1, 1.5, True, "1"])
def test_neighbours_are_counted(neighbours: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"0 or more, got {neighbours!r}"):
        dataset_of(ALL).with_dicom_index(index_of(), neighbours=neighbours)
