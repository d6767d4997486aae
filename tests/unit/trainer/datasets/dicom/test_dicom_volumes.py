"""Neighbours are slices of one volume: of one patient, study and series, in one direction and frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dicom_files import UNSIGNED, dicom_bytes

from feedline import ImageDataset, build_index
from feedline.errors import DatasetError
from feedline.trainer.datasets.dicom.volumes import volumes

AXIAL, CORONAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]


def index_of(folder: Path, slices: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """The index of slices that lie 5 mm apart, in the order of their names."""
    folder.mkdir()
    for number, (name, elements) in enumerate(sorted(slices.items())):
        usual = {"ImagePositionPatient": [0, 5 * number, 5 * number], "FrameOfReferenceUID": "1.9"}
        (folder / f"{name}.dcm").write_bytes(dicom_bytes(UNSIGNED, **usual | elements))
    return build_index(folder, cache=folder.parent / "index.csv")


def stacks_of(index: pd.DataFrame, names: list[str] | None = None) -> dict[str, str]:
    """The names of the slices that are stacked around each."""
    data = ImageDataset.from_lists([f"{name}.dcm" for name in names] if names else index["filename"].tolist())
    stacked = data.with_dicom_index(index, neighbours=1)
    assert stacked.stacks is not None
    return {
        path.removesuffix(".dcm"): " ".join(name.removesuffix(".dcm") for name in stacked.stacks[row])
        for row, path in enumerate(stacked.paths)
    }


@pytest.mark.parametrize("series", ["", "1.2.3"], ids=["empty", "shared"])
def test_patients_are_not_mixed_whatever_their_series_are_called(tmp_path: Path, series: str) -> None:
    """The slices of both lie between one another."""
    ids = {"SeriesInstanceUID": series, "StudyInstanceUID": series}
    patients = {name: ids | {"PatientID": name[0]} for name in ("p1", "q2", "p3", "q4")}
    patients = {f"{number}{name[0]}": patients[name] for number, name in enumerate(patients)}
    index = index_of(tmp_path / "images", patients)

    assert stacks_of(index) == {"0p": "0p 0p 2p", "1q": "1q 1q 3q", "2p": "0p 2p 2p", "3q": "1q 3q 3q"}

    data = ImageDataset.from_lists(index["filename"].tolist()).with_dicom_index(index, neighbours=1)
    for side in data.split(0.5, group_col="patient"):
        assert side.stacks is not None
        assert len({name[1] for row in range(len(side)) for name in side.stacks[row]}) == 1


@pytest.mark.parametrize(
    "other",
    [{"StudyInstanceUID": "1.7"}, {"SeriesInstanceUID": "1.7"}, {"FrameOfReferenceUID": "1.7"}],
    ids=lambda elements: next(iter(elements)),
)
@pytest.mark.filterwarnings("ignore:.* slices lie in another direction")
def test_every_part_of_what_a_volume_is_keeps_slices_apart(tmp_path: Path, other: dict[str, str]) -> None:
    index = index_of(tmp_path / "images", {"a": {}, "b": other, "c": {}, "d": other})
    assert stacks_of(index) == {"a": "a a c", "b": "b b d", "c": "a c c", "d": "b d d"}


def test_a_localizer_is_nobodys_neighbour_and_that_is_said(tmp_path: Path) -> None:
    localizer = {"ImageOrientationPatient": CORONAL}
    index = index_of(tmp_path / "images", {"a": {}, "b": localizer, "c": {}})

    with pytest.warns(
        UserWarning, match=r"^1 slices lie in another direction .* first is 'b\.dcm'$"
    ) as caught:
        assert stacks_of(index) == {"a": "a a c", "b": "b b b", "c": "a c c"}
    assert caught[0].filename == __file__


def test_a_slice_without_any_orientation_does_not_keep_others_from_theirs(tmp_path: Path) -> None:
    lost = {"ImageOrientationPatient": None, "ImagePositionPatient": None}
    index = index_of(tmp_path / "images", {"a": {}, "b": lost, "c": {}})

    with pytest.warns(UserWarning, match=r"first is 'b\.dcm'"):
        assert stacks_of(index, ["a", "c"]) == {"a": "a a c", "c": "a c c"}
    with pytest.raises(DatasetError, match=r"'b\.dcm' has no ImagePositionPatient"):
        stacks_of(index)


def test_directions_that_differ_by_a_rounding_are_one(tmp_path: Path) -> None:
    rounded = {"ImageOrientationPatient": [0.99999, 0.001, 0.0, -0.001, 0.99999, 0.0]}
    index = index_of(tmp_path / "images", {"a": {}, "b": rounded, "c": {}})
    assert stacks_of(index)["b"] == "a b c"


def test_files_that_say_nothing_of_whose_they_are_have_no_neighbours(tmp_path: Path) -> None:
    nobody = dict.fromkeys(("PatientID", "StudyInstanceUID", "SeriesInstanceUID"), "")
    index = index_of(tmp_path / "images", {"a": nobody, "b": {}})

    with pytest.raises(
        DatasetError, match=r"'a\.dcm' has no PatientID, StudyInstanceUID and SeriesInstanceUID"
    ):
        stacks_of(index)
    assert stacks_of(index, ["b"]) == {"b": "b b b"}


def test_volumes_are_numbered_in_the_order_in_which_they_come() -> None:
    columns = ["patient", "study", "series", "frame", "orientation"]
    rows = [
        ["p", "1", "1", "", ""],
        ["q", "1", "1", "", ""],
        ["p", "1", "1", "", ""],
        ["p", "1", "1", "2", ""],
    ]
    assert np.array_equal(volumes(pd.DataFrame(rows, columns=columns)), [0, 1, 0, 2])
