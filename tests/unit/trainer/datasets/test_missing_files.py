"""Guesses at why a file is missing, from what is there instead."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from feedline.errors import DatasetError
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.datasets.listing.missing import hint_for_missing

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "été.png") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("there", "wanted", "difference"),
    [
        ("a/1.png", "a\\1.png", r"'\' where '/' is meant"),
        ("a/1.png", " a/1.png\n", "blanks around a name"),
        ("a/1.png ", "a/1.png", "blanks around a name"),
        (f"a/{COMPOSED}", f"a/{DECOMPOSED}", "the Unicode form of accents"),
        (f"a/{DECOMPOSED}", f"a/{COMPOSED}", "the Unicode form of accents"),
        ("A/1.PNG", "a/1.png", "upper and lower case"),
        ("A/1.png", "a\\1.png ", r"'\' where '/' is meant and blanks around a name and upper and lower case"),
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_whose_name_looks_the_same_is_named_with_the_difference(
    tmp_path: Path, there: str, wanted: str, difference: str, absolute: bool
) -> None:
    (tmp_path / there).parent.mkdir()
    (tmp_path / there).touch()
    if absolute:
        there, wanted = f"{tmp_path}/{there}", f"{tmp_path}/{wanted}"
    hint = hint_for_missing(wanted, None if absolute else str(tmp_path))
    assert hint.startswith(f". {there!r} exists; the two differ in {difference}")
    assert hint.removeprefix(f". {there!r} exists; the two differ in ").count(" and ") == difference.count(
        " and "
    )


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("1", "'1.png' exists: append '.png' to the file names"),
        ("2.png", ""),
        ("b/1.png", "There is no directory"),
        ("folder", ""),
    ],
)
def test_other_guesses(tmp_path: Path, wanted: str, hint: str) -> None:
    (tmp_path / "1.png").touch()
    (tmp_path / "Folder").mkdir()
    assert hint in hint_for_missing(wanted, str(tmp_path))
    assert bool(hint) == bool(hint_for_missing(wanted, str(tmp_path)))


def test_the_hint_is_in_the_error_if_all_are_missing_and_in_the_warning_if_some_are(tmp_path: Path) -> None:
    for name in ("1.PNG", "2.png"):
        (tmp_path / name).touch()
    frame = pd.DataFrame({"filename": ["2.png", "1.png"]})
    with pytest.warns(UserWarning, match=r"left out 1 of 2 rows .*'1.PNG' exists; the two differ in upper"):
        data = ImageDataset.from_dataframe(frame, tmp_path, class_mode=None)
    assert data.paths == ("2.png",)
    with pytest.raises(DatasetError, match=r"none of the 1 files .*'1.PNG' exists; the two differ in upper"):
        ImageDataset.from_dataframe(frame[1:], tmp_path, class_mode=None)
