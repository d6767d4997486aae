"""Resizing against the Keras layer of its name: images, masks and boxes."""

from __future__ import annotations

import tracemalloc
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from golden import IMAGE, Golden
from like_keras import PHOTOS, Array, assert_alike, ours

from feedline.common.declarations.filling import settled
from feedline.common.sample.companions import Companion, Role
from feedline.common.sample.image import ImageSpec
from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline as Prepared
from feedline.producer.transforms.functions import framing
from feedline.transforms import CenterCrop, RandomFlip, Resizing, Transform

GOLDEN: list[Golden] = [
    (Resizing(5, 5, "area"), [], IMAGE, "82ecf163400541ca"),
    (Resizing(4, 4, "bilinear", crop_to_aspect_ratio=True), [], IMAGE[:, 3:], "0687add463d60245"),
    (Resizing(7, 11, "nearest", pad_to_aspect_ratio=True, fill_value=9), [], IMAGE, "36cc8c7a58f74bdc"),
]

SIZES = [(100, 120), (150, 200), (512, 700), (37, 11), (301, 800), (64, 65), (1, 1)]
KEEPING: list[dict[str, Any]] = [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}]


def layer(size: tuple[int, int], **arguments: Any) -> Any:
    return keras.layers.Resizing(*size, bounding_box_format="xyxy", **arguments)


def theirs(image: Array, size: tuple[int, int], **arguments: Any) -> Array:
    return np.asarray(layer(size, **arguments)(image[np.newaxis].astype(np.float32)))[0]


def assert_close(result: Array, expected: Array) -> None:
    """Check for rounding: between pixels OpenCV weighs 8 bits by whole numbers."""
    difference = np.abs(result - expected)
    assert difference.mean() <= 0.5
    assert np.mean(difference <= 2) >= 0.99


@pytest.mark.parametrize("keeping", KEEPING, ids=lambda keeping: next(iter(keeping), "stretch"))
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "area"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PHOTOS)
def test_the_pixels_are_those_of_keras(
    name: str, size: tuple[int, int], interpolation: str, keeping: dict[str, Any]
) -> None:
    arguments = {"interpolation": interpolation, "fill_value": 50.0, **keeping}
    resized = ours([Resizing(*size, **arguments)], PHOTOS[name], [])
    expected = theirs(PHOTOS[name], size, **arguments)
    assert_close(resized, expected)
    assert interpolation != "nearest" or np.array_equal(resized, expected)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "area"])
def test_pixels_of_other_depths_are_resized_in_theirs(dtype: str, interpolation: str) -> None:
    deep = (PHOTOS["camera"].astype(np.float32) * 100 - 1000 * (dtype == "int16")).astype(dtype)
    keeping = {"interpolation": interpolation, "pad_to_aspect_ratio": True, "fill_value": 30.0}
    expected = theirs(deep, (70, 90), **keeping)
    assert_alike(ours([Resizing(70, 90, **keeping)], deep, []), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "area"])
@pytest.mark.parametrize("name", PHOTOS)
def test_what_would_be_padded_to_very_many_pixels_is_resized_first_and_looks_the_same(
    name: str, interpolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resizing = Resizing(120, 90, interpolation, pad_to_aspect_ratio=True, fill_value=50.0)
    smooth = cv2.GaussianBlur(PHOTOS[name], (0, 0), 20).reshape(PHOTOS[name].shape)
    usual = ours([resizing], smooth, [])
    monkeypatch.setattr(framing, "MOST_PADDED_PIXELS", 0)
    differs = np.abs(ours([resizing], smooth, []).astype(int) - usual).max(axis=2) > 12
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    assert min(len(rows), len(columns)) <= 6


@pytest.mark.parametrize("size", [(30_000, 2), (1, 60_000)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_strip_is_padded_without_a_canvas_of_its_length(size: tuple[int, int], channels: int) -> None:
    strip = np.full((*size, channels), 200, np.uint8)
    tracemalloc.start()
    made = ours([Resizing(224, 160, pad_to_aspect_ratio=True, fill_value=7.0)], strip, [])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 << 20
    assert set(np.unique(made)) == {7, 200}
    assert (made == 200).all(axis=2).sum() == max(made.shape[int(size[0] < size[1])], 1)


def test_it_stands_anywhere_in_a_list() -> None:
    photo = PHOTOS["astronaut"]
    transforms: list[Transform] = [RandomFlip("horizontal"), CenterCrop(200, 300), Resizing(60, 90)]
    expected = theirs(photo[50:250, ::-1][:, 50:350], (60, 90))
    assert_close(ours(transforms, photo, [0.1]), expected)
    assert_close(ours([*transforms, RandomFlip("vertical")], photo, [0.1, 0.1]), expected[::-1])


@pytest.mark.parametrize("keeping", KEEPING, ids=lambda keeping: next(iter(keeping), "stretch"))
@pytest.mark.parametrize("size", [*SIZES, (150, 120), (50, 80)])
def test_masks_are_resized_by_nearest_as_in_keras_and_what_is_added_is_no_class(
    size: tuple[int, int], keeping: dict[str, Any]
) -> None:
    # Of sides that are halved, two pixels are as near.
    classes = PHOTOS["camera"][:300, :240]
    mask = Companion("mask0", Role.MASK).image(ImageSpec(*classes.shape[:2]))
    transforms = settled([Resizing(*size, fill_value=9.0, **keeping)], mask)
    prepared = Prepared(transforms, classes.shape[:2], 1, "uint8", "uint8", Role.MASK)
    out = np.empty(prepared.output_shape, np.uint8)
    prepared.apply(classes, np.array([]), out)
    np.testing.assert_array_equal(out, theirs(classes, size, interpolation="nearest", **keeping))


@pytest.mark.parametrize("keeping", KEEPING, ids=lambda keeping: next(iter(keeping), "stretch"))
@pytest.mark.parametrize("size", [(100, 120), (150, 200), (512, 700)])
def test_boxes_go_where_those_of_keras_go(size: tuple[int, int], keeping: dict[str, Any]) -> None:
    photo = PHOTOS["astronaut"]
    boxes = np.array([[110, 120, 210, 190, 3], [150, 100, 290, 290, 1], [0, 0, 400, 301, 2]], np.float32)
    prepared = Prepared([Resizing(*size, **keeping)], photo.shape[:2], 3, "uint8", "uint8")
    given = {"boxes": boxes[np.newaxis, :, :4].copy(), "labels": boxes[np.newaxis, :, 4].copy()}
    moved = layer(size, **keeping)({"images": photo[np.newaxis].astype(np.float32), "bounding_boxes": given})
    # Keras cuts off and adds whole pixels of the image, and moves boxes by whole pixels of the result.
    np.testing.assert_allclose(
        prepared.move(boxes, np.array([]), photo.shape[:2])[:, :4],
        np.asarray(moved["bounding_boxes"]["boxes"])[0],
        atol=1.0 + size[1] / photo.shape[1],
    )


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"exclude each other"):
        Resizing(3, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)
    with pytest.raises(ConfigurationError, match=r"pad_to_aspect_ratio must be True or False.*1"):
        Resizing(3, 4, pad_to_aspect_ratio=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"interpolation of Resizing.*'bicubic'"):
        Resizing(3, 4, "bicubic")
    with pytest.raises(ConfigurationError, match=r"fill_mode of Resizing.*'wrap'"):
        Resizing(3, 4, fill_mode="wrap")
