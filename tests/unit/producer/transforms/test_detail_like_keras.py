"""Blur, noise and erasing against the Keras layers of their names, on photographs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from like_keras import PHOTOS, Array, ours, theirs

from feedline.transforms import GaussianNoise, RandomErasing, RandomGaussianBlur, Rescaling

DEEP = PHOTOS["astronaut"].astype(np.uint16) * 257


@pytest.fixture(params=PHOTOS)
def photo(request: pytest.FixtureRequest) -> Array:
    return PHOTOS[request.param]


def blurred(declaration: RandomGaussianBlur, image: Array, draws: list[float]) -> Array:
    """What the Keras layer makes of an image when it draws the same standard deviations."""
    layer = keras.layers.RandomGaussianBlur(1.0, declaration.kernel_size, 1.0, declaration.value_range)
    drawn = {
        "should_apply_blur": np.array([True]),
        "blur_factor": np.array(declaration.sigmas(draws), np.float32),
    }
    return np.asarray(layer.transform_images(image[np.newaxis].astype(np.float32), drawn))[0]


@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize("draws", [[0.0, 0.0, 0.999], [0.0, 0.7, 0.3], [0.0, 0.999, 0.999]])
def test_a_blur_is_keras_blur_up_to_the_edge(photo: Array, kernel_size: int, draws: list[float]) -> None:
    blur = RandomGaussianBlur((1.0, 1.0), kernel_size)
    expected = blurred(blur, photo, draws)
    assert np.abs(ours([blur], photo, draws) - expected).max() <= 0.51
    np.testing.assert_allclose(ours([blur], photo, draws, "float32"), expected, atol=1e-3)


def test_a_blur_clips_to_the_range_as_keras_does(photo: Array) -> None:
    blur = RandomGaussianBlur((1.0, 1.0), 5, value_range=(60, 180))
    expected = blurred(blur, photo, [0.0, 0.9, 0.9])
    assert np.abs(ours([blur], photo, [0.0, 0.9, 0.9]) - expected).max() <= 0.51


def test_a_blur_of_16_bit_pixels_is_keras_blur() -> None:
    blur = RandomGaussianBlur((1.0, 1.0), 5, value_range=(0, 65535))
    expected = blurred(blur, DEEP, [0.0, 0.9, 0.4])
    assert np.abs(ours([blur], DEEP, [0.0, 0.9, 0.4]) - expected).max() <= 0.55


@pytest.mark.parametrize("factor", [1.0, 0.3, (0.5, 0.9), (1.0, 1.0), 0.0])
def test_as_many_images_are_blurred_and_erased_as_by_keras(factor: Any) -> None:
    lower, upper = keras.layers.RandomGaussianBlur(factor).factor
    blur, erasing = RandomGaussianBlur(factor), RandomErasing(factor)
    draws = [[(index + 0.5) / 1000] for index in range(1000)]
    share = sum(blur.applies(draw) for draw in draws) / 1000
    assert share == pytest.approx((lower + upper) / 2, abs=1e-3)
    assert sum(erasing.applies(draw) for draw in draws) / 1000 == share


@pytest.mark.parametrize("sigma", [0.5, 1.0, (0.2, 0.7)])
def test_every_form_of_sigma_means_the_range_it_means_in_keras(sigma: Any) -> None:
    lower, upper = keras.layers.RandomGaussianBlur(sigma=sigma).sigma
    assert RandomGaussianBlur(sigma=sigma).sigmas([0.0, 0.0, 1.0]) == pytest.approx((lower, upper), abs=2e-6)


def test_noise_is_distributed_as_keras_noise() -> None:
    grey = np.full((400, 300, 3), 128, np.uint8)
    result = ours([Rescaling(1 / 255), GaussianNoise(0.1, (0, 1))], grey, [0.3], "float32")
    expected = theirs(keras.layers.GaussianNoise(0.1, seed=1), grey / np.float32(255))
    for quantile in (0.001, 0.02, 0.16, 0.5, 0.84, 0.98, 0.999):
        assert np.quantile(result, quantile) == pytest.approx(np.quantile(expected, quantile), abs=5e-3)


def erased(declaration: RandomErasing, image: Array, draws: list[float]) -> Array:
    """What the Keras layer makes of an image when it draws the same box."""
    layer = keras.layers.RandomErasing(1.0, fill_value=declaration.fill_value)
    batch = image[np.newaxis].astype(np.float32)
    across, down = declaration.box(draws, (image.shape[0], image.shape[1]))
    corners = [np.array([end], np.float32) for end in (*across, *down)]
    drawn = {
        "apply_erasing": np.array([True]),
        "batch_masks": layer._generate_batch_mask(batch.shape, corners),
        "fill_value": layer._get_fill_value(batch, batch.shape, None),
    }
    return np.asarray(layer.transform_images(batch, drawn))[0]


@pytest.mark.parametrize("fill_value", [17, 300.0, -4.0])
@pytest.mark.parametrize("boxes", [[0.1, 0.9, 0.4, 0.6], [0.999, 0.5, 0.0, 0.999], [0.0, 0.0, 0.3, 0.2]])
def test_erasing_is_keras_erasing(photo: Array, fill_value: float, boxes: list[float]) -> None:
    erasing = RandomErasing((1.0, 1.0), fill_value=fill_value)
    draws = [0.0, *boxes, 0.0]
    np.testing.assert_array_equal(ours([erasing], photo, draws), erased(erasing, photo, draws))


def test_erasing_with_a_colour_is_keras_erasing() -> None:
    erasing = RandomErasing((1.0, 1.0), fill_value=(10, 20, 30))
    photo, draws = PHOTOS["astronaut"], [0.0, 0.9, 0.4, 0.6, 0.2, 0.0]
    np.testing.assert_array_equal(ours([erasing], photo, draws), erased(erasing, photo, draws))


def test_the_noise_in_an_erased_box_is_distributed_as_keras_noise() -> None:
    erasing = RandomErasing((1.0, 1.0), (1.0, 1.0))
    grey = np.full((400, 300, 3), 128, np.uint8)
    result = ours([erasing], grey, [0.5] * 6)
    layer = keras.layers.RandomErasing((1.0, 1.0), (1.0, 1.0), seed=1)
    expected = theirs(layer, grey)
    for level in (0, 1, 64, 128, 192, 254):
        assert np.mean(result <= level) == pytest.approx(np.mean(np.rint(expected) <= level), abs=5e-3)
