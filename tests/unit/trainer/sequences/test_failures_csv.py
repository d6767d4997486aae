"""The file that bad samples are written to: whole lines at any moment, each file once, nobody's work lost."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from feedline.errors import ConfigurationError
from feedline.trainer.sequences.failures import FailureRow, FailuresCsv, each_once, frame_of

HEADER = "path,reason,producer,epoch,step,row,replaced_by\n"


def row_of(name: str, replaced_by: str | None = "z.png") -> FailureRow:
    return FailureRow(name, "is cut off, by half", "here/1", 0, 3, 7, replaced_by)


def paths_in(file: Path) -> list[str]:
    with file.open(newline="") as lines:
        return [line["path"] for line in csv.DictReader(lines)]


def test_the_file_has_its_header_before_anything_is_bad(tmp_path: Path) -> None:
    FailuresCsv(tmp_path / "bad.csv")
    assert (tmp_path / "bad.csv").read_text() == HEADER


def test_it_grows_and_is_written_anew_only_when_an_earlier_line_changes(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    table = FailuresCsv(file)
    table.write(1, [row_of("a.png")])
    number = file.stat().st_ino
    table.write(1, [row_of("a.png"), row_of('"b", c.png')])
    assert paths_in(file) == ["a.png", '"b", c.png']
    assert file.stat().st_ino == number
    table.write(1, [row_of("a.png", "y.png"), row_of('"b", c.png')])
    assert "y.png" in file.read_text()
    assert file.stat().st_ino != number
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.csv"]


def test_the_next_run_goes_on_and_lists_no_file_twice(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    FailuresCsv(file).write(1, [row_of("a.png"), row_of("b.png")])
    with file.open("a") as half:
        half.write("c.png,is cut")
    again = FailuresCsv(file)
    assert paths_in(file) == ["a.png", "b.png"]
    again.write(1, [row_of("b.png"), row_of("d.png")])
    assert paths_in(file) == ["a.png", "b.png", "d.png"]


def test_two_sequences_write_to_one_file_and_neither_takes_a_line_from_the_other(tmp_path: Path) -> None:
    table = FailuresCsv(tmp_path / "bad.csv")
    table.write(1, [row_of("a.png")])
    table.write(2, [row_of("b.png"), row_of("a.png")])
    table.write(1, [row_of("a.png", "x.png"), row_of("c.png")])
    assert sorted(paths_in(tmp_path / "bad.csv")) == ["a.png", "b.png", "c.png"]


def test_a_file_that_is_something_else_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text("filename,class\na.png,0\n")
    with pytest.raises(
        ConfigurationError, match=r"train\.csv' is another file: its first line is not 'path,"
    ):
        FailuresCsv(file)
    assert file.read_text() == "filename,class\na.png,0\n"


def test_a_folder_that_is_not_there_is_refused_where_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"failures_csv='.*bad\.csv' cannot be written"):
        FailuresCsv(tmp_path / "none" / "bad.csv")


def test_the_frame_of_nothing_has_the_columns_of_any() -> None:
    assert list(frame_of([]).columns) == HEADER.strip().split(",")
    assert frame_of(each_once([row_of("a.png"), row_of("a.png")]))["path"].tolist() == ["a.png"]
