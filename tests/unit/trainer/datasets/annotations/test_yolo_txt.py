"""`ImageDataset.from_yolo_txt`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedline import ImageDataset
from feedline.errors import DatasetError


def save(file: Path, width: int, height: int, turned: int | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if turned is not None:
        exif[0x0112] = turned
    Image.new("RGB", (width, height)).save(file, exif=exif)


def label(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_fractions_become_pixels(tmp_path: Path) -> None:
    save(tmp_path / "images/train/a.jpg", 200, 100)
    save(tmp_path / "images/train/deep/b.png", 10, 10)
    label(tmp_path / "labels/train/a.txt", "3 0.5 0.5 0.2 0.4\n\n0 0.1 0.2 0.2 0.4\n")
    label(tmp_path / "labels/train/deep/b.txt", "")
    data = ImageDataset.from_yolo_txt(tmp_path / "images/train", class_names=list("abcd"))
    assert data.paths == ("a.jpg", "deep/b.png")
    assert data.directory == str(tmp_path / "images/train")
    assert data.boxes is not None
    np.testing.assert_allclose(data.boxes[0], [[80, 30, 120, 70, 3], [0, 0, 40, 40, 0]], atol=1e-4)
    assert data.boxes[1].shape == (0, 5)


@pytest.mark.parametrize(("turned", "corners"), [(3, [0, 0, 100, 50]), (6, [0, 0, 50, 100])])
def test_a_turned_photograph_has_the_size_it_is_seen_in(
    tmp_path: Path, turned: int, corners: list[int]
) -> None:
    save(tmp_path / "images/a.jpg", 200, 100, turned)
    label(tmp_path / "labels/a.txt", "0 0.25 0.25 0.5 0.5")
    data = ImageDataset.from_yolo_txt(tmp_path / "images")
    assert data.boxes is not None
    assert data.boxes[0].tolist() == [[*corners, 0]]


def test_labels_may_lie_anywhere_and_an_image_without_them_has_no_boxes(tmp_path: Path) -> None:
    save(tmp_path / "photos/a.jpg", 20, 10)
    (tmp_path / "boxes").mkdir()
    data = ImageDataset.from_yolo_txt(tmp_path / "photos", tmp_path / "boxes")
    assert data.boxes is not None
    assert len(data.boxes[0]) == 0


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("0 0.5 0.5 0.1", "expected class x y width height, got '0 0.5 0.5 0.1'"),
        ("0 0.5 0.5 0.1 0.1 0.9", "expected class x y width height"),
        ("dog 0.5 0.5 0.1 0.1", "expected class x y width height"),
        ("0 104 52 20 20", "expected fractions of the image, from 0 to 1"),
        ("0 0.5 -0.5 0.1 0.1", "expected fractions"),
        ("0.5 0.5 0.5 0.1 0.1", "expected a class that is a whole number"),
        ("4 0.5 0.5 0.1 0.1", "expected a class below 1"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_and_line(tmp_path: Path, line: str, text: str) -> None:
    save(tmp_path / "images/a.jpg", 20, 10)
    label(tmp_path / "labels/a.txt", f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(DatasetError, match=rf"labels/a.txt, line 2: {text}"):
        ImageDataset.from_yolo_txt(tmp_path / "images", class_names=["dog"])


def test_images_without_a_size_are_named_with_what_they_are(tmp_path: Path) -> None:
    label(tmp_path / "labels/a.txt", "0 0.5 0.5 0.1 0.1")
    (tmp_path / "images").mkdir()
    image = tmp_path / "images/a.jpg"
    for content, said in ((b"", "empty"), (b"\xff\xd8\xff", "no JPEG file with a size"), (b"<x>", "no HTML")):
        image.write_bytes(content)
        with pytest.raises(DatasetError, match=rf"cannot read the size of '.*a.jpg': .*{said}"):
            ImageDataset.from_yolo_txt(tmp_path / "images")


def test_folders_and_headers_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    label(tmp_path / "images/a.jpg", "no image")
    with pytest.raises(DatasetError, match=r"there is no folder '.*/labels'"):
        ImageDataset.from_yolo_txt(tmp_path / "images")
    label(tmp_path / "labels/a.txt", "0 0.5 0.5 0.1 0.1")
    with pytest.raises(DatasetError, match=r"cannot read the size of '.*a.jpg'"):
        ImageDataset.from_yolo_txt(tmp_path / "images")
    (tmp_path / "photos").mkdir()
    with pytest.raises(DatasetError, match=r"no folder in '.*photos' is called 'images'"):
        ImageDataset.from_yolo_txt(tmp_path / "photos")
