"""An index says of each file what its header says, and is made once."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dicom_files import UNSIGNED, dicom_bytes
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from feedline import build_index
from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.dicom import facts as dicom_facts
from feedline.trainer.datasets.dicom import index as dicom_index
from feedline.trainer.datasets.dicom.facts import HEAD_BYTES, slice_position

Write = Any


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three slices, one of them in a folder inside."""
    result = tmp_path / "images"
    (result / "more").mkdir(parents=True)
    for number, name in enumerate(("b.dcm", "a.dcm", "more/c.dcm")):
        write(result / name, ImagePositionPatient=[0, 0, 5.5 * number], InstanceNumber=number)
    (result / "readme.txt").write_text("not looked at")
    return result


def write(path: Path, syntax: str | None = None, **elements: Any) -> None:
    """Write a slice."""
    usual = {"SOPInstanceUID": f"1.2.{path.stem.encode().hex()}1"}
    path.write_bytes(dicom_bytes(UNSIGNED, *filter(None, [syntax]), **usual | elements))


def index_of(folder: Path) -> pd.DataFrame:
    return build_index(folder, cache=folder.parent / "kept" / "index.csv")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files whose headers are read from now on."""
    names: list[str] = []
    read_facts = dicom_index.read_facts

    def noted(path: str) -> Any:
        names.append(Path(path).name)
        return read_facts(path)

    monkeypatch.setattr(dicom_index, "read_facts", noted)
    return names


def test_an_index_has_a_row_for_each_file_in_the_order_of_names(folder: Path) -> None:
    index = index_of(folder)

    assert index["filename"].tolist() == ["a.dcm", "b.dcm", "more/c.dcm"]
    assert index["position"].tolist() == [5.5, 0.0, 11.0]
    assert index["instance"].tolist() == [1, 0, 2]
    assert set(index["patient"]) == {"ID_patient"}
    assert index["sop"].tolist()[0] == "1.2.611"
    assert index[["rows", "columns"]].drop_duplicates().to_numpy().tolist() == [[64, 96]]
    assert set(index["reason"]) == {""}


def test_a_second_run_reads_no_header_and_comes_to_the_same(folder: Path, read: list[str]) -> None:
    first = index_of(folder)
    assert sorted(read) == ["a.dcm", "b.dcm", "c.dcm"]
    read.clear()

    pd.testing.assert_frame_equal(index_of(folder), first)
    assert read == []


def test_only_new_and_changed_files_are_read_again_and_lost_ones_are_left_out(
    folder: Path, read: list[str]
) -> None:
    index_of(folder)
    read.clear()
    write(folder / "d.dcm", PatientID="new")
    write(folder / "a.dcm", PatientID="changed")
    os.utime(folder / "a.dcm", ns=(1, 1))
    (folder / "b.dcm").unlink()

    index = index_of(folder)

    assert sorted(read) == ["a.dcm", "d.dcm"]
    assert index["filename"].tolist() == ["a.dcm", "d.dcm", "more/c.dcm"]
    assert index["patient"].tolist() == ["changed", "new", "ID_patient"]


def test_a_broken_file_is_listed_with_its_reason_and_tried_again(folder: Path, read: list[str]) -> None:
    (folder / "broken.dcm").write_bytes(b"no header")
    (folder / "cut.dcm").write_bytes((folder / "a.dcm").read_bytes()[:200])
    with pytest.warns(UserWarning, match=r"2 of 5 files could not be read; the first is 'broken\.dcm'"):
        index = index_of(folder)
    reasons = dict(zip(index["filename"], index["reason"], strict=True))
    assert "no DICM mark" in reasons["broken.dcm"]
    assert reasons["cut.dcm"] == "is cut off in its header, after 200 bytes"
    assert reasons["a.dcm"] == ""
    assert index["patient"].tolist()[2] == ""

    read.clear()
    write(folder / "cut.dcm")
    with pytest.warns(UserWarning, match="1 of 5"):
        assert index_of(folder)["reason"].astype(bool).sum() == 1
    assert sorted(read) == ["broken.dcm", "cut.dcm"]


def test_where_pydicom_is_missing_files_that_need_it_say_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "a.dcm", DeflatedExplicitVRLittleEndian)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pydicom", None)
        with pytest.warns(UserWarning, match=r"1 of 3 .*'a\.dcm'.*pip install 'feedline\[dicom\]'"):
            index_of(folder)
    assert set(index_of(folder)["reason"]) == {""}


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_every_syntax_says_the_same(folder: Path, syntax: str) -> None:
    write(folder / "a.dcm")
    expected = index_of(folder).drop(columns=["size", "mtime_ns"])
    write(folder / "a.dcm", syntax)

    pd.testing.assert_frame_equal(index_of(folder).drop(columns=["size", "mtime_ns"]), expected)


def test_a_long_header_and_other_alphabets_are_read_to_the_end(folder: Path) -> None:
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = "1.2.3"
    write(folder / "a.dcm", ReferencedImageSequence=Sequence([reference] * (HEAD_BYTES // 16)))
    write(folder / "b.dcm", SpecificCharacterSet="ISO_IR 192", PatientID="Пациент")

    index = index_of(folder)

    assert index["patient"].tolist()[:2] == ["ID_patient", "Пациент"]
    assert index["rows"].tolist()[:2] == [64, 64]


def test_what_a_header_does_not_say_is_missing_and_stays_so(folder: Path) -> None:
    write(folder / "a.dcm", ImagePositionPatient=None, InstanceNumber=None, PatientID="")

    for _ in range(2):
        row = index_of(folder).iloc[0]
        assert np.isnan(row["position"])
        assert row["instance"] is pd.NA
        assert row["patient"] == ""


def test_an_id_that_looks_like_a_number_stays_as_it_is(folder: Path) -> None:
    for name, patient in (("a.dcm", "007"), ("b.dcm", "NA")):
        write(folder / name, PatientID=patient)
    index_of(folder)
    assert index_of(folder)["patient"].tolist()[:2] == ["007", "NA"]


def test_a_run_that_was_stopped_is_gone_on_with(
    folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_index, "CHUNK", 1)
    noted = dicom_index.read_facts

    def stopped(path: str) -> Any:
        if path.endswith("c.dcm"):
            raise KeyboardInterrupt
        return noted(path)

    with monkeypatch.context() as patch:
        patch.setattr(dicom_index, "read_facts", stopped)
        with pytest.raises(KeyboardInterrupt):
            index_of(folder)
    read.clear()

    assert len(index_of(folder)) == 3
    assert read == ["c.dcm"]


@pytest.mark.parametrize("content", [b"", b"else\n1,2\n", b"# feedline dicom index 2\nfilename\n\xff", None])
def test_an_index_that_cannot_be_used_is_made_anew(folder: Path, content: bytes | None) -> None:
    kept = folder.parent / "kept" / "index.csv"
    kept.parent.mkdir()
    if content is None:
        kept.mkdir()  # nor can anything be written there
    else:
        kept.write_bytes(content)

    assert index_of(folder)["position"].tolist() == [5.5, 0.0, 11.0]


def test_each_folder_has_an_index_of_its_own_in_the_users_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    build_index(folder)
    build_index(folder / "more")
    assert len(list((tmp_path / "xdg" / "feedline").glob("dicom-index-*.csv"))) == 2


def test_upper_and_lower_case_of_an_ending_are_one(folder: Path) -> None:
    (folder / "a.dcm").rename(folder / "A.DCM")
    assert index_of(folder)["filename"].tolist() == ["A.DCM", "b.dcm", "more/c.dcm"]
    assert len(build_index(folder, suffix=".DCM", cache=folder.parent / "index.csv")) == 3


@pytest.mark.parametrize(("text", "number"), [(b"1.0", 1), (b"-2", -2), (b"1e1", 10)])
def test_whole_numbers_may_be_written_as_decimals(folder: Path, text: bytes, number: int) -> None:
    write_as_it_is(folder / "a.dcm", "InstanceNumber", text)
    assert index_of(folder)["instance"].tolist()[0] == number


@pytest.mark.parametrize(
    ("keyword", "text", "reason"),
    [
        ("InstanceNumber", b"1.5", "has InstanceNumber='1.5', which is not a whole number"),
        ("InstanceNumber", b"one", "has InstanceNumber='one': expected a number"),
        ("ImagePositionPatient", b"1\\2", r"has ImagePositionPatient='1\\\\2': expected 3 numbers"),
        ("ImagePositionPatient", b"1\\2\\nan", r"has ImagePositionPatient=.*: expected 3 numbers"),
        ("ImageOrientationPatient", b"1\\0\\0", "has ImageOrientationPatient=.*: expected 6 numbers"),
    ],
)
def test_numbers_that_are_none_are_quoted_and_only_their_file_is_left_out(
    folder: Path, keyword: str, text: bytes, reason: str
) -> None:
    write_as_it_is(folder / "a.dcm", keyword, text)
    with pytest.warns(UserWarning, match=f"1 of 3 files.*{reason}"):
        assert (index_of(folder)["reason"] == "").tolist() == [False, True, True]


def write_as_it_is(path: Path, keyword: str, value: bytes) -> None:
    """A slice with the bytes of an element, which pydicom would not write, in place of its own."""
    data = dicom_bytes(UNSIGNED)
    group, element = divmod(tag_for_keyword(keyword) or 0, 1 << 16)
    at = data.index(struct.pack("<HH", group, element))
    end = at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    padded = value + b" " * (len(value) % 2)
    path.write_bytes(data[: at + 6] + len(padded).to_bytes(2, "little") + padded + data[end:])


def test_files_of_another_name_are_taken_when_asked_for(folder: Path) -> None:
    (folder / "a.dcm").rename(folder / "slice")
    with pytest.warns(UserWarning, match=r"'readme\.txt': is not a DICOM file"):
        index = build_index(folder, suffix="", cache=folder.parent / "index.csv")
    assert index["filename"].tolist() == ["b.dcm", "more/c.dcm", "readme.txt", "slice"]


@pytest.mark.parametrize("threads", [0, 1.5])
def test_threads_are_counted(folder: Path, threads: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"threads must be .*, got {threads}"):
        build_index(folder, threads=threads)


def test_a_folder_without_slices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no file that ends in '\.dcm'"):
        build_index(tmp_path)
    with pytest.raises(DatasetError, match="cannot be listed: No such file"):
        build_index(tmp_path / "nowhere")


def test_positions_are_measured_along_the_normal_of_a_slice() -> None:
    assert slice_position("-125\\-125\\37.5", "1\\0\\0\\0\\1\\0") == 37.5
    assert slice_position("7\\8\\9", "0\\1\\0\\0\\0\\1") == 7.0  # sagittal
    tilted = slice_position("0\\3\\4", "1\\0\\0\\0\\0.8\\0.6")
    assert tilted == pytest.approx(0.8 * 4 - 0.6 * 3)
    assert slice_position("", "1\\0\\0\\0\\1\\0") is None
    assert slice_position("1\\2\\3", "") is None


def test_facts_do_not_depend_on_how_much_of_a_file_is_read_at_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(folder / "a.dcm")
    expected = dicom_facts.read_facts(path)
    assert expected.columns == 96

    for length in range(132, 1200):
        monkeypatch.setattr(dicom_facts, "HEAD_BYTES", length)
        assert dicom_facts.read_facts(path) == expected, length
