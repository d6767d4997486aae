"""``subset=`` of `ImageDataset.from_directory`: the same files on each side as with Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from feedline.errors import ConfigurationError, DatasetError
from feedline.trainer.datasets.dataset import ImageDataset

NUM_FILES = 23


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 images in three classes of unequal size."""
    result = tmp_path_factory.mktemp("pets")
    for number in range(NUM_FILES):
        kind = ("cat", "cat", "cat", "dog", "newt")[number % 5]
        (result / kind).mkdir(exist_ok=True)
        assert cv2.imwrite(str(result / kind / f"{number}.png"), np.zeros((4, 4, 3), np.uint8))
    return result


def of_keras(folder: Path, **arguments: Any) -> list[tuple[list[str], list[int]]]:
    """Files, relative to the folder, and labels of each side; those are read from the paths."""
    data = keras.utils.image_dataset_from_directory(folder, image_size=(4, 4), verbose=False, **arguments)
    sides = data if isinstance(data, tuple | list) else [data]
    paths = [[str(Path(path).relative_to(folder)) for path in side.file_paths] for side in sides]
    return [(side, [["cat", "dog", "newt"].index(path.split("/")[0]) for path in side]) for side in paths]


@pytest.mark.parametrize("subset", ["training", "validation", "both"])
@pytest.mark.parametrize("split", [0.2, 0.5, 0.87])
@pytest.mark.parametrize(
    "how", [{"seed": 7}, {"seed": 0}, {"seed": 123456, "shuffle": False}, {"shuffle": False}]
)
def test_each_side_has_the_files_of_keras_in_its_order(
    folder: Path, subset: str, split: float, how: dict[str, Any]
) -> None:
    arguments = {"validation_split": split, "subset": subset, **how}
    ours = ImageDataset.from_directory(folder, **arguments)
    sides = ours if isinstance(ours, tuple) else [ours]
    assert [(list(side.paths), side.labels.tolist()) for side in sides] == of_keras(folder, **arguments)
    assert all(side.class_names == ["cat", "dog", "newt"] for side in sides)


def test_both_sides_together_are_all_files(folder: Path) -> None:
    training, validation = ImageDataset.from_directory(folder, validation_split=0.3, subset="both", seed=1)
    assert sorted([*training.paths, *validation.paths]) == sorted(ImageDataset.from_directory(folder).paths)
    assert len(validation) == int(0.3 * NUM_FILES)


def test_images_without_labels_are_split_too(folder: Path) -> None:
    arguments = {"labels": None, "validation_split": 0.4, "subset": "validation", "seed": 5}
    ours = ImageDataset.from_directory(folder, **arguments)
    assert list(ours.paths) == of_keras(folder, **arguments)[0][0]
    assert ours.labels is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"validation_split": 0.2}, "go together"),
        ({"subset": "training"}, "go together"),
        ({"validation_split": 0.2, "subset": "test", "seed": 1}, "'both'"),
        ({"validation_split": 0.2, "subset": "both"}, "needs a seed"),
        ({"validation_split": 0.2, "subset": "both", "seed": -1}, "needs a seed"),
        ({"validation_split": 1.5, "subset": "both", "seed": 1}, "between 0 and 1"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    folder: Path, arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ImageDataset.from_directory(folder, **arguments)


def test_a_side_without_files_is_refused_where_keras_would_hold_out_everything(folder: Path) -> None:
    with pytest.raises(DatasetError, match="leaves the validation side empty"):
        ImageDataset.from_directory(folder, validation_split=0.01, subset="training", seed=1)
