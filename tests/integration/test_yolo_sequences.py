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

from common.draws import Purpose, uniforms
from common.errors import ConfigurationError
from trainer import BatchSequence, ImageDataset, ProducerPool
from trainer.yolo import (
    Letterbox,
    YoloAugment,
    YoloTargets,
    encode_yolo_targets,
    yolo_sequences,
)

sys.path.append(str(Path(__file__).parents[1] / "unit/producer"))
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


@pytest.mark.parametrize("transform", [Letterbox(), YoloAugment(hue=0, saturation=1, value=1)])
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
