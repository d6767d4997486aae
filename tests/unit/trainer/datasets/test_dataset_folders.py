"""`ImageDataset.from_directory`: the files, order and labels of Keras' own, and what is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.dataset import ImageDataset

FILES = (
    "tulip/10.png",
    "tulip/9.PNG",
    "tulip/old/deep/1.jpg",
    "tulip/old-1/1.bmp",
    "aster/b.gif",
    "aster/B.jpg",
    "aster/sub/a.png",
    "Rose/1.png",
    "outside.png",
)


def write_images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        encoded = cv2.imencode(Path(name).suffix.lower(), np.full((4, 4, 3), 77, np.uint8))[1]
        (folder / name).write_bytes(encoded.tobytes())


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    folder = tmp_path / "flowers"
    write_images(folder, *FILES)
    (folder / "tulip" / "notes.txt").write_text("not an image")
    return folder


def of_keras(folder: Path, **arguments: Any) -> tuple[list[str], Any, list[str]]:
    """Paths relative to the folder, labels and class names, as Keras has them."""
    data = keras.utils.image_dataset_from_directory(
        folder, shuffle=False, batch_size=100, image_size=(4, 4), verbose=False, **arguments
    )
    paths = [str(Path(path).relative_to(folder)) for path in data.file_paths]
    batch = next(iter(data))
    return paths, batch[1].numpy() if isinstance(batch, tuple) else None, data.class_names


@pytest.mark.parametrize("label_mode", ["int", "categorical"])
@pytest.mark.parametrize("class_names", [None, ["tulip", "Rose", "aster"], ["tulip"]])
def test_files_order_labels_and_classes_are_those_of_keras(
    flowers: Path, label_mode: str, class_names: list[str] | None
) -> None:
    ours = ImageDataset.from_directory(flowers, label_mode=label_mode, class_names=class_names)
    paths, labels, names = of_keras(flowers, label_mode=label_mode, class_names=class_names)
    assert (list(ours.paths), ours.class_names) == (paths, names)
    assert ours.directory == str(flowers)
    np.testing.assert_array_equal(ours.labels, labels, strict=True)


def test_binary_labels_have_keras_last_axis(flowers: Path) -> None:
    ours = ImageDataset.from_directory(flowers, label_mode="binary", class_names=["tulip", "aster"])
    paths, labels, names = of_keras(flowers, label_mode="binary", class_names=["tulip", "aster"])
    assert (list(ours.paths), ours.class_names) == (paths, names)
    np.testing.assert_array_equal(ours.labels, labels, strict=True)


@pytest.mark.parametrize("argument", [{"labels": None}, {"label_mode": None}])
def test_without_labels_every_image_below_is_taken_in_keras_order(flowers: Path, argument: Any) -> None:
    ours = ImageDataset.from_directory(flowers, **argument)
    assert list(ours.paths) == of_keras(flowers, **argument)[0]
    assert "outside.png" in ours.paths
    assert ours.targets == ()
    assert ours.class_names is None


def test_a_trailing_slash_or_a_relative_directory_changes_no_path(
    flowers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ImageDataset.from_directory(flowers).paths
    monkeypatch.chdir(flowers)
    assert ImageDataset.from_directory(f"{flowers}/").paths == expected
    assert ImageDataset.from_directory(".").paths == expected
    assert ImageDataset.from_directory("../flowers").paths == expected


def test_links_to_folders_are_followed_only_if_asked(flowers: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "elsewhere", "1.png")
    (flowers / "aster" / "linked").symlink_to(tmp_path / "elsewhere")
    assert "aster/linked/1.png" not in ImageDataset.from_directory(flowers).paths
    followed = ImageDataset.from_directory(flowers, follow_links=True)
    assert "aster/linked/1.png" in followed.paths
    assert list(followed.paths) == of_keras(flowers, follow_links=True)[0]


def test_a_class_folder_that_is_a_link_is_a_class(flowers: Path, tmp_path: Path) -> None:
    write_images(tmp_path / "elsewhere", "1.png")
    (flowers / "violet").symlink_to(tmp_path / "elsewhere")
    assert list(ImageDataset.from_directory(flowers).paths) == of_keras(flowers)[0]
    assert "violet/1.png" in ImageDataset.from_directory(flowers).paths


def test_a_class_folder_without_images_stays_a_class_and_is_reported(flowers: Path) -> None:
    (flowers / "lily").mkdir()
    with pytest.warns(UserWarning, match=r"no images in the class folders \['lily'\]") as warned:
        data = ImageDataset.from_directory(flowers)
    assert data.class_names == ["Rose", "aster", "lily", "tulip"] == of_keras(flowers)[2]
    assert sorted(set(data.targets[0].tolist())) == [0, 1, 3]
    assert [warning.filename for warning in warned] == [__file__]


# What is left out, and said to be.


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("._0.png", "1 hidden ('aster/._0.png')"),
        (".hidden.png", "1 hidden ('aster/.hidden.png')"),
        (".ipynb_checkpoints/1-checkpoint.png", "1 hidden ('aster/.ipynb_checkpoints/')"),
        ("__MACOSX/1.png", "1 hidden ('aster/__MACOSX/')"),
        (
            "1.webp",
            "1 of formats that are not taken from folders ('aster/1.webp'). Files of other formats can",
        ),
        ("sub/1.TIF", "1 of formats that are not taken from folders ('aster/sub/1.TIF')"),
        ("1.dcm", "1 of formats that are not taken from folders ('aster/1.dcm')"),
    ],
)
def test_what_looks_like_an_image_and_is_left_out_is_named(flowers: Path, name: str, reason: str) -> None:
    expected = ImageDataset.from_directory(flowers)
    file = flowers / "aster" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes((flowers / "aster/b.gif").read_bytes())
    with pytest.warns(UserWarning, match=re.escape(f"left out of '{flowers}': {reason}")) as warned:
        found = ImageDataset.from_directory(flowers)
    assert found.paths == expected.paths
    assert [warning.filename for warning in warned] == [__file__]


def test_all_that_is_left_out_is_said_in_one_warning(flowers: Path) -> None:
    for number in range(5):
        (flowers / "aster" / f"{number}.webp").touch()
    (flowers / "aster" / "._b.gif").touch()
    text = r"5 of formats .*\('aster/0.webp', 'aster/1.webp', 'aster/2.webp', …\)|1 hidden"
    with pytest.warns(UserWarning, match=text) as warned:
        ImageDataset.from_directory(flowers)
    assert len(warned) == 1


def test_links_that_lead_nowhere_and_what_is_no_file_are_left_out(flowers: Path) -> None:
    expected = ImageDataset.from_directory(flowers)
    (flowers / "aster" / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(flowers / "aster" / "pipe.png")
    (flowers / "aster" / "folder.png").mkdir()
    with pytest.warns(
        UserWarning, match=r"2 links that lead nowhere, or no files \('aster/gone.png', 'aster/pipe.png'\)"
    ):
        assert ImageDataset.from_directory(flowers).paths == expected.paths


@pytest.mark.parametrize("target", [".", "..", "sub"])
def test_a_link_to_a_folder_around_it_is_not_followed_for_ever(flowers: Path, target: str) -> None:
    expected = ImageDataset.from_directory(flowers)
    (flowers / "aster" / "sub" / "again").symlink_to(Path("..") / target)
    with pytest.warns(UserWarning, match=r"1 links to a folder that they lie in \('aster/sub/again/'\)"):
        found = ImageDataset.from_directory(flowers, follow_links=True)
    assert found.paths == expected.paths


def test_hidden_folders_are_no_classes(flowers: Path) -> None:
    write_images(flowers, ".git/1.png", "__MACOSX/1.png")
    assert ImageDataset.from_directory(flowers).class_names == ["Rose", "aster", "tulip"]


# What is refused.


def test_images_without_class_folders_are_answered_with_labels_none(tmp_path: Path) -> None:
    write_images(tmp_path, *(f"{number}.png" for number in range(12)))
    with pytest.raises(
        DatasetError, match=r"no class folders .*, but 12 images directly inside: use labels=None"
    ):
        ImageDataset.from_directory(tmp_path)


def test_an_empty_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"no class folders in '{tmp_path}', and no images"):
        ImageDataset.from_directory(tmp_path)
    with pytest.raises(DatasetError, match=f"no images in '{tmp_path}': .*found no files"):
        ImageDataset.from_directory(tmp_path, labels=None)


def test_folders_of_other_files_are_answered_with_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    for name in ("1.dcm", "2.DCM", "README"):
        (tmp_path / "ct" / name).touch()
    with pytest.raises(DatasetError, match=r"\.gif.*found 2 files \.dcm, 1 files without a suffix"):
        ImageDataset.from_directory(tmp_path)


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="nowhere' does not exist"):
        ImageDataset.from_directory(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="file' is not a directory"):
        ImageDataset.from_directory(tmp_path / "file", labels=None)


@pytest.mark.parametrize("class_names", [["tulip", "lotus"], ["tulip", "tulip"], []])
def test_class_names_that_are_not_different_folders_are_refused(
    flowers: Path, class_names: list[str]
) -> None:
    with pytest.raises(DatasetError, match=r"different folders of \['Rose', 'aster', 'tulip'\], got \["):
        ImageDataset.from_directory(flowers, class_names=class_names)


def test_a_class_name_that_looks_like_a_folder_is_told_from_it(flowers: Path) -> None:
    with pytest.raises(DatasetError, match="'Rose' and 'rose' differ in upper and lower case"):
        ImageDataset.from_directory(flowers, class_names=["rose"])


def test_binary_needs_two_folders(flowers: Path) -> None:
    with pytest.raises(DatasetError, match=r"exactly 2 classes, got 3: \['Rose', 'aster', 'tulip'\]"):
        ImageDataset.from_directory(flowers, label_mode="binary")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [0, 1]}, r"labels must be \"inferred\" or None, got \[0, 1\]; .*from_lists"),
        ({"label_mode": "sparse"}, r"label_mode must be one of .*got 'sparse'"),
        ({"labels": None, "class_names": ["a"]}, r"class_names=\['a'\] needs labels, got labels=None"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ImageDataset.from_directory(tmp_path, **arguments)
