"""`ImageDataset.from_yolo_txt`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotation_files import boxes_of, touch
from PIL import Image

from feedline import ImageDataset
from feedline.common.sample.regions import GRID, parted
from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.further import DrawnMasks


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
    with pytest.warns(UserWarning, match=r"none of the 1 images in .*photos' has a text file in .*boxes'"):
        data = ImageDataset.from_yolo_txt(tmp_path / "photos", tmp_path / "boxes")
    assert boxes_of(data) == [[]]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("0 0.5 0.5 0.1", "expected class x y width height, or class x1 .* got 4 numbers in '0 0.5 0.5 0.1'"),
        ("0 0.5 0.5 0.1 0.1 0.9", "expected class x y .* got 6 numbers .* Confidences and keypoints cannot"),
        ("0" + " 0.5" * 55, "expected class x y .* got 56 numbers .* keypoints cannot be used"),
        ("0 0.5 0.5 0.1 0.1 0.5 0.5 2 0.5 0.5 2", "expected fractions .* is the visibility of a keypoint"),
        ("0 0.5 0.5 0.1 0.1 0.5 nan", "expected fractions"),
        ("dog 0.5 0.5 0.1 0.1", "expected class x y width height"),
        ("0 104 52 20 20", "expected fractions of the image, from 0 to 1"),
        ("0 0.5 -0.5 0.1 0.1", "expected fractions"),
        ("0 0.5 nan 0.1 0.1", "expected fractions"),
        ("0 0.5 0.5 -0.1 0.1", "expected fractions"),
        ("0 0.5 0.5 0.1 1.02", "expected fractions"),
        ("0 0.5, 0.5, 0.1, 0.1", "expected class x y width height"),
        ("-1 0.5 0.5 0.1 0.1", "expected a class from 0 on"),
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
    with pytest.raises(DatasetError, match=r"directory '.*none' does not exist"):
        ImageDataset.from_yolo_txt(tmp_path / "none")
    (tmp_path / "photos").mkdir()
    with pytest.raises(DatasetError, match=r"no folder in '.*photos' is called 'images'"):
        ImageDataset.from_yolo_txt(tmp_path / "photos")


@pytest.mark.parametrize("value", ["-1e-7", "1.0000001", "1.01", "-0.01"])
def test_fractions_are_as_exporters_round_them(tmp_path: Path, value: str) -> None:
    """Those below 0 with the same tolerance as those above 1; what comes of them lies in the image."""
    save(tmp_path / "images/a.png", 20, 10)
    label(tmp_path / "labels/a.txt", f"0 {value} 0.5 0.5 0.5")
    x = 0.0 if value.startswith("-") else 20.0
    assert boxes_of(ImageDataset.from_yolo_txt(tmp_path / "images")) == [[[x - 5, 2.5, x + 5, 7.5, 0]]]


def test_all_formats_that_producers_decode_are_taken_and_others_are_named(tmp_path: Path) -> None:
    names = ["a.webp", "b.tif", "c.TIFF", "d.jp2", "e.ppm", "f.jfif", "g.apng"]
    for name in names:
        kind = {"jfif": "JPEG", "apng": "PNG"}.get(name[2:])
        file = tmp_path / "images" / name
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 10)).save(file, kind)
        label(tmp_path / "labels" / f"{name[0]}.txt", "0 0.5 0.5 0.5 1")
    touch(tmp_path / "images/x.heic", tmp_path / "images/notes.txt", tmp_path / "images/.hidden.png")
    with pytest.warns(UserWarning, match=r"left out of .*images': 1 hidden .*'x.heic'"):
        data = ImageDataset.from_yolo_txt(tmp_path / "images")
    assert list(data.paths) == names
    assert boxes_of(data) == [[[5, 0, 15, 10, 0]]] * len(names)


def test_label_files_of_no_image_are_named(tmp_path: Path) -> None:
    save(tmp_path / "images/a.png", 20, 10)
    for name in ["a", "b", "deep/c", "classes"]:
        label(tmp_path / f"labels/{name}.txt", "" if name != "classes" else "cat\ndog\n")
    with pytest.warns(UserWarning, match=r"2 text files are of no image in .*images', the first is .*b.txt'"):
        assert boxes_of(ImageDataset.from_yolo_txt(tmp_path / "images")) == [[]]


def test_files_of_windows_are_read_and_lines_that_come_twice_are_taken_once(tmp_path: Path) -> None:
    save(tmp_path / "images/a.png", 20, 10)
    label(tmp_path / "labels/a.txt", "")
    line = "0 0.5\t0.5 0.5 0.5\r\n"
    (tmp_path / "labels/a.txt").write_bytes(f"\ufeff{line}{line}\r\n".encode())
    with pytest.warns(UserWarning, match=r"1 that repeat one of the same image and class.*a.txt, line 2"):
        assert boxes_of(ImageDataset.from_yolo_txt(tmp_path / "images")) == [[[5, 2.5, 15, 7.5, 0]]]


def test_a_folder_without_images_says_so(tmp_path: Path) -> None:
    touch(tmp_path / "images/notes.txt", tmp_path / "labels/a.txt")
    with (
        pytest.warns(UserWarning, match="1 text files are of no image"),
        pytest.raises(DatasetError, match="images names no image"),
    ):
        ImageDataset.from_yolo_txt(tmp_path / "images")


def labelled(folder: Path, *texts: str, size: tuple[int, int] = (200, 100)) -> Path:
    """Images with labels; returns the folder of the images."""
    for nth, text in enumerate(texts):
        save(folder / f"images/{nth}.png", *size)
        label(folder / f"labels/{nth}.txt", text)
    return folder / "images"


def test_polygons_become_boxes_around_them(tmp_path: Path) -> None:
    images = labelled(tmp_path, "2 0.1 0.2 0.5 0.2 0.4 0.9 -1e-9 0.5\n0 0.5 0.5 0.5 0.5\n")
    data = ImageDataset.from_yolo_txt(images)
    assert boxes_of(data) == [[[0, 20, 100, 90, 2], [50, 25, 150, 75, 0]]]
    assert not data.further


def test_polygons_become_masks_of_class_numbers_from_one_on(tmp_path: Path) -> None:
    images = labelled(tmp_path, "2 0.1 0.2 0.5 0.2 0.5 0.9\n0 0 0 1 0 1 1\n", "")
    data = ImageDataset.from_yolo_txt(images, boxes=False, masks=True)
    assert data.boxes is None
    (masks,) = data.further
    assert isinstance(masks, DrawnMasks)
    assert (len(masks), masks.highest, masks.role) == (2, 3, "mask")
    sizes, values = [], []
    for one in masks.regions:
        size, regions = parted(one)
        sizes.append(size)
        values.append([(region.value, (region.numbers / GRID).tolist()) for region in regions])
    assert sizes == [(100, 200)] * 2
    assert values == [[(3, [20, 20, 100, 20, 100, 90]), (1, [0, 0, 200, 0, 200, 100])], []]
    assert [len(one) for one in data.subset([1, 0]).further[0].regions] == [2, len(masks.regions[0])]


def test_a_box_has_no_mask(tmp_path: Path) -> None:
    images = labelled(tmp_path, "0 0.5 0.5 0.1 0.1")
    with pytest.raises(DatasetError, match=r"0.txt, line 1: a box alone, of which no mask can be drawn"):
        ImageDataset.from_yolo_txt(images, masks=True)


KEYPOINTS = "0 0.5 0.5 0.4 0.4 0.4 0.6 0.65 0.35 0 0\n"
WITH_VISIBILITY = "0 0.5 0.5 0.4 0.4 0.4 0.6 1 0.65 0.35 1 0 0 0 0.6 0.6 1\n"


@pytest.mark.parametrize("line", [KEYPOINTS, WITH_VISIBILITY])
def test_a_data_set_of_keypoints_is_refused_in_words(tmp_path: Path, line: str) -> None:
    """Though no line of it says that it is none of polygons."""
    images = labelled(tmp_path, line * 2, line)
    with pytest.raises(DatasetError, match=r"0.txt, line 1: this and all other .* are those of keypoints"):
        ImageDataset.from_yolo_txt(images)


@pytest.mark.parametrize(
    "other", ["0 0.1 0.1 0.9 0.1 0.9 0.9 0.5 0.5 0.1 0.9\n", "0 0.1 0.1 0.9 0.1 0.9 0.9\n"]
)
def test_polygons_of_which_some_look_like_keypoints_are_polygons(tmp_path: Path, other: str) -> None:
    images = labelled(tmp_path, KEYPOINTS * 2, f"{KEYPOINTS}{other}")
    with pytest.warns(UserWarning, match="1 that repeat one"):
        assert sum(map(len, boxes_of(ImageDataset.from_yolo_txt(images)))) == 3


def test_what_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    images = labelled(tmp_path, "")
    with pytest.raises(ConfigurationError, match=r"masks must be True or False, got 'labels'"):
        ImageDataset.from_yolo_txt(images, masks="labels")  # type: ignore[arg-type]
