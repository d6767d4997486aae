"""A detection job from the dataset to the model: framings, boxes and YOLOv3's targets stay together."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest
from children import pool_of
from skimage import data as photographs

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.common.batch.layout import digest
from feedline.common.draws import Purpose, uniforms
from feedline.errors import ConfigurationError
from feedline.yolo import Letterbox, YoloAugment, YoloTargets, encode_yolo_targets, yolo_sequences

sys.path.append(str(Path(__file__).parents[1] / "unit/producer/transforms"))
import literal_yolo

Array = npt.NDArray[Any]

NUM_ROWS = 10
CANVAS = (64, 96)
TARGETS = YoloTargets(3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Photographs of different sizes, each with a bright square of class row modulo 3 at a known place."""
    folder = tmp_path_factory.mktemp("detection")
    lines = []
    for row in range(NUM_ROWS):
        photograph = (photographs.chelsea()[: 150 + 10 * row, : 300 - 11 * row] // 3).copy()
        x, y = 20 + 7 * row, 15 + 6 * row
        photograph[y : y + 60, x : x + 80] = 255
        cv2.imwrite(str(folder / f"a photo {row}.png"), photograph[:, :, ::-1])
        lines.append(f"a photo {row}.png {x},{y},{x + 80},{y + 60},{row % 3}")
    (folder / "train.txt").write_text("\n".join(lines))
    return ImageDataset.from_yolo3_annotations(folder / "train.txt", folder)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProducerPool]:
    with pool_of(2) as result:
        yield result


def sequence_of(dataset: ImageDataset, pool: ProducerPool, **options: Any) -> BatchSequence:
    given = {"batch_size": 4, "image_size": CANVAS, "transforms": [YoloAugment()], "seed": 5, **options}
    return BatchSequence(dataset, pool=pool, **given)


def photograph_of(dataset: ImageDataset, name: str) -> Array:
    picture = cv2.imread(str(Path(dataset.directory or "", name)))
    assert picture is not None
    return picture[:, :, ::-1]


def test_recorded_draws_give_what_the_original_would_have_made(
    dataset: ImageDataset, pool: ProducerPool
) -> None:
    options = {"transforms": [YoloAugment(resample="pil")], "shuffle": False}
    with sequence_of(dataset, pool, **options) as sequence:
        for epoch in range(2):
            images = np.concatenate([x for x, _ in sequence])
            for row, (image, name) in enumerate(zip(images, dataset.paths, strict=True)):
                draws = uniforms(Purpose.TRANSFORM, 5, epoch, 11, row=row)
                theirs = literal_yolo.augmented(photograph_of(dataset, name), CANVAS, draws)
                assert np.abs(image - 255.0 * theirs).max() < 0.51


@pytest.mark.parametrize(
    "transform",
    [YoloAugment(hue=0, saturation=1, value=1), pytest.param(Letterbox(), marks=pytest.mark.exhaustive)],
)
def test_boxes_lie_where_their_objects_do(
    dataset: ImageDataset, pool: ProducerPool, transform: Letterbox | YoloAugment
) -> None:
    with sequence_of(dataset, pool, transforms=[transform]) as sequence:
        for images, boxes in sequence:
            for image, (box,) in zip(images, boxes, strict=True):
                rows, columns = np.nonzero((image > 170).all(axis=-1))
                if box[4] < 0:
                    assert len(rows) < 100
                else:
                    seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                    assert np.abs(box[:4] - seen).max() <= 1.5


def test_targets_are_those_of_the_boxes(dataset: ImageDataset, pool: ProducerPool) -> None:
    with sequence_of(dataset, pool) as plain, sequence_of(dataset, pool, targets=TARGETS) as encoded:
        for (x, boxes), (same_x, targets) in zip(plain, encoded, strict=True):
            np.testing.assert_array_equal(x, same_x)
            expected = encode_yolo_targets(boxes, CANVAS, TARGETS.anchors, 3)
            assert any(target.any() for target in expected)
            for one, two in zip(targets, expected, strict=True):
                np.testing.assert_array_equal(one, two)


def test_old_scripts_get_targets_as_inputs_and_zeros_to_predict(
    dataset: ImageDataset, pool: ProducerPool
) -> None:
    image = keras.Input((*CANVAS, 3))
    given = [keras.Input(shape) for shape in TARGETS.shapes(CANVAS)]
    pooled = [keras.layers.GlobalAveragePooling3D()(y) for y in given]
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    loss = keras.layers.Dense(1)(keras.layers.Concatenate()([features, *pooled]))
    model = keras.Model([image, *given], loss)
    model.compile("sgd", loss=lambda _, predicted: predicted**2)
    with sequence_of(dataset, pool, targets=YoloTargets(3, as_inputs=True)) as sequence:
        (x, *targets), zeros = sequence[0]
        assert x.shape == (4, *CANVAS, 3)
        assert [y.shape for y in targets] == [(4, *shape) for shape in TARGETS.shapes(CANVAS)]
        assert zeros.tolist() == [0, 0, 0, 0]
        history = model.fit(sequence, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_validation_is_neither_augmented_nor_shuffled(dataset: ImageDataset, pool: ProducerPool) -> None:
    options = {"image_size": CANVAS, "batch_size": 5, "pool": pool, "targets": TARGETS}
    train, validation = yolo_sequences(dataset, dataset, augment=YoloAugment(resample="pil"), **options)
    with train, validation:
        for _ in range(2):
            images = np.concatenate([x for x, _ in validation])
            for image, name in zip(images, dataset.paths, strict=True):
                theirs = literal_yolo.letterboxed(photograph_of(dataset, name), CANVAS)
                np.testing.assert_array_equal(image, theirs)
        first, second = (np.concatenate([x for x, _ in train]) for _ in range(2))
        assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"targets": YoloTargets(2)}, "num_classes is 2 in targets=, and the dataset has boxes of class 2"),
        ({"targets": TARGETS, "image_size": (64, 100)}, r"multiples of 32, got \(64, 100\)"),
    ],
)
def test_targets_that_cannot_be_made_are_refused(
    dataset: ImageDataset, pool: ProducerPool, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        sequence_of(dataset, pool, **options)


def test_targets_need_boxes(dataset: ImageDataset, pool: ProducerPool) -> None:
    plain = ImageDataset.from_lists(list(dataset.paths), directory=dataset.directory)
    with pytest.raises(ConfigurationError, match="this dataset has none"):
        sequence_of(plain, pool, targets=TARGETS)


SIZES = [(64, 64), (96, 64), (128, 160), (64, 160)]


def test_batches_of_several_sizes_have_the_boxes_of_theirs(dataset: ImageDataset, pool: ProducerPool) -> None:
    with sequence_of(dataset, pool, image_sizes=SIZES, batch_size=2, targets=TARGETS) as sequence:
        seen = set()
        for _ in range(4):
            for x, targets in sequence:
                size = x.shape[1:3]
                assert [y.shape[1:] for y in targets] == list(TARGETS.shapes(size))
                seen.add(size)
    assert seen == set(SIZES)


def test_whoever_builds_them_batches_of_several_sizes_are_the_same(dataset: ImageDataset) -> None:
    digests = []
    for workers in (1, 3):
        with (
            pool_of(workers) as own,
            sequence_of(dataset, own, image_sizes=SIZES, batch_size=2) as sequence,
        ):
            digests.append([digest({"x": x, "boxes": y}) for _ in range(2) for x, y in sequence])
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == len(digests[0])


class Watched(keras.Model):
    """Notes the sizes of the images that it is trained with."""

    seen: list[tuple[int, int]]

    def train_step(self, data: Any) -> Any:
        """Note them, and train."""
        self.seen.append(tuple(data[0].shape[1:3]))
        return super().train_step(data)


def any_size_model() -> Watched:
    image = keras.Input((None, None, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    grids = [keras.layers.AveragePooling2D(stride)(x) for stride in (32, 16, 8)]
    depth = TARGETS.shapes((32, 32))[0][-1]
    model = Watched(image, [keras.layers.Dense(3 * depth)(grid) for grid in grids])

    def loss(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(keras.ops.reshape(y_true, keras.ops.shape(y_pred)) - y_pred))

    model.compile("sgd", loss=[loss] * 3, run_eagerly=True)
    model.seen = []
    return model


class Break(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a fit in the middle of an epoch, where Keras does not say that it ended."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """After the third batch."""
        if batch == 2:
            raise ZeroDivisionError


@pytest.mark.exhaustive
def test_a_fit_that_broke_off_may_be_followed_by_another(dataset: ImageDataset, pool: ProducerPool) -> None:
    options = {"image_sizes": SIZES, "batch_size": 2, "targets": TARGETS}
    with sequence_of(dataset, pool, **options) as sequence:
        model = any_size_model()
        with pytest.raises(ZeroDivisionError):
            model.fit(sequence, callbacks=[Break()], verbose=0)
        model.fit(sequence, epochs=2, verbose=0)
    assert len(model.seen) == 3 + 2 * 5


@pytest.mark.parametrize("shuffle", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_fit_trains_with_several_sizes_and_again_after_it_was_stopped(
    dataset: ImageDataset, pool: ProducerPool, *, shuffle: bool
) -> None:
    options = {"image_sizes": SIZES, "batch_size": 2, "targets": TARGETS, "shuffle": shuffle}
    with sequence_of(dataset, pool, **options) as sequence, sequence_of(dataset, pool, **options) as same:
        model = any_size_model()
        model.fit(sequence, epochs=2, verbose=0, shuffle=False)
        model.fit(sequence, epochs=1, steps_per_epoch=3, verbose=0, shuffle=False)
        model.fit(sequence, epochs=1, verbose=0)
        expected = [x.shape[1:3] for _ in range(2) for x, _ in same]
    assert model.seen[: len(expected)] == expected
    assert len(model.seen) == 2 * 5 + 3 + 5


def test_sizes_that_cannot_be_told_apart_or_encoded_are_refused(
    dataset: ImageDataset, pool: ProducerPool
) -> None:
    for options, text in [
        ({"image_sizes": [(64, 64)]}, "at least two different sizes"),
        ({"image_sizes": [(64, 64), (64, 100)], "targets": TARGETS}, r"multiples of 32, got \(64, 100\)"),
        ({"image_sizes": SIZES, "batch_size": NUM_ROWS}, "at least 2 batches an epoch.*10 samples give 1"),
        ({"image_sizes": SIZES, "cache": "memory", "transforms": []}, "a cache holds images of one size"),
        ({"image_sizes": [64, 96]}, r"image_size must be \(height, width\), got 64"),
    ]:
        with pytest.raises(ConfigurationError, match=text):
            sequence_of(dataset, pool, **options)
