"""`ImageDataset.from_rsna_csv`: the competition's label file, its oddities, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.dataset import ImageDataset
from feedline.trainer.datasets.rsna_csv import SUBTYPES

FIRST = "ID_12cadc6af"
SECOND = "ID_0007a3bce"


def rows_of(image: str, labels: str = "000000") -> list[str]:
    """The six rows of an image, in the competition's order."""
    return [f"{image}_{subtype},{label}" for subtype, label in zip(SUBTYPES, labels, strict=True)]


TWO_IMAGES = [*rows_of(FIRST, "010001"), *rows_of(SECOND, "000000")]


def read(folder: Path, rows: list[str], *, newline: str = "\n", **arguments: Any) -> ImageDataset:
    """The dataset of a label file with these rows."""
    path = folder / "labels.csv"
    path.write_text(newline.join(["ID,Label", *rows, ""]), newline="")
    return ImageDataset.from_rsna_csv(path, folder, **{"validate_filenames": False, **arguments})


def test_the_labels_of_an_image_become_one_row_in_the_stated_order(tmp_path: Path) -> None:
    data = read(tmp_path, TWO_IMAGES)
    assert data.class_names == [
        "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"
    ]  # fmt: skip
    assert data.targets[0].dtype == np.float32
    assert data.targets[0].tolist() == [[0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]]


def test_a_file_that_a_spreadsheet_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["ID,Label", *TWO_IMAGES, ""]), encoding="utf-8-sig")
    assert len(ImageDataset.from_rsna_csv(path, tmp_path, validate_filenames=False)) == 2


def test_images_come_in_the_order_of_the_file_and_not_of_their_names(tmp_path: Path) -> None:
    assert read(tmp_path, TWO_IMAGES).paths == (f"{FIRST}.dcm", f"{SECOND}.dcm")


def test_the_files_of_the_competition_are_repaired_also_in_a_part_of_them(tmp_path: Path) -> None:
    data = read(tmp_path, TWO_IMAGES)
    assert [part.dicom.repair for part in (data, data.subset([1]), *data.split(0.5))] == ["rsna"] * 4
    assert ImageDataset.from_lists(["a.dcm"]).dicom.repair == "none"


def test_a_repair_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"repair must be one of \['none', 'rsna'\], got 'kaggle'"):
        read(tmp_path, TWO_IMAGES).with_dicom_reading(repair="kaggle")


def test_the_order_of_rows_makes_no_difference_to_labels(tmp_path: Path) -> None:
    expected = read(tmp_path, TWO_IMAGES)
    mixed = read(tmp_path, [TWO_IMAGES[0], *TWO_IMAGES[:0:-1]])
    assert mixed.paths == expected.paths
    assert mixed.targets[0].tolist() == expected.targets[0].tolist()


def test_columns_carry_the_image_and_each_label(tmp_path: Path) -> None:
    columns = read(tmp_path, TWO_IMAGES).columns
    assert columns["image"].tolist() == [FIRST, SECOND]
    assert columns["intraparenchymal"].tolist() == [1, 0]
    assert columns["epidural"].tolist() == [0, 0]


def test_images_may_have_been_made_into_png_files(tmp_path: Path) -> None:
    assert read(tmp_path, TWO_IMAGES, extension="png").paths == (f"{FIRST}.png", f"{SECOND}.png")
    with pytest.raises(ConfigurationError, match=r"one of \('dcm', 'png'\), got '.dcm'"):
        read(tmp_path, TWO_IMAGES, extension=".dcm")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_may_end_as_on_windows(tmp_path: Path, newline: str) -> None:
    assert len(read(tmp_path, TWO_IMAGES, newline=newline)) == 2


def test_repeated_rows_are_dropped_and_counted_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        data = read(tmp_path, [*TWO_IMAGES, *TWO_IMAGES[:6], TWO_IMAGES[3]])
    assert data.targets[0].tolist() == read(tmp_path, TWO_IMAGES).targets[0].tolist()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.endswith("labels.csv': dropped 7 rows that repeat an earlier one")


def test_a_file_without_repetitions_is_read_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        read(tmp_path, TWO_IMAGES)
    assert not caplog.records


def test_rows_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    rows = [*TWO_IMAGES, f"{SECOND}_subdural,1", f"{FIRST}_any,0", f"{FIRST}_any,0"]
    with pytest.raises(DatasetError, match=f"both 0 and 1 for '{FIRST}_any', .* in 2 labels"):
        read(tmp_path, rows)


def test_a_missing_label_is_named(tmp_path: Path) -> None:
    kept = [row for row in TWO_IMAGES if not row.startswith((f"{SECOND}_any", f"{SECOND}_subdural"))]
    with pytest.raises(DatasetError, match=f"no row '{SECOND}_subdural', and lacks 2 labels in all"):
        read(tmp_path, kept)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"{FIRST}_epidurall,0", "no subtype 'epidurall', only epidural,"),
        (f"{FIRST}_any,2", "must be 0 or 1, not '2'"),
        (f"{FIRST}_any,0.5", "must be 0 or 1, not '0.5'. A sample submission has no labels"),
        (f"{FIRST}_any,", "must be 0 or 1, not ''"),
        (f"{FIRST}_any,1,1", "must be 0 or 1, not '1,1'"),
        (f"{FIRST}_any", "expected ID_<hex>_<subtype>,<0 or 1>"),
        ("ID_12cadc6ag_any,0", "expected ID_<hex>_<subtype>"),
        ("ID__any,0", "expected ID_<hex>_<subtype>"),
        ("ID_12cadc6af_6_any,0", "expected ID_<hex>_<subtype>"),
        ("IM_12cadc6af_any,0", "expected ID_<hex>_<subtype>"),
        ('"ID_12cadc6af_any",0', "expected ID_<hex>_<subtype>"),
        ("12cadc6af,0", "expected ID_<hex>_<subtype>"),
        ("Ä", "expected ID_<hex>_<subtype>"),
    ],
)
def test_a_row_that_cannot_be_read_is_quoted_with_its_line(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(DatasetError) as refused:
        read(tmp_path, [*TWO_IMAGES, row, *rows_of("ID_ab")])
    assert f"line 14 of {str(tmp_path / 'labels.csv')!r} is {row!r}: " in str(refused.value)
    assert reason in str(refused.value)


def test_a_file_whose_rows_all_have_a_field_too_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"line 2 of .* expected ID_<hex>_<subtype>"):
        read(tmp_path, [f"stage_{row}" for row in TWO_IMAGES])


def test_bytes_that_are_no_text_are_quoted_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(b"ID,Label\n" + "\n".join(TWO_IMAGES).encode() + b"\nID_12\xff\xfe_any,0\n")
    with pytest.raises(DatasetError, match=r"line 14 of .* expected ID_<hex>_<subtype>"):
        ImageDataset.from_rsna_csv(path, tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "header 'ID,Label', its first line is ''"),
        ("id,label\n", "header 'ID,Label', its first line is 'id,label'"),
        ("ID,Label\n", "has no rows"),
        ("ID,Label", "has no rows"),
        ("ID,Label\n\n\n", "has no rows"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        ImageDataset.from_rsna_csv(path, tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot read '.*nowhere.csv': No such file"):
        ImageDataset.from_rsna_csv(tmp_path / "nowhere.csv", tmp_path)


def test_images_without_a_file_are_left_out_with_one_warning_to_the_caller(tmp_path: Path) -> None:
    (tmp_path / f"{SECOND}.dcm").touch()
    with pytest.warns(UserWarning, match=f"left out 1 of 2 rows .*'{FIRST}.dcm'") as warned:
        data = read(tmp_path, TWO_IMAGES, validate_filenames=True)
    assert data.paths == (f"{SECOND}.dcm",)
    assert data.columns["image"].tolist() == [SECOND]
    assert [Path(warning.filename) for warning in warned] == [Path(__file__)]


def test_a_folder_without_any_of_the_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"none of the 2 files .* first one tried was .*{FIRST}.dcm"):
        read(tmp_path, TWO_IMAGES, validate_filenames=True)
