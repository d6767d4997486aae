"""`ImageDataset.from_voc`."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotation_files import boxes_of, touch

from feedline import ImageDataset
from feedline.errors import DatasetError

OBJECT = """
  <object>
    <name>{name}</name>
    <difficult>{difficult}</difficult>
    <bndbox><xmin>{xmin}</xmin><ymin>12</ymin><xmax>350</xmax><ymax>500</ymax></bndbox>
  </object>"""


def write(root: Path, name: str, *objects: str, image: str | None = None) -> None:
    """An annotation of an image that is there."""
    file = root / "Annotations" / f"{name}.xml"
    touch(file, root / "JPEGImages" / f"{name}.jpg")
    filename = f"{name}.jpg" if image is None else image
    file.write_text(f"<annotation>\n<filename>{filename}</filename>{''.join(objects)}\n</annotation>")


def thing(name: str = "dog", difficult: int | str = 0, xmin: str = "1") -> str:
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
    assert boxes_of(data) == [[], [[0, 11, 350, 500, 11]]]
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
        (thing(xmin="nan"), "line 8: expected a box with x1 <= x2"),
        (thing(xmin=""), "line 8: expected numbers in <bndbox>"),
        ("<size><width>wide</width><height>5</height></size>", "expected numbers in <size>"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_and_line(tmp_path: Path, content: str, text: str) -> None:
    write(tmp_path, "a", thing(), content)
    with pytest.raises(DatasetError, match=rf"Annotations/a.xml(, |: ){text}"):
        ImageDataset.from_voc(tmp_path, None)


def test_a_file_that_a_set_names_must_be_there(tmp_path: Path) -> None:
    list_images(tmp_path, "trainval", "a\n")
    with pytest.raises(DatasetError, match=r"cannot read the annotation '.*a.xml'"):
        ImageDataset.from_voc(tmp_path)
    with pytest.raises(DatasetError, match=r"cannot read the image set '.*test.txt'"):
        ImageDataset.from_voc(tmp_path, "test")


@pytest.mark.parametrize("written", ["", "0", "Unspecified", "False", "no", " 0 "])
def test_only_one_and_true_mean_difficult(tmp_path: Path, written: str) -> None:
    write(tmp_path, "a", thing(difficult=written), thing("cat", "1"), thing("cow", "True"))
    assert [box[4] for box in boxes_of(ImageDataset.from_voc(tmp_path, None))[0]] == [11]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("ISO-8859-1", b""), ("GB2312", b""), ("UTF-16", b""), ("UTF-16-LE", b"\xff\xfe"), ("UTF-16LE", b"")],
)
def test_xml_is_read_in_the_encoding_that_it_declares(tmp_path: Path, encoding: str, mark: bytes) -> None:
    name = "中文" if encoding == "GB2312" else "Ä"
    touch(tmp_path / "JPEGImages" / f"{name}.jpg", tmp_path / "Annotations/a.xml")
    text = f"<?xml version='1.0' encoding='{encoding}'?>\n<annotation><filename>{name}.jpg</filename>"
    file = tmp_path / "Annotations/a.xml"
    file.write_bytes(mark + f"{text}{thing(name)}</annotation>".encode(encoding))
    data = ImageDataset.from_voc(tmp_path, None, class_names=[name])
    assert (data.paths, len(boxes_of(data)[0])) == ((f"JPEGImages/{name}.jpg",), 1)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("<a>Ä</a>".encode("latin-1"), "utf-8.*: save it as UTF-8, or say in its first line"),
        (
            b"<?xml version='1.0' encoding='klingon'?><a/>",
            "declares encoding='klingon', which Python does not",
        ),
        (b"", "line 1: not XML: no element"),
        (b"<html></html>", "line 1: expected <annotation>, got <html>"),
    ],
)
def test_xml_that_cannot_be_read_says_so(tmp_path: Path, data: bytes, text: str) -> None:
    touch(tmp_path / "Annotations/a.xml")
    (tmp_path / "Annotations/a.xml").write_bytes(data)
    with pytest.raises(DatasetError, match=rf"a.xml.*{text}"):
        ImageDataset.from_voc(tmp_path, None)


@pytest.mark.parametrize(
    "written", ["a", "images/a.jpg", r"C:\photos\a.jpg", "a.jpg", "/home/someone/a.jpg", "other/a", ""]
)
def test_an_image_is_found_by_names_as_tools_write_them(tmp_path: Path, written: str) -> None:
    write(tmp_path, "a", thing(), image=written)
    assert ImageDataset.from_voc(tmp_path, None).paths == ("JPEGImages/a.jpg",)


def test_a_folder_in_a_name_is_kept_where_there_is_one(tmp_path: Path) -> None:
    write(tmp_path, "a", thing(), image="deep/a.jpg")
    touch(tmp_path / "JPEGImages/deep/a.jpg")
    assert ImageDataset.from_voc(tmp_path, None).paths == ("JPEGImages/deep/a.jpg",)


def test_images_without_a_file_are_found_when_the_set_is_made(tmp_path: Path) -> None:
    write(tmp_path, "a", thing(), image="gone")
    with pytest.raises(DatasetError, match=r"none of the 1 files in .*Annotations exists .*JPEGImages/gone"):
        ImageDataset.from_voc(tmp_path, None)
    assert ImageDataset.from_voc(tmp_path, None, validate_filenames=False).paths == ("JPEGImages/gone",)
    write(tmp_path, "b", thing())
    with pytest.warns(UserWarning, match=r"left out 1 of 2 images .*JPEGImages/gone"):
        assert ImageDataset.from_voc(tmp_path, None).paths == ("JPEGImages/b.jpg",)


def test_an_image_comes_once(tmp_path: Path) -> None:
    write(tmp_path, "a", thing())
    list_images(tmp_path, "twice", "a\r\n\r\na\r\n")
    with pytest.raises(DatasetError, match=r"twice.txt, line 3: 'a' is listed a second time, after .*line 1"):
        ImageDataset.from_voc(tmp_path, "twice")
    write(tmp_path, "b", thing(), image="a.jpg")
    with pytest.raises(DatasetError, match=r"b.xml: the image 'JPEGImages/a.jpg' is named a second time"):
        ImageDataset.from_voc(tmp_path, None)


def test_what_names_no_image_says_so(tmp_path: Path) -> None:
    list_images(tmp_path, "empty", "\n")
    with pytest.raises(DatasetError, match=r"empty.txt names no image"):
        ImageDataset.from_voc(tmp_path, "empty")
    with pytest.raises(DatasetError, match=r"Annotations names no image"):
        ImageDataset.from_voc(tmp_path, None)


@pytest.mark.parametrize(("size", "num"), [("350", 1), ("0", 2), ("", 2)])
def test_a_box_outside_of_an_image_of_known_size_is_left_out(tmp_path: Path, size: str, num: int) -> None:
    side = f"<size><width>{size}</width><height>600</height><depth>3</depth></size>"
    outside = thing("cat", xmin="351").replace("350", "360")
    write(tmp_path, "a", side, thing(), outside)
    if num == 2:
        assert len(boxes_of(ImageDataset.from_voc(tmp_path, None))[0]) == 2
        return
    with pytest.warns(UserWarning, match=r"1 wholly outside of their image, the first at .*a.xml, line 8"):
        assert len(boxes_of(ImageDataset.from_voc(tmp_path, None))[0]) == 1


def test_fractions_where_pixels_are_meant_are_refused_in_words(tmp_path: Path) -> None:
    box = thing(xmin="0.1").replace(">12<", ">0.2<").replace("350", "0.5").replace("500", "1")
    write(tmp_path, "a", box)
    with pytest.raises(DatasetError, match=r"Annotations: boxes are in pixels, and all of these lie between"):
        ImageDataset.from_voc(tmp_path, None)
