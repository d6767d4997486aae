"""Several data sets as one: nothing is mixed up, and what does not go together is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feedline import ImageDataset
from feedline.errors import DatasetError
from feedline.trainer.datasets.stacks import Stacks


def of(names: list[str], labels: list[int], directory: str | None = None) -> ImageDataset:
    return ImageDataset.from_lists(names, labels, directory=directory)


def test_samples_follow_one_another_with_their_labels_and_say_where_they_are_from() -> None:
    data = ImageDataset.concatenate({"real": of(["a.png", "b.png"], [0, 1]), "drawn": of(["c.png"], [2])})
    assert data.paths == ("a.png", "b.png", "c.png")
    assert data.targets[0].tolist() == [0, 1, 2]
    assert data.columns["source"].tolist() == ["real", "real", "drawn"]


def test_sets_without_names_are_called_by_their_numbers_and_a_set_of_sets_keeps_the_first_column() -> None:
    both = ImageDataset.concatenate([of(["a.png"], [0]), of(["b.png"], [1])], source_col="half")
    assert both.columns["half"].tolist() == [0, 1]
    with pytest.raises(DatasetError, match="there is a column 'half' already"):
        ImageDataset.concatenate([both, both], source_col="half")
    four = ImageDataset.concatenate([both, both], source_col=None)
    assert four.columns["half"].tolist() == [0, 1, 0, 1]


def test_files_are_found_although_the_sets_lie_in_different_folders(tmp_path: Path) -> None:
    for name in ("one/deep/a.png", "two/b.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    one = of(["a.png"], [0], str(tmp_path / "one/deep"))
    data = ImageDataset.concatenate([one, of(["b.png"], [1], str(tmp_path / "two"))])
    assert data.root == str(tmp_path)
    assert [(Path(data.root) / path).is_file() for path in data.paths] == [True, True]


def test_absolute_names_of_files_and_slices_stay_so_but_for_those_below_the_folder_of_all(
    tmp_path: Path,
) -> None:
    inside = str(tmp_path / "one/deep/a.png")
    names = ["a.png", "/mnt/x/1.png"]
    one = ImageDataset.from_lists(names, [0, 1], masks=names, directory=str(tmp_path / "one"))
    one = replace(one, stacks=Stacks([*names, inside], np.array([[0, 1], [1, 2]], np.int32)))
    two = ImageDataset.from_lists(["b.png"], [1], masks=["/mnt/x/2.png"], directory=str(tmp_path / "two"))
    two = replace(two, stacks=Stacks([inside], np.array([[0, 0]], np.int32)))
    data = ImageDataset.concatenate([one, two])
    assert data.root == str(tmp_path)
    assert data.paths == ("one/a.png", "/mnt/x/1.png", "two/b.png")
    assert list(data.further[0].paths) == ["one/a.png", "/mnt/x/1.png", "/mnt/x/2.png"]
    assert data.stacks is not None
    assert data.stacks.files == ["one/a.png", "/mnt/x/1.png", "one/deep/a.png", "one/deep/a.png"]


def test_absolute_names_of_a_set_without_a_folder_lead_where_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the only folder that holds both is that of everything."""
    monkeypatch.chdir(tmp_path)
    nowhere, somewhere = of(["/mnt/x/1.png", str(tmp_path / "c.png")], [0, 0]), of(["b.png"], [1], "/data/b")
    data = ImageDataset.concatenate([nowhere, somewhere])
    assert data.root == "/"
    assert [f"/{path}" for path in data.paths] == ["/mnt/x/1.png", str(tmp_path / "c.png"), "/data/b/b.png"]
    below = ImageDataset.concatenate([nowhere, of(["b.png"], [1], str(tmp_path / "sub"))])
    assert below.root == str(tmp_path)
    assert below.paths == ("/mnt/x/1.png", "c.png", "sub/b.png")


def test_weights_boxes_and_further_images_go_with_their_samples() -> None:
    frame = pd.DataFrame({"file": ["a.png"], "other": ["A.png"], "label": [1], "weight": [0.5]})
    options = {"x_col": ["file", "other"], "y_col": "label", "weight_col": "weight", "class_mode": "raw"}
    options["validate_filenames"] = False
    one = ImageDataset.from_dataframe(frame, **options)
    two = ImageDataset.from_dataframe(frame.assign(other="B.png", weight=2.0), **options)
    data = ImageDataset.concatenate([one, two])
    assert data.weights is not None
    assert data.weights.tolist() == [0.5, 2.0]
    assert list(data.further[0].paths) == ["A.png", "B.png"]
    boxes = [[(0.0, 0.0, 5.0, 5.0, 1.0)], []]
    boxed = ImageDataset.concatenate([ImageDataset.from_lists(["a.png"], boxes=[rows]) for rows in boxes])
    assert [len(rows) for rows in boxed.boxes or ()] == [1, 0]


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (ImageDataset.from_lists(["c.png"]), "labels of shape and dtype"),
        (ImageDataset.from_lists(["c.png"], np.array([0.5])), r"'int64'\)\] and \[\(\(\), 'float64'"),
    ],
)
def test_what_one_has_otherwise_than_another_is_refused_and_named(other: ImageDataset, match: str) -> None:
    with pytest.raises(DatasetError, match=f"'a' and 'b' cannot be one dataset: .*{match}"):
        ImageDataset.concatenate({"a": of(["a.png"], [0]), "b": other})


def test_classes_in_another_order_are_refused_with_the_remedy() -> None:
    made = [
        ImageDataset.from_dataframe(
            pd.DataFrame({"filename": ["a.png", "b.png"], "class": classes}),
            class_mode="sparse",
            validate_filenames=False,
        )
        for classes in (["cat", "dog"], ["dog", "emu"])
    ]
    with pytest.raises(
        DatasetError, match=r"classes: \['cat', 'dog'\] and \['dog', 'emu'\]; give both the same"
    ):
        ImageDataset.concatenate(made)


@pytest.mark.parametrize(
    ("given", "match"), [([], "at least one"), ([1], "0 is 1"), ({"a": "b"}, "'a' is 'b'")]
)
def test_what_is_no_dataset_is_refused(given: object, match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        ImageDataset.concatenate(given)
