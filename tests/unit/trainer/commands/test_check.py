"""`feedline check`: what a dataset looks like is what it is read as, and no file's word is taken for it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline import ImageDataset
from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.commands.cli import main, make_parser
from feedline.trainer.commands.sources import dataset_of, format_of


def read(path: Path, *options: str) -> ImageDataset:
    """As the command does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return dataset_of(path, make_parser().parse_args(["check", str(path), *options]))


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


def test_a_folder_is_all_images_in_it_of_any_format_and_depth(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.JPG", "a/d/e.tif", "f.dcm"):
        write_image(tmp_path / name) if name != "f.dcm" else (tmp_path / name).touch()
    (tmp_path / "notes.md").touch()
    assert format_of(tmp_path) == "folder"
    assert read(tmp_path).paths == ("a/c.JPG", "a/d/e.tif", "b.png", "f.dcm")


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no image in the folder"):
        read(tmp_path)


def test_a_table_may_have_several_columns_of_files_which_need_not_exist(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("image,mask,age\n1.png,m/1.png,3\n,m/2.png,4\n2.png,m/2.png,5\n")
    data = read(table, "--column", "image", "--column", "mask", "--directory", str(tmp_path))
    assert data.paths == ("1.png", "2.png")
    assert data.further[0].paths == ["m/1.png", "m/2.png"]  # type: ignore[union-attr]
    assert data.dropped["where"].tolist() == ["row 1 (counted from 0) of 'image'"]


def test_annotations_are_known_by_their_form(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, -3, 4]}],
    }
    coco = tmp_path / "instances.json"
    coco.write_text(json.dumps(content))
    yolo3 = tmp_path / "train.txt"
    yolo3.write_text("a.jpg 1,2,3,4,0\n")
    voc = tmp_path / "voc"
    (voc / "Annotations").mkdir(parents=True)
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>9</ymax></bndbox>"
    (voc / "Annotations" / "a.xml").write_text(
        f"<annotation><filename>a.jpg</filename><object><name>unicorn</name>{box}</object></annotation>"
    )
    yolo = tmp_path / "yolo"
    write_image(yolo / "images" / "a.png")
    (yolo / "labels").mkdir()
    (yolo / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")

    kinds = {path: format_of(path) for path in (coco, yolo3, voc, yolo)}
    assert list(kinds.values()) == ["coco", "yolo3", "voc", "yolo"]
    assert [len(read(path)) for path in kinds] == [1, 1, 1, 1]
    assert read(coco).dropped["where"].tolist() == [f"{coco}, annotation 1"]
    assert read(voc).class_names == ["unicorn"]
    assert read(yolo).paths == ("a.png",)


def test_what_looks_like_nothing_that_is_known_is_to_be_said(tmp_path: Path) -> None:
    (tmp_path / "data.bin").touch()
    with pytest.raises(ConfigurationError, match="say with --format what it is"):
        format_of(tmp_path / "data.bin")


def test_what_is_not_there_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere"]) == 1
    assert capsys.readouterr().err == "feedline check: there is no file or folder 'nowhere'\n"


@pytest.mark.parametrize("command", [["check"], ["preview"], ["preview", "--labels", "class"]])
def test_a_forgotten_directory_is_said_once_and_not_of_each_file(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("filename,class\n" + "".join(f"{i}.png,cat\n" for i in range(60)))
    assert main([command[0], "labels.csv", *command[1:]]) == 1
    said, error = capsys.readouterr()
    assert not said
    assert error == (
        f"feedline {command[0]}: none of the 60 files in 'labels.csv' exists under directory=None; the first"
        " one tried was '0.png'. Say with --directory what the names are relative to\n"
    )


def test_of_a_directory_that_is_another_the_guess_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("filename\n1\n2\n")
    write_image(tmp_path / "1.png")
    assert main(["check", str(table), "--directory", str(tmp_path)]) == 1
    assert "'1.png' exists: append '.png' to the file names. Say with" in capsys.readouterr().err
