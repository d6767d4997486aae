"""`DataGenerator`: the images, labels and batches that the usual class of that name gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import skimage.data
import usual_generator
from children import PATIENCE_S, wait_for_producers
from images import SIZE, rows_in, write_images
from matplotlib.image import imread
from recorder import recording_model

from feedline import ProducerPool
from feedline.errors import BatchError, ConfigurationError, DatasetError
from feedline.legacy import DataGenerator, predictions_frame
from feedline.transforms import RandomFlip

NUM_ROWS = 27
LENGTH = 6  # batches of five; the last has two
PHOTO_SIZE = (48, 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images whose colour is their row, named 0000.png and so on."""
    folder = tmp_path_factory.mktemp("rows")
    write_images(folder, NUM_ROWS)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of `PHOTO_SIZE` as gray, colour and transparent PNG files, and one of 16 bits."""
    folder = tmp_path_factory.mktemp("photos")
    astronaut, camera = (
        cv2.resize(image, PHOTO_SIZE[::-1]) for image in (skimage.data.astronaut(), skimage.data.camera())
    )
    alpha = np.dstack([astronaut[:, :, ::-1], camera])
    deep = (
        camera.astype(np.uint16) * 257 + np.arange(camera.size, dtype=np.uint16).reshape(camera.shape) % 251
    )
    for name, pixels in {
        "gray": camera,
        "color": astronaut[:, :, ::-1],
        "alpha": alpha,
        "deep": deep,
    }.items():
        assert cv2.imwrite(str(folder / f"{name}.png"), pixels)
    return folder


def ids_of(rows: Sequence[int]) -> list[str]:
    return [f"{row:04}" for row in rows]


def generator_of(
    folder: Path, labels: Any, rows: Sequence[int] = range(NUM_ROWS), **options: Any
) -> DataGenerator:
    """Batches of five whose pixels say their row."""
    settings = {"batch_size": 5, "img_size": SIZE, "n_channels": 3, "scale": "uint8", "timeout_s": PATIENCE_S}
    return DataGenerator(ids_of(rows), labels, img_dir=f"{folder}/", **settings | options)


def whole(generator: DataGenerator) -> tuple[list[int], npt.NDArray[Any]]:
    """One epoch: the rows that the pixels say, and the labels."""
    batches = list(generator)
    return [row for x, _ in batches for row in rows_in(x)], np.concatenate([y for _, y in batches])


# --- images ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "n_channels"), [("gray", 1), ("color", 3), ("alpha", 4)])
def test_images_are_what_matplotlib_reads_to_the_last_bit(photos: Path, name: str, n_channels: int) -> None:
    with DataGenerator([name], img_size=PHOTO_SIZE, img_dir=f"{photos}/", n_channels=n_channels) as generator:
        (x,) = generator
    expected = imread(photos / f"{name}.png")
    assert x.dtype == expected.dtype == np.float32
    assert x.shape == (1, *PHOTO_SIZE, n_channels)
    np.testing.assert_array_equal(x[0], expected.reshape(*PHOTO_SIZE, n_channels))
    assert len(np.unique(x)) > 100


def test_images_of_16_bits_differ_from_matplotlibs_by_one_bit_at_most(photos: Path) -> None:
    with DataGenerator(["deep"], img_size=PHOTO_SIZE, img_dir=str(photos), scale="unit16") as generator:
        (x,) = generator
    expected = imread(photos / "deep.png")
    np.testing.assert_array_max_ulp(x[0, :, :, 0], expected, maxulp=1)
    assert len(np.unique(x)) > 256


@pytest.mark.parametrize("scale", ["uint8", None])
def test_bytes_are_a_quarter_and_say_the_same(photos: Path, scale: str | None) -> None:
    shape = {"img_size": (*PHOTO_SIZE, 3), "img_dir": str(photos)}
    with DataGenerator(["color"], scale=scale, **shape) as plain, DataGenerator(["color"], **shape) as unit:
        (x,), (expected,) = plain, unit
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(np.divide(x, 255, dtype=np.float32), expected)


def test_images_of_another_size_are_resized(photos: Path) -> None:
    with DataGenerator(["gray"], dim=(20, 30), img_dir=str(photos)) as generator:
        assert generator[0].shape == (1, 20, 30, 1)


def test_ids_may_be_numbers_or_whole_names(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "7.png").write_bytes((folder / "0007.png").read_bytes())
    options = {"img_size": SIZE, "n_channels": 3, "scale": "uint8"}
    with DataGenerator([7], {7: 70}, img_dir=str(tmp_path), **options) as by_number:
        x, y = by_number[0]
        assert (rows_in(x), y.tolist()) == ([7], [70])
    with DataGenerator([str(folder / "0007.png")], img_dir="", ext="", **options) as by_path:
        assert rows_in(by_path[0]) == [7]


def test_a_missing_file_is_named(folder: Path) -> None:
    with (
        DataGenerator(["0001"], img_dir=f"{folder}/", ext=".jpg", img_size=SIZE) as generator,
        pytest.raises(BatchError, match=r"0001\.jpg"),
    ):
        generator[0]


# --- labels and order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["frame", "series", "dict", "array"])
def test_every_image_comes_with_its_own_label_whatever_labels_are(folder: Path, kind: str) -> None:
    rows = list(np.random.default_rng(3).permutation(NUM_ROWS)[:12])
    by_id = dict(zip(ids_of(range(NUM_ROWS)), range(NUM_ROWS), strict=True))
    labels = {
        "frame": pd.DataFrame({"row": by_id, "twice": {k: 2 * v for k, v in by_id.items()}}),
        "series": pd.Series(by_id),
        "dict": by_id,
        "array": np.array(rows),
    }[kind]
    with generator_of(folder, labels, rows) as generator:
        for _ in range(2):
            seen, found = whole(generator)
            assert sorted(seen) == sorted(rows)
            if kind == "frame":
                assert found.tolist() == [[row, 2 * row] for row in seen]
            else:
                assert found.tolist() == seen


def test_batches_are_those_of_the_usual_generator(folder: Path) -> None:
    labels = pd.DataFrame(
        {"any": np.arange(NUM_ROWS) % 2, "row": range(NUM_ROWS)}, index=ids_of(range(NUM_ROWS))
    )
    rest = {"batch_size": 5, "img_size": SIZE, "img_dir": f"{folder}/", "n_channels": 3, "shuffle": False}
    theirs = usual_generator.DataGenerator(labels.index, labels, **rest)
    with DataGenerator(labels.index, labels, **rest) as ours:
        assert len(ours) == len(theirs) == LENGTH
        for index in range(LENGTH):
            (x, y), (usual_x, usual_y) = ours[index], theirs[index]
            size = 5 if index < LENGTH - 1 else 2
            assert len(x) == len(y) == size
            np.testing.assert_array_equal(x, usual_x[:size])
            np.testing.assert_array_equal(y, usual_y[:size])


def test_shuffling_gives_every_sample_once_an_epoch_and_indexes_say_in_which_order(folder: Path) -> None:
    with generator_of(folder, np.arange(NUM_ROWS)) as generator:
        orders = []
        for _ in range(3):
            rows, _ = whole(generator)
            assert generator.indexes.tolist() == rows
            assert sorted(rows) == list(range(NUM_ROWS))
            orders.append(tuple(rows))
    assert len(set(orders)) == 3


def test_class_numbers_become_rows_with_a_one(folder: Path) -> None:
    labels = {name: row % 3 for row, name in enumerate(ids_of(range(NUM_ROWS)))}
    with generator_of(folder, labels, n_classes=3) as generator:
        rows, found = whole(generator)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.eye(3)[np.array(rows) % 3])


def test_a_view_in_order_is_neither_shuffled_nor_augmented(folder: Path) -> None:
    with generator_of(folder, np.arange(NUM_ROWS), transforms=[RandomFlip()]) as generator:
        assert not generator.is_in_order
        assert repr(generator).startswith("DataGenerator(6 batches of 5, ImageDataset(27 samples")
        with generator.in_order() as view:
            assert [row for x, _ in view for row in rows_in(x)] == list(range(NUM_ROWS))
            assert view.pool is generator.pool
            # The generator itself goes on as if nothing had been.
            assert sorted(whole(generator)[0]) == list(range(NUM_ROWS))
    with generator_of(folder, None, shuffle=False) as plain:
        assert plain.is_in_order


def test_it_goes_to_keras_itself(folder: Path) -> None:
    model, recorder = recording_model()
    with generator_of(folder, np.arange(NUM_ROWS), workers=2) as generator:
        model.fit(generator, epochs=2, verbose=0)
        wait_for_producers(generator.pool, 2)
        rows = recorder.take_rows()
        assert sorted(rows[:NUM_ROWS]) == sorted(rows[NUM_ROWS:]) == list(range(NUM_ROWS))
        model.evaluate(generator, verbose=0)
        assert sorted(recorder.take_rows()) == list(range(NUM_ROWS))
        assert sorted(model.predict(generator, verbose=0)[:, 0]) == list(range(NUM_ROWS))


# --- frames of predictions ------------------------------------------------------------------------------


def test_predictions_become_a_frame_indexed_by_id(folder: Path) -> None:
    labels = pd.DataFrame({"any": 0, "subdural": 1}, index=ids_of(range(NUM_ROWS)))
    with generator_of(folder, labels, [4, 2, 9]) as generator:
        rows = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
        frame = predictions_frame(generator, rows)
        assert frame.index.tolist() == ["0004", "0002", "0009"]
        assert (frame.index.name, frame.columns.tolist()) == ("ID", ["any", "subdural"])
        assert frame.loc["0002"].tolist() == [0.3, 0.4]
        assert predictions_frame(generator, rows[:2], ["p", "q"])["q"].tolist() == [0.2, 0.4]
        assert predictions_frame(generator, rows[:, 0]).columns.tolist() == [0]
        with pytest.raises(ConfigurationError, match="got 1 names for 2 columns"):
            predictions_frame(generator, rows, ["p"])
        with pytest.raises(ConfigurationError, match="one row for each of 3 IDs"):
            predictions_frame(generator, np.zeros((4, 2)))


# --- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"n_channels": 2}, "images have 1, 3 or 4 channels, got 2"),
        ({"dim": (32, 32, 32)}, "got 32.*volumes cannot be read"),
        ({"img_size": (32,)}, r"must be \(height, width\) or .*got \(32,\)"),
        ({"img_size": 32}, r"must be \(height, width\) or .*got 32"),
        ({"img_size": (32, 0)}, "width must be a whole number of pixels, at least 1, got 0"),
        ({"img_size": (32, 32, 3), "n_channels": 4}, "contradict each other"),
        ({"scale": "float"}, r"scale must be one of \['unit'.*got 'float'"),
        ({"dtype": "float32"}, "has scale= for what a BatchSequence calls dtype="),
        ({"image_size": (3, 3)}, "has img_size= for what a BatchSequence calls image_size="),
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1, got 0"),
        ({"labels": {"b": 1}}, "labels has nothing for 'a'"),
        ({"n_classes": 3}, "n_classes=3 needs labels"),
        ({"list_IDs": []}, "at least one sample"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises((ConfigurationError, DatasetError), match=expected):
        DataGenerator(**{"list_IDs": ["a"], **arguments})


def test_a_subclass_that_reads_images_itself_is_refused_before_it_is_used() -> None:
    with pytest.raises(ConfigurationError, match=r"Mine defines __data_generation.*keras\.utils\.Sequence"):

        class Mine(DataGenerator):
            def __data_generation(self, ids: list[str]) -> None: ...


class OwnInit(DataGenerator):
    """With the usual ``__init__``, that calls nobody's."""

    def __init__(self, list_IDs: list[str]) -> None:  # noqa: N803
        self.list_IDs, self.batch_size = list_IDs, 8
        self.on_epoch_end()


class OwnOrder(DataGenerator):
    """Draws the order itself."""

    def on_epoch_end(self) -> None:  # noqa: D102
        self.indexes = np.arange(len(self.list_IDs))


class OwnLabels(DataGenerator):
    """Keeps its labels, with an ``__init__`` that calls ours or not."""

    def __init__(self, list_IDs: list[str], labels: Any, *, calls: bool = True) -> None:  # noqa: N803
        if calls:
            super().__init__(list_IDs, labels)
        self.labels = labels


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: OwnInit(["a"]), "OwnInit.__init__ does not call ours. Leave the __init__"),
        (lambda: OwnLabels(["a"], [0]), "OwnLabels sets self.labels, which cannot be"),
        (lambda: OwnLabels(["a"], [0], calls=False), "OwnLabels sets self.labels, which cannot be"),
        (lambda: OwnOrder(["a"]).on_epoch_end(), "OwnOrder sets self.indexes, which cannot be"),
    ],
)
def test_a_subclass_that_does_what_the_usual_one_does_itself_is_told_what_to_leave_out(
    make: Any, text: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert text in str(caught.value)
    assert "super().__init__(list_IDs, labels, batch_size=..., ...)" in str(caught.value)


def test_a_subclass_may_have_an_init_that_begins_with_ours(folder: Path) -> None:
    class Named(DataGenerator):
        def __init__(self, name: str, **options: Any) -> None:
            super().__init__(["0003", "0001"], [3, 1], img_dir=str(folder), shuffle=False, **options)
            self.name = name

    with Named("train", img_size=SIZE, n_channels=3, scale="uint8", batch_size=2) as generator:
        assert rows_in(generator[0][0]) == [3, 1]
        assert (generator.name, generator.shuffle, generator.labels.tolist()) == ("train", False, [3, 1])
        with pytest.raises(AttributeError, match="'Named' object has no attribute 'nothing'"):
            generator.nothing  # noqa: B018


def test_labels_that_are_names_come_as_rows_with_a_one(folder: Path) -> None:
    labels = {name: "odd" if row % 2 else "even" for row, name in enumerate(ids_of(range(NUM_ROWS)))}
    with generator_of(folder, labels, n_classes=2) as generator:
        rows, found = whole(generator)
        assert generator.dataset.class_names == ["even", "odd"]
    np.testing.assert_array_equal(found, np.eye(2)[np.array(rows) % 2])


def test_a_subclass_may_change_batches(folder: Path) -> None:
    class Negative(DataGenerator):
        def __getitem__(self, index: Any) -> Any:
            x, y = super().__getitem__(index)
            return 255 - x, y

    with Negative(
        ["0000"], [0], img_size=SIZE, img_dir=str(folder), n_channels=3, scale="uint8"
    ) as generator:
        assert (generator[0][0] == 247).all()


def test_a_pool_of_ones_own_brings_its_producers(folder: Path) -> None:
    with ProducerPool(workers=2) as pool, generator_of(folder, np.arange(NUM_ROWS), pool=pool) as generator:
        assert sorted(whole(generator)[0]) == list(range(NUM_ROWS))
        with pytest.raises(ConfigurationError, match="leave out workers=3"):
            generator_of(folder, None, pool=pool, workers=3)
        with pytest.raises(ConfigurationError, match="leave out workers=3"):
            generator.resize(workers=3)
