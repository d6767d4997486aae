"""What comes with an image stays with it: masks, further inputs, boxes, labels of mixed samples."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812 - as everybody calls it
import cv2
import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from children import pool_of, wait_for

from feedline import BatchSequence, ImageDataset, ImageOptions, ProducerPool
from feedline.errors import BatchError, ConfigurationError
from feedline.trainer.pool import roster
from feedline.transforms import (
    Albumentations,
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
OTHERWISE = (
    {"cache": "memory"},
    {"image_size": (40, 80), "pad_to_aspect_ratio": True},
    {"image_size": (40, 80), "crop_to_aspect_ratio": True},
)


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


def test_masks_of_255_become_the_classes_that_are_named(
    folder: Path, tmp_path: Path, pool: ProducerPool, caplog: pytest.LogCaptureFixture
) -> None:
    for row in range(NUM_ROWS):
        mask = cv2.imread(str(folder / f"{row}-mask.png"), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(tmp_path / f"{row}-mask.png"), np.where(mask > 0, 255, 0).astype(np.uint8))
        cv2.imwrite(str(tmp_path / f"{row}-wide.png"), np.zeros((10, 90), np.uint8))
    images = [str(folder / name) for name in names()]
    masks = [str(tmp_path / name) for name in names("-mask")]
    data = ImageDataset.from_lists(images, masks=masks, mask_values={255: 3})
    with sequence_of(data, pool, [], shuffle=False) as sequence:
        for x, y in sequence:
            np.testing.assert_array_equal(y, np.where(x[..., :1] > 140, 3, 0))
    named = ImageDataset.from_lists(images, masks=masks, mask_values={254: 1})
    with (
        sequence_of(named, pool, []) as sequence,
        pytest.raises(BatchError, match=r"-mask.png.*the value 255"),
    ):
        sequence[0]
    with pytest.raises(ConfigurationError, match="there are no masks"):
        ImageDataset.from_lists(images, mask_values={255: 1})
    wide = ImageDataset.from_lists(images, masks=[str(tmp_path / name) for name in names("-wide")])
    with sequence_of(wide, pool, []) as sequence:
        list(sequence)
        wait_for(
            "the warning",
            lambda: any(r.levelname == "WARNING" and "stretched" in r.getMessage() for r in caplog.records),
        )


def test_bits_that_are_lost_are_one_warning_of_each_sequence_though_each_producer_finds_some(
    depths: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    data = ImageDataset.from_lists(names("-depth"), directory=depths)

    def told() -> list[logging.LogRecord]:
        """What came from producers, and not by their stderr."""
        ours = [record for record in caplog.records if record.name == roster.__name__]
        return [record for record in ours if "16 bits a channel" in record.getMessage()]

    def each_has_warned(sequence: BatchSequence, num: int) -> bool:
        list(sequence)
        return len(told()) == num

    with pool_of(2) as pool:
        for nth in range(2):
            with sequence_of(data, pool, []) as sequence:
                wait_for("both", partial(each_has_warned, sequence, 2 * nth + 2))
    assert [record.levelname for record in told()] == ["WARNING", "INFO"] * 2


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


@pytest.fixture(scope="module")
def depths(folder: Path) -> Path:
    """Beside each picture, in millimetres of 16 bits: 40,000 and the row where the rectangle is, else 100."""
    for row in range(NUM_ROWS):
        mask = cv2.imread(str(folder / f"{row}-mask.png"), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        depth = np.where(mask > 0, 40_000 + row, 100).astype(np.uint16)
        assert cv2.imwrite(str(folder / f"{row}-depth.png"), depth)
    return folder


@pytest.mark.parametrize("cache", [None, pytest.param("memory", marks=pytest.mark.exhaustive)])
def test_a_depth_map_keeps_its_16_bits_beside_colours_of_8_and_moves_with_them(
    depths: Path, pool: ProducerPool, cache: str | None
) -> None:
    data = ImageDataset.from_lists(names(), target_images=names("-depth"), directory=depths)
    depth = ImageOptions(color_mode="grayscale", dtype="uint16")
    options = {"color_mode": "rgb", "target_images": depth, "cache": cache, "interpolation": "nearest"}
    with sequence_of(data, pool, [], **options) as sequence:
        assert sequence[0][0].shape == (4, *SIZE, 3)
        values = {int(value) for _, y in sequence for value in np.unique(y)}
        assert values == {100, *range(40_000, 40_000 + NUM_ROWS)}
    moving = [RandomFlip(), RandomRotation(0.1, "constant"), RandomBrightness(0.02), Rescaling(1 / 255)]
    with sequence_of(data, pool, moving, **options) as sequence:
        for x, y in sequence:
            assert (x.dtype, y.dtype, y.shape) == (np.float32, np.uint16, (len(x), *SIZE, 1))
            assert ((x[..., :1] > 140 / 255) != (y > 20_000)).mean() < 0.02


def test_an_image_of_half_the_size_moves_with_the_whole_one(folder: Path, pool: ProducerPool) -> None:
    half = tuple(side // 2 for side in SIZE)
    data = ImageDataset.from_lists(names(), target_images=names(), masks=names("-mask"), directory=folder)
    own = ImageOptions(image_size=half)
    moving = [RandomFlip(), RandomRotation(0.1, "constant"), RandomZoom(0.2, fill_mode="constant")]
    with sequence_of(data, pool, moving, target_images=own, masks=[own]) as sequence:
        for x, (small, mask) in sequence:
            assert small.shape == mask.shape == (len(x), *half, 1)
            for image, little, classes in zip(x, small, mask, strict=True):
                shrunk = cv2.resize(image, half[::-1], interpolation=cv2.INTER_AREA)[:, :, np.newaxis]
                assert ((shrunk > 140) != (little > 140)).mean() < 0.04
                assert ((shrunk > 140) != (classes > 0)).mean() < 0.04


def test_inputs_may_differ_one_by_one(depths: Path, pool: ProducerPool) -> None:
    data = ImageDataset.from_lists(names(), inputs=[names("-depth"), names()], directory=depths)
    own = [ImageOptions(dtype="uint16"), ImageOptions(color_mode="rgb")]
    with sequence_of(data, pool, [RandomBrightness((0.1, 0.1))], inputs=own) as sequence:
        ((x, depth, colours),) = sequence[0]
        assert [a.shape[-1] for a in (x, depth, colours)] == [1, 1, 3]
        assert depth.max() >= 40_000
        assert (colours[..., :1] == x).all(), "the same draws"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"masks": ImageOptions()}, "masks must be ImageOptions.* each of the 0 mask images"),
        ({"target_images": [ImageOptions()] * 2}, "target_images must be .* each of the 1 target images"),
        ({"target_images": "uint16"}, "target_images must be .* got 'uint16'"),
        ({"target_images": ImageOptions(image_size=SIZE), "image_sizes": [SIZE, (24, 32)]}, "leave one out"),
    ],
)
def test_options_of_images_that_there_are_not_are_refused(
    folder: Path, pool: ProducerPool, options: dict[str, Any], text: str
) -> None:
    data = ImageDataset.from_lists(names(), target_images=names("-other"), directory=folder)
    with pytest.raises(ConfigurationError, match=text):
        sequence_of(data, pool, [], **options)


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


@pytest.mark.parametrize(
    "mixing", [MixUp(1.0), pytest.param(CutMix(), marks=pytest.mark.exhaustive), Mosaic()]
)
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
        (None, ["framing"], {"interpolation": "area"}, "place RandomResizedCrop stands: say so there"),
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


def test_colours_are_changed_beside_masks_and_boxes_by_albumentations(
    folder: Path, pool: ProducerPool
) -> None:
    pipeline = A.Compose([A.InvertImg(p=1), A.RandomGamma(p=0)])
    boxes = [[(*box_of(row), row)] for row in range(NUM_ROWS)]
    data = ImageDataset.from_lists(names(), masks=names("-mask"), boxes=boxes, directory=folder)
    transforms = [Albumentations(A.to_dict(pipeline)), RandomFlip("horizontal")]
    with sequence_of(data, pool, transforms, image_size=(96, 100), color_mode="rgb") as sequence:
        for x, (mask, found) in sequence:
            assert ((x[..., :1] < 120) == (mask > 0)).mean() > 0.98
            assert (found[:, 0, 4] >= 0).all()


def test_masks_are_not_blended(folder: Path, pool: ProducerPool) -> None:
    data = ImageDataset.from_lists(names(), masks=names("-mask"), directory=folder)
    with pytest.raises(ConfigurationError, match="use CutMix"):
        sequence_of(data, pool, [MixUp()])
    with sequence_of(data, pool, [CutMix()], cache="memory") as sequence:
        for x, y in sequence:
            assert ((x > 140) == (y > 0)).all()


@pytest.fixture(scope="module")
def drawn(folder: Path) -> ImageDataset:
    """The pictures with the outlines of their rectangles, whose class is 0."""
    (folder / "labels").mkdir()
    for row in range(NUM_ROWS):
        x1, y1, x2, y2 = np.divide(box_of(row), [*SIZE[::-1], *SIZE[::-1]])
        (folder / f"labels/{row}.txt").write_text(f"0 {x1} {y1} {x2} {y1} {x2} {y2} {x1} {y2}\n")
    images = folder / "pictures"
    images.mkdir()
    for name in names():
        (images / name).write_bytes((folder / name).read_bytes())
    return ImageDataset.from_yolo_txt(images, folder / "labels", boxes=False, masks=True)


@pytest.mark.parametrize(
    ("transforms", "options"),
    [
        ([], {}),
        (MOVING, {}),
        *(pytest.param(MOVING, options, marks=pytest.mark.exhaustive) for options in OTHERWISE),
        ([RandomResizedCrop(), RandomFlip()], {}),
        ([RandomFlip(), CutMix()], {}),
        ([Mosaic()], {"dtype": "uint16"}),
    ],
)
def test_a_drawn_mask_is_what_a_file_of_it_would_be(
    folder: Path,
    drawn: ImageDataset,
    pool: ProducerPool,
    transforms: list[Transform],
    options: dict[str, Any],
) -> None:
    numbered = [drawn.paths.index(name) for name in names()]
    for name in names("-mask"):
        mask = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(folder / f"plain-{name}"), (mask > 0).astype(np.uint8))
    files = [f"plain-{name}" for name in names("-mask")]
    of_files = ImageDataset.from_lists(names(), masks=files, directory=folder)
    with (
        sequence_of(drawn.subset(numbered), pool, transforms, **options) as ours,
        sequence_of(of_files, pool, transforms, **options) as theirs,
    ):
        for _ in range(2):
            for (x, y), (other_x, other_y) in zip(ours, theirs, strict=True):
                assert (y.dtype, y.shape) == (other_y.dtype, other_y.shape)
                assert (x == other_x).all()
                assert (y == other_y).all()


def test_a_mask_that_was_drawn_for_another_size_is_refused(
    folder: Path, tmp_path: Path, pool: ProducerPool
) -> None:
    """Such as an image that was turned, or made smaller, since it was annotated."""
    file = {
        "images": [{"id": 1, "file_name": "0.png", "width": SIZE[0], "height": SIZE[1]}],
        "annotations": [],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(file))
    data = ImageDataset.from_coco(tmp_path / "instances.json", folder, boxes=False, masks=True)
    with (
        sequence_of(data, pool, []) as sequence,
        pytest.raises(BatchError, match=r"0.png.* 64 x 48 pixels, and its annotations are of one of 48 x 64"),
    ):
        sequence[0]


def test_more_classes_than_a_mask_can_hold_are_refused_when_it_is_declared(
    folder: Path, tmp_path: Path, pool: ProducerPool
) -> None:
    (tmp_path / "0.txt").write_text("255 0 0 1 0 1 1\n")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/0.png").write_bytes((folder / "0.png").read_bytes())
    data = ImageDataset.from_yolo_txt(tmp_path / "images", tmp_path, boxes=False, masks=True)
    with pytest.raises(ConfigurationError, match=r'up to 256, .* masks=ImageOptions\(dtype="uint16"\)'):
        sequence_of(data, pool, [])
    with sequence_of(data, pool, [], masks=ImageOptions(dtype="uint16")) as sequence:
        assert sequence[0][1].max() == 256


def test_a_sample_without_one_of_its_files_is_left_out(folder: Path) -> None:
    frame = pd.DataFrame({"filename": names(), "mask": ["gone.png", *names("-mask")[1:]]})
    with pytest.warns(UserWarning, match=r"left out 1 of 12 .* column 'mask'"):
        data = ImageDataset.from_dataframe(frame, folder, y_col="mask", class_mode="mask")
    assert len(data) == NUM_ROWS - 1
    assert data.further[0].paths == names("-mask")[1:]
    assert data.subset([2]).further[0].paths == ["3-mask.png"]
