"""Which rows of a frame `ImageDataset.from_dataframe` keeps, and how it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedline.errors import DatasetError
from feedline.trainer.datasets.dataset import ImageDataset

ANIMALS = pd.DataFrame({"filename": list("abcde"), "class": ["dog", "cat", "dog", "ape", "cat"]})


def of_frame(frame: pd.DataFrame, **arguments: Any) -> ImageDataset:
    return ImageDataset.from_dataframe(frame, **{"validate_filenames": False, **arguments})


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_rows_without_a_file_are_left_out_with_one_warning(tmp_path: Path) -> None:
    names = [f"{folder}{row}.png" for folder in ("", "deep/") for row in range(20)]
    touch(tmp_path, *names[:5], *names[10:35])
    frame = pd.DataFrame({"filename": names, "class": range(40), "w": np.arange(40) / 2})
    with pytest.warns(UserWarning, match=r"left out 10 of 40 rows .*'5.png', '6.png', '7.png'\]") as warned:
        data = ImageDataset.from_dataframe(frame, tmp_path, class_mode="raw", weight_col="w")
    assert [warning.filename for warning in warned] == [__file__]
    kept = [*range(5), *range(10, 35)]
    assert data.paths == tuple(names[row] for row in kept)
    assert data.targets[0].tolist() == kept
    assert data.columns["class"].tolist() == kept
    np.testing.assert_array_equal(data.weights, np.array(kept) / 2)


def test_folders_are_not_files_and_links_to_files_are(tmp_path: Path) -> None:
    names = [f"{row}.png" for row in range(20)]
    touch(tmp_path, *names[2:])
    (tmp_path / names[0]).mkdir()
    (tmp_path / names[1]).symlink_to(tmp_path / names[2])
    with pytest.warns(UserWarning, match=r"left out 1 of 20 rows .*'0.png'"):
        data = ImageDataset.from_dataframe(pd.DataFrame({"filename": names}), tmp_path, class_mode=None)
    assert data.paths == tuple(names[1:])


def test_classes_are_those_of_the_rows_that_stay(tmp_path: Path) -> None:
    touch(tmp_path, "b", "e")
    with pytest.warns(UserWarning, match="left out 3 of 5"):
        data = ImageDataset.from_dataframe(ANIMALS, tmp_path)
    assert data.class_names == ["cat"]


def test_an_error_names_the_row_of_the_frame_though_earlier_rows_were_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "b", "c")
    frame = pd.DataFrame({"filename": list("abc"), "class": ["x", "y", None]})
    with pytest.warns(UserWarning, match="left out 1"), pytest.raises(DatasetError, match="row 2 "):
        ImageDataset.from_dataframe(frame, tmp_path)


def test_when_no_file_exists_the_error_names_the_directory_and_the_first_path(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=f"directory='{tmp_path}'; .* '{tmp_path}/a'.*validate_filenames=False"
    ):
        ImageDataset.from_dataframe(ANIMALS, tmp_path)


def test_a_missing_file_ending_is_guessed(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    with pytest.raises(DatasetError, match=r"'a.png' exists: append '.png' to the file names"):
        ImageDataset.from_dataframe(ANIMALS, tmp_path)


def test_a_directory_named_twice_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "images/a.png")
    frame = pd.DataFrame({"filename": ["images/a.png"]})
    with pytest.raises(DatasetError, match=r"'images/a.png' exists without the directory"):
        ImageDataset.from_dataframe(frame, "images", class_mode=None)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"There is no directory '{tmp_path}/nowhere'"):
        ImageDataset.from_dataframe(ANIMALS, tmp_path / "nowhere")


def test_absolute_names_inside_the_directory_become_relative_and_others_stay(tmp_path: Path) -> None:
    frame = pd.DataFrame({"filename": [f"{tmp_path}/in/a.png", "/else/b.png", "c.png"]})
    data = of_frame(frame, directory=tmp_path / "in", class_mode=None)
    assert data.paths == ("a.png", "/else/b.png", "c.png")


def test_a_class_without_samples_beside_rows_that_go_is_reported_as_a_likely_slip() -> None:
    with pytest.warns(
        UserWarning, match=r"classes \['dgo'\] .* 3 rows are left out .*\['dog', 'ape'\]"
    ) as warned:
        of_frame(ANIMALS, classes=["cat", "dgo"])
    assert [warning.filename for warning in warned] == [__file__]


def test_a_class_without_samples_is_silent_when_no_row_goes() -> None:
    data = of_frame(ANIMALS, classes=["ape", "bee", "cat", "dog"])
    assert data.targets[0].shape == (5, 4)
