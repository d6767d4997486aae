"""RandomColorDegeneration against the Keras layer of its name, and against its formula."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from like_keras import PHOTOS, assert_alike, ours, point, theirs

from feedline import from_keras_layers
from feedline.errors import ConfigurationError
from feedline.transforms import RandomColorDegeneration, RandomGrayscale, Rescaling

GOLDEN: list[Golden] = [(RandomColorDegeneration(1.0), [0.7123], SMALL, "585b60f070969e47")]

PHOTO = PHOTOS["astronaut"]


@pytest.mark.parametrize("factor", [-1.0, -0.43, 0.0, 0.31, 0.7123, 1.0])
def test_pixels_are_those_of_keras(factor: float) -> None:
    transform, layer = (
        RandomColorDegeneration(point(factor)),
        keras.layers.RandomColorDegeneration(point(factor)),
    )
    expected = theirs(layer, PHOTO)
    assert_alike(ours([transform], PHOTO, [0.5]), expected)
    np.testing.assert_allclose(ours([transform], PHOTO, [0.5], "float32"), expected, atol=1e-3)


def test_floats_and_deep_pixels_of_another_range_are_treated_alike() -> None:
    unit = ours([Rescaling(1 / 255), RandomColorDegeneration(point(-0.6), (0, 1))], PHOTO, [0.5], "float32")
    layer = keras.layers.RandomColorDegeneration(point(-0.6), (0, 1))
    np.testing.assert_allclose(unit, theirs(layer, PHOTO / np.float32(255)), atol=1e-5)
    deep = PHOTO.astype(np.uint16) * 16
    layer = keras.layers.RandomColorDegeneration(point(-0.6), (0, 4095))
    assert_alike(ours([RandomColorDegeneration(point(-0.6), (0, 4095))], deep, [0.5]), theirs(layer, deep))


def test_all_the_way_is_grey_and_alpha_stays() -> None:
    photo = PHOTOS["coffee with alpha"]
    grey = ours([RandomColorDegeneration(point(1.0))], photo, [0.5])
    assert np.abs(grey.astype(int) - ours([RandomGrayscale(1.0)], photo, [0.5])).max() <= 1
    assert np.ptp(grey[:, :, :3], axis=2).max() == 0
    half = ours([RandomColorDegeneration(point(0.5))], photo, [0.5])
    np.testing.assert_array_equal(half[:, :, 3], photo[:, :, 3])


def test_a_number_is_the_upper_end_of_what_is_drawn() -> None:
    assert [RandomColorDegeneration(0.4).share([draw]) for draw in (0.0, 0.5)] == [0.0, 0.2]


@pytest.mark.parametrize("factor", [0.4, (0.2, 0.6), (-0.5, 0.5)])
def test_a_layer_becomes_what_draws_the_numbers_that_it_draws(factor: Any) -> None:
    layer = keras.layers.RandomColorDegeneration(factor, seed=1)
    drawn = np.asarray(layer.get_random_transformation(np.zeros((2000, 1, 1, 3)))["factor"])
    (declared,) = from_keras_layers([layer])
    assert isinstance(declared, RandomColorDegeneration)
    ends = declared.share([0.0]), declared.share([1.0])
    np.testing.assert_allclose(ends, [drawn.min(), drawn.max()], atol=0.01)


def test_grey_images_and_what_is_no_factor_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="RandomColorDegeneration changes colours"):
        ours([RandomColorDegeneration(0.5)], PHOTOS["camera"], [0.5])
    with pytest.raises(ConfigurationError, match=r"factor of RandomColorDegeneration must be .* got 1.5"):
        RandomColorDegeneration(1.5)
