"""Each transform against the Keras layer it is named for, on photographs, with the same parameters."""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
import pytest
from like_keras import PHOTOS, Array, assert_alike, ours, point, theirs

from feedline.producer.transforms.registry import MAPPINGS
from feedline.transforms import (
    CenterCrop,
    Normalization,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Transform,
)

FILLS = ("constant", "nearest", "reflect", "wrap")


@pytest.fixture(params=PHOTOS)
def photo(request: pytest.FixtureRequest) -> Array:
    return PHOTOS[request.param]


def off_the_seam(transform: Transform, draws: list[float], image: Array) -> Array:
    """Where no neighbour lies across a seam of ``wrap``: there Keras repeats the edge, and we blend."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    size = (height, width)
    looked_up = np.tensordot(
        MAPPINGS[type(transform)](transform, np.array(draws), size), [x, y, np.ones_like(x)], 1
    )
    inside = (looked_up[0] % width < width - 1) & (looked_up[1] % height < height - 1)
    return np.asarray(inside & (np.abs(looked_up[0]) < 2 * width) & (np.abs(looked_up[1]) < 2 * height))


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
@pytest.mark.parametrize("draw", [0.2, 0.7])
def test_a_flip_is_keras_flip(photo: Array, mode: str, draw: float) -> None:
    flip = RandomFlip(mode)
    batch = photo[np.newaxis].astype(np.float32)
    drawn = {"flips": np.full((1, 1, 1, 1), flip.flips([draw])), "input_shape": batch.shape}
    expected = np.asarray(keras.layers.RandomFlip(mode).transform_images(batch, drawn))[0]
    np.testing.assert_array_equal(ours([flip], photo, [draw]), expected)


@pytest.mark.parametrize("fill_mode", FILLS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("draw", [0.0, 0.3, 0.95])
def test_a_rotation_is_keras_rotation(photo: Array, fill_mode: str, interpolation: str, draw: float) -> None:
    rotation = RandomRotation((-0.2, 0.3), fill_mode, interpolation, fill_value=100.0)
    angle = point(rotation.angle([draw]) / 360)
    layer = keras.layers.RandomRotation(angle, fill_mode, interpolation, fill_value=100.0)
    where = off_the_seam(rotation, [draw], photo) if fill_mode == "wrap" else None
    assert_alike(ours([rotation], photo, [draw]), theirs(layer, photo), where)


@pytest.mark.parametrize("fill_mode", FILLS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("draws", [[0.0, 0.1], [0.9, 0.6]])
def test_a_translation_is_keras_translation(
    photo: Array, fill_mode: str, interpolation: str, draws: list[float]
) -> None:
    translation = RandomTranslation(0.4, (-0.3, 0.2), fill_mode, interpolation, fill_value=100.0)
    down, right = translation.shift(draws)
    layer = keras.layers.RandomTranslation(
        point(down), point(right), fill_mode, interpolation, fill_value=100.0
    )
    where = off_the_seam(translation, draws, photo) if fill_mode == "wrap" else None
    assert_alike(ours([translation], photo, draws), theirs(layer, photo), where)


@pytest.mark.parametrize("fill_mode", FILLS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("draws", [[0.1, 0.3], [0.9, 0.8]])
def test_a_zoom_is_keras_zoom(photo: Array, fill_mode: str, interpolation: str, draws: list[float]) -> None:
    zoom = RandomZoom(0.4, (-0.3, 0.4), fill_mode, interpolation, fill_value=100.0)
    height, width = zoom.zoom(draws)
    layer = keras.layers.RandomZoom(
        point(height - 1), point(width - 1), fill_mode, interpolation, fill_value=100.0
    )
    where = off_the_seam(zoom, draws, photo) if fill_mode == "wrap" else None
    assert_alike(ours([zoom], photo, draws), theirs(layer, photo), where)


def test_a_zoom_of_both_sides_alike_is_keras_zoom(photo: Array) -> None:
    zoom = RandomZoom((-0.3, 0.3))
    layer = keras.layers.RandomZoom(point(zoom.zoom([0.8])[0] - 1))
    assert_alike(ours([zoom], photo, [0.8]), theirs(layer, photo))


@pytest.mark.parametrize("fill_mode", FILLS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("draws", [[0.1, 0.31, 0.93], [0.9, 0.83, 0.47]])
def test_a_shear_is_keras_shear(photo: Array, fill_mode: str, interpolation: str, draws: list[float]) -> None:
    shear = RandomShear((0.1, 0.4), 0.3, interpolation, fill_mode, fill_value=100.0)
    layer = keras.layers.RandomShear((0.1, 0.4), 0.3, interpolation, fill_mode, fill_value=100.0)
    batch = photo[np.newaxis].astype(np.float32)
    drawn = {"shear_factor": np.array([shear.shear(draws)], np.float32), "input_shape": batch.shape}
    expected = np.asarray(layer.transform_images(batch, drawn))[0]
    where = off_the_seam(shear, draws, photo) if fill_mode == "wrap" else None
    assert_alike(ours([shear], photo, draws), expected, where)


@pytest.mark.parametrize("draws", [[0.0, 0.0], [0.99, 0.99], [0.3, 0.7]])
def test_a_crop_is_keras_crop(photo: Array, draws: list[float]) -> None:
    crop = RandomCrop(97, 120)
    layer = keras.layers.RandomCrop(97, 120)
    corner = crop.corner(draws, (photo.shape[0], photo.shape[1]))
    expected = np.asarray(layer.transform_images(photo[np.newaxis].astype(np.float32), corner))[0]
    np.testing.assert_array_equal(ours([crop], photo, draws), expected)


@pytest.mark.parametrize("size", [(97, 120), (98, 121), (1, 1), (200, 211)])
def test_the_centre_is_keras_centre(photo: Array, size: tuple[int, int]) -> None:
    np.testing.assert_array_equal(
        ours([CenterCrop(*size)], photo, []), theirs(keras.layers.CenterCrop(*size), photo)
    )


@pytest.mark.parametrize("draw", [0.0, 0.1, 0.5, 0.8, 0.999])
@pytest.mark.parametrize("value_range", [(0, 255), (60, 200)])
def test_brightness_is_keras_brightness(photo: Array, draw: float, value_range: tuple[int, int]) -> None:
    brightness = RandomBrightness((-0.6, 0.7), value_range)
    factor = point(brightness.delta([draw]) / (value_range[1] - value_range[0]))
    expected = theirs(keras.layers.RandomBrightness(factor, value_range), photo)
    assert np.abs(ours([brightness], photo, [draw]) - expected).max() <= 0.51
    np.testing.assert_allclose(ours([brightness], photo, [draw], "float32"), expected, atol=1e-3)


@pytest.mark.parametrize("draw", [0.0, 0.4, 0.9])
def test_contrast_is_keras_contrast(photo: Array, draw: float) -> None:
    contrast = RandomContrast(0.8)
    drawn = {"contrast_factor": np.full((1, 1, 1, 1), contrast.stretch([draw]), np.float32)}
    batch = photo[np.newaxis].astype(np.float32)
    expected = np.asarray(keras.layers.RandomContrast(0.8).transform_images(batch, drawn))[0]
    assert np.abs(ours([contrast], photo, [draw]) - expected).max() <= 0.51
    np.testing.assert_allclose(ours([contrast], photo, [draw], "float32"), expected, atol=1e-2)


def test_rescaling_is_keras_rescaling(photo: Array) -> None:
    expected = theirs(keras.layers.Rescaling(1 / 127.5, -1), photo)
    np.testing.assert_allclose(ours([Rescaling(1 / 127.5, -1)], photo, [], "float32"), expected, atol=1e-6)


@pytest.mark.parametrize("each", [False, True])
def test_normalization_is_keras_normalization(photo: Array, each: bool) -> None:
    channels = photo.shape[2]
    mean: Any = [123.675, 116.28, 103.53, 128.0][:channels] if each else 127.5
    variance: Any = [3409.976, 3262.694, 3291.891, 0.0][:channels] if each else 2000.0
    expected = theirs(keras.layers.Normalization(mean=mean, variance=variance), photo)
    result = ours([Normalization(mean, variance)], photo, [], "float32")
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=2e-5)


def test_16_bit_pixels_are_treated_as_keras_treats_them(photo: Array) -> None:
    deep = photo.astype(np.uint16) * 257
    zoom, brightness = RandomZoom((-0.4, -0.4)), RandomBrightness((0.3, 0.3), (0, 65535))
    expected = theirs(keras.layers.RandomBrightness(point(0.3), (0, 65535)), deep)
    assert np.abs(ours([brightness], deep, [0.5]) - expected).max() <= 0.51
    # Positions are rounded, too: to a 256th of the largest step between two pixels.
    difference = ours([zoom], deep, [0.5]) - theirs(keras.layers.RandomZoom(point(-0.4)), deep)
    assert np.abs(difference).mean() <= 0.5


def test_neighbours_in_one_look_up_are_keras_layers_one_after_another(photo: Array) -> None:
    # Smooth, because Keras interpolates once a layer; away from edges, which it fills once a layer.
    smooth = cv2.GaussianBlur(photo, (0, 0), 4).reshape(photo.shape)
    transforms = [RandomFlip("horizontal"), RandomRotation(0.1), RandomTranslation(0.1, 0.1), RandomZoom(0.2)]
    draws = [0.1, 0.8, 0.7, 0.2, 0.1]
    result = ours(transforms, smooth, draws)
    expected = smooth[:, ::-1]
    for layer in (
        keras.layers.RandomRotation(point(0.06)),
        keras.layers.RandomTranslation(point(0.04), point(-0.06)),
        keras.layers.RandomZoom(point(-0.16)),
    ):
        expected = theirs(layer, expected)
    height, width = photo.shape[0] // 4, photo.shape[1] // 4
    inner = np.s_[height:-height, width:-width]
    assert_alike_after_several(result[inner], expected[inner])


def assert_alike_after_several(result: Array, expected: Array) -> None:
    difference = np.abs(result - expected)
    assert difference.mean() <= 0.5
    assert np.mean(difference <= 2) >= 0.99


@pytest.mark.parametrize("factor", [0.2, -0.2, 0, 1.0, (0.1, 0.3), (0.3, -0.1), [-0.5, 0.5]])
def test_every_form_of_a_factor_means_the_range_it_means_in_keras(factor: Any) -> None:
    ends = np.nextafter(1.0, 0.0)
    rotation, brightness = RandomRotation(factor), RandomBrightness(factor)
    translation, zoom = RandomTranslation(factor, factor), RandomZoom(factor, factor)
    lower, upper = keras.layers.RandomRotation(factor).factor
    assert (rotation.angle([0.0]), rotation.angle([ends])) == pytest.approx((360 * lower, 360 * upper))
    lower, upper = keras.layers.RandomBrightness(factor).factor
    assert (brightness.delta([0.0]), brightness.delta([ends])) == pytest.approx((255 * lower, 255 * upper))
    layer = keras.layers.RandomTranslation(factor, factor)
    assert translation.shift([0.0, ends]) == pytest.approx((layer.height_lower, layer.width_upper))
    layer = keras.layers.RandomZoom(factor, factor)
    assert zoom.zoom([0.0, ends]) == pytest.approx((1 + layer.height_lower, 1 + layer.width_upper))


@pytest.mark.parametrize("value", [1.1, -1.1, (0.1,), "0.1"])
@pytest.mark.parametrize("name", ["RandomRotation", "RandomBrightness", "RandomContrast"])
def test_what_keras_refuses_is_refused(name: str, value: Any) -> None:
    declaration = {"RandomRotation": RandomRotation, "RandomBrightness": RandomBrightness}.get(
        name, RandomContrast
    )
    with pytest.raises((ValueError, TypeError)):
        getattr(keras.layers, name)(value)
    with pytest.raises(ValueError, match="must be"):
        declaration(value)
