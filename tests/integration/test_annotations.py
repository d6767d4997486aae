"""What comes with an image stays with it: masks, further inputs, boxes, labels of mixed samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from children import pool_of

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.errors import ConfigurationError
from feedline.transforms import (
    CutMix,
    MixUp,
    Mosaic,
    RandomBrightness,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomZoom,
    Rescaling,
    Transform,
    YoloAugment,
)

NUM_ROWS = 12
SIZE = (48, 64)
MOVING = [
    RandomFlip(),
    RandomRotation(0.1, "constant"),
    RandomZoom(0.2, fill_mode="constant"),
    RandomCrop(40, 56),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of one bright rectangle, with a mask that says where it is, and a second view of it."""
    result = tmp_path_factory.mktemp("annotated")
    for row in range(NUM_ROWS):
        x1, y1, x2, y2 = box_of(row)
        mask = np.zeros(SIZE, np.uint8)
        mask[y1:y2, x1:x2] = 1 + row
        cv2.imwrite(str(result / f"{row}.png"), np.where(mask > 0, 250, 30).astype(np.uint8))
        cv2.imwrite(str(result / f"{row}-mask.png"), mask)
        cv2.imwrite(str(result / f"{row}-other.png"), np.where(mask > 0, 90, 160).astype(np.uint8))
    return result


def box_of(row: int) -> tuple[int, int, int, int]:
    return 6 + row, 5 + row % 5, 40 + row, 36 + row % 5


@pytest.fixture(scope="module")
def pool() -> Iterator[ProducerPool]:
    with pool_of(2) as result:
        yield result


def names(ending: str = "") -> list[str]:
    return [f"{row}{ending}.png" for row in range(NUM_ROWS)]


def sequence_of(
    data: ImageDataset, pool: ProducerPool, transforms: list[Transform], **options: Any
) -> BatchSequence:
    given = {"batch_size": 4, "image_size": SIZE, "color_mode": "grayscale", "seed": 5, **options}
    return BatchSequence(data, pool=pool, transforms=transforms, **given)


def test_a_mask_moves_with_its_image_and_keeps_its_classes(folder: Path, pool: ProducerPool) -> None:
    frame = pd.DataFrame({"filename": names(), "mask": names("-mask")})
    data = ImageDataset.from_dataframe(frame, folder, y_col="mask", class_mode="mask")
    with sequence_of(data, pool, [*MOVING, RandomBrightness(0.02)]) as sequence:
        assert sequence[0][1].shape == (4, 40, 56, 1)
        for x, y in sequence:
            assert y.dtype == np.uint8
            for image, mask in zip(x, y, strict=True):
                assert len(np.unique(mask)) <= 2, "no class was made between two"
                bright = image > 140
                assert (bright != (mask > 0)).mean() < 0.02


def test_further_inputs_get_the_same_draws_and_an_image_to_predict_the_same_places(
    folder: Path, pool: ProducerPool
) -> None:
    frame = pd.DataFrame({"one": names(), "two": names("-other"), "clean": names()})
    data = ImageDataset.from_dataframe(frame, folder, ["one", "two"], "clean", class_mode="image")
    with sequence_of(data, pool, [*MOVING, RandomBrightness((0.1, 0.1)), Rescaling(1 / 255)]) as sequence:
        for (one, two), clean in sequence:
            assert one.dtype == two.dtype == clean.dtype == np.float32
            assert clean.max() <= 1.0, "what draws nothing is done to the image to predict, too"
            inside = clean > 0.95
            assert np.allclose(two[inside], (90 + 25.5) / 255, atol=0.1)
            assert np.allclose(one[clean > 0], np.minimum(clean[clean > 0] + 0.1, 1.0), atol=0.01)


def test_an_autoencoder_predicts_its_input(folder: Path, pool: ProducerPool) -> None:
    frame = pd.DataFrame({"filename": names()})
    data = ImageDataset.from_dataframe(frame, folder, class_mode="input")
    with sequence_of(data, pool, [RandomFlip(), Rescaling(1 / 255)]) as sequence:
        for x, y in sequence:
            assert x is y
        layers = [keras.layers.Input((*SIZE, 1)), keras.layers.Conv2D(1, 3, padding="same")]
        model = keras.Sequential(layers)
        model.compile("sgd", "mse")
        model.fit(sequence, verbose=0)


def test_boxes_move_with_their_image(folder: Path, pool: ProducerPool) -> None:
    boxes = [[(*box_of(row), row)] for row in range(NUM_ROWS)]
    data = ImageDataset.from_lists(names(), boxes=boxes, directory=folder)
    with sequence_of(data, pool, MOVING, image_size=(96, 100)) as sequence:
        seen = []
        for x, y in sequence:
            assert y.shape == (len(x), 1, 5)
            for image, (x1, y1, x2, y2, row) in zip(x[..., 0], y[:, 0], strict=True):
                seen.append(int(row))
                rows, columns = np.nonzero(image > 140)
                found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                assert np.abs(np.subtract(found, (x1, y1, x2, y2))).max() <= 2.5
        assert sorted(seen) == list(range(NUM_ROWS))


@pytest.mark.parametrize("mixing", [MixUp(1.0), CutMix(), Mosaic()])
def test_labels_are_mixed_in_the_shares_of_their_images(
    folder: Path, pool: ProducerPool, mixing: Transform
) -> None:
    """Plain pictures whose grey is their label: the mean of a mixed one is its mixed label."""
    greys = np.arange(NUM_ROWS) * 20.0
    for row, grey in enumerate(greys):
        cv2.imwrite(str(folder / f"plain{row}.png"), np.full(SIZE, grey, np.uint8))
    files = [f"plain{row}.png" for row in range(NUM_ROWS)]
    data = ImageDataset.from_lists(files, greys, directory=folder)
    with sequence_of(data, pool, [RandomFlip(), mixing], dtype="float32") as sequence:
        epochs = [[(x.mean(axis=(1, 2, 3)), y) for x, y in sequence] for _ in range(2)]
        for means, labels in [batch for epoch in epochs for batch in epoch]:
            assert means == pytest.approx(labels, abs=0.6)
        assert epochs[0][0][1].tolist() != epochs[1][0][1].tolist(), "other partners in another epoch"


def test_boxes_of_all_parts_are_in_a_mosaic(folder: Path, pool: ProducerPool) -> None:
    boxes = [[(*box_of(row), row)] for row in range(NUM_ROWS)]
    data = ImageDataset.from_lists(names(), boxes=boxes, directory=folder)
    with sequence_of(data, pool, [Mosaic()], min_box_side=3) as sequence:
        for x, y in sequence:
            assert y.shape == (len(x), 4, 5)
            for image, own in zip(x[..., 0], y, strict=True):
                covered = np.zeros(SIZE, np.bool_)
                for x1, y1, x2, y2 in own[own[:, 4] >= 0, :4].astype(int):
                    covered[y1:y2, x1:x2] = True
                assert ((image > 140) != covered).mean() < 0.05


@pytest.mark.parametrize(
    ("labels", "transforms", "options", "text"),
    [
        (np.arange(NUM_ROWS), [MixUp()], {}, "class_mode='categorical'"),
        (None, [RandomFlip(), "framing"], {}, "must be the first"),
        (None, ["framing"], {"cache": "memory"}, "leave out cache"),
        (None, ["framing"], {"pad_to_aspect_ratio": True}, "leave out crop_to_aspect_ratio"),
        (None, [], {"max_boxes": 3}, "needs a dataset with boxes"),
    ],
)
def test_what_does_not_go_together_is_refused(
    folder: Path,
    pool: ProducerPool,
    labels: npt.NDArray[Any] | None,
    transforms: list[Any],
    options: Any,
    text: str,
) -> None:
    chosen = [RandomResizedCrop() if transform == "framing" else transform for transform in transforms]
    data = ImageDataset.from_lists(names(), labels, directory=folder)
    with pytest.raises(ConfigurationError, match=text):
        sequence_of(data, pool, chosen, **options)


@pytest.mark.parametrize("transform", [YoloAugment(), RandomRotation((0.1, 0.1), fill_mode="constant")])
def test_beyond_the_edge_of_a_mask_is_the_class_that_was_asked_for(
    folder: Path, pool: ProducerPool, transform: Transform
) -> None:
    data = ImageDataset.from_lists(names(), masks=names("-mask"), directory=folder)
    options: dict[str, Any] = {"batch_size": 4, "image_size": SIZE, "transforms": [transform], "pool": pool}
    with BatchSequence(data, mask_fill=255, **options) as sequence:
        _, masks = sequence[0]
    assert 255 in masks
    with pytest.raises(ConfigurationError, match="mask_fill=255 needs a dataset with masks"):
        BatchSequence(ImageDataset.from_lists(names(), directory=folder), mask_fill=255, **options)


def test_masks_are_not_blended(folder: Path, pool: ProducerPool) -> None:
    data = ImageDataset.from_lists(names(), masks=names("-mask"), directory=folder)
    with pytest.raises(ConfigurationError, match="use CutMix"):
        sequence_of(data, pool, [MixUp()])
    with sequence_of(data, pool, [CutMix()], cache="memory") as sequence:
        for x, y in sequence:
            assert ((x > 140) == (y > 0)).all()


def test_a_sample_without_one_of_its_files_is_left_out(folder: Path) -> None:
    frame = pd.DataFrame({"filename": names(), "mask": ["gone.png", *names("-mask")[1:]]})
    with pytest.warns(UserWarning, match=r"left out 1 of 12 .* column 'mask'"):
        data = ImageDataset.from_dataframe(frame, folder, y_col="mask", class_mode="mask")
    assert len(data) == NUM_ROWS - 1
    assert data.further[0].paths == names("-mask")[1:]
    assert data.subset([2]).further[0].paths == ["3-mask.png"]
