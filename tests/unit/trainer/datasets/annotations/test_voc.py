"""`ImageDataset.from_voc`."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedline import ImageDataset
from feedline.errors import DatasetError

OBJECT = """
  <object>
    <name>{name}</name>
    <difficult>{difficult}</difficult>
    <bndbox><xmin>{xmin}</xmin><ymin>12</ymin><xmax>350</xmax><ymax>500</ymax></bndbox>
  </object>"""


def write(root: Path, name: str, *objects: str) -> None:
    file = root / "Annotations" / f"{name}.xml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"<annotation>\n<filename>{name}.jpg</filename>{''.join(objects)}\n</annotation>")


def thing(name: str = "dog", difficult: int = 0, xmin: str = "1") -> str:
    return OBJECT.format(name=name, difficult=difficult, xmin=xmin)


def list_images(root: Path, name: str, text: str) -> None:
    file = root / "ImageSets" / "Main" / f"{name}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_pixels_counted_from_1_become_edges_counted_from_0(tmp_path: Path) -> None:
    write(tmp_path, "000012", thing(), thing("person", difficult=1))
    write(tmp_path, "000005")
    data = ImageDataset.from_voc(tmp_path, None)
    assert data.paths == ("JPEGImages/000005.jpg", "JPEGImages/000012.jpg")
    assert data.directory == str(tmp_path)
    assert data.boxes is not None
    assert [boxes.tolist() for boxes in data.boxes] == [[], [[0, 11, 350, 500, 11]]]
    assert data.class_names is not None
    assert data.class_names[11] == "dog"


def test_a_set_says_which_images_and_difficult_ones_are_taken_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "b", thing(), thing("person", difficult=1))
    write(tmp_path, "a", thing("cat"))
    list_images(tmp_path, "dog_train", "b  1\n\na -1\n")
    data = ImageDataset.from_voc(tmp_path, "dog_train", class_names=["cat", "dog", "person"], difficult=True)
    assert data.paths == ("JPEGImages/b.jpg", "JPEGImages/a.jpg")
    assert data.boxes is not None
    assert [boxes[:, 4].tolist() for boxes in data.boxes] == [[1, 2], [0]]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (thing("unicorn"), "line 8: expected one of class_names=.*, got 'unicorn'"),
        (thing(xmin="left"), "line 8: expected numbers in <bndbox>, got 'left 12 350 500'"),
        (thing(xmin="400"), "line 8: expected a box with x1 <= x2"),
        ("\n<object><name>dog</name></object>", r"line 8: expected <bndbox/xmin> in <object>"),
        ("\n<object>", "line 9: not XML"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_and_line(tmp_path: Path, content: str, text: str) -> None:
    write(tmp_path, "a", thing(), content)
    with pytest.raises(DatasetError, match=rf"Annotations/a.xml, {text}"):
        ImageDataset.from_voc(tmp_path, None)


def test_a_file_that_a_set_names_must_be_there(tmp_path: Path) -> None:
    list_images(tmp_path, "trainval", "a\n")
    with pytest.raises(DatasetError, match=r"cannot read the annotation '.*a.xml'"):
        ImageDataset.from_voc(tmp_path)
    with pytest.raises(DatasetError, match=r"cannot read the image set '.*test.txt'"):
        ImageDataset.from_voc(tmp_path, "test")
