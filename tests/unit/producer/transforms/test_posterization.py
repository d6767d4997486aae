"""RandomPosterization against the Keras layer of its name, and against bits."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from like_keras import PHOTOS, Array, ours

from feedline import from_keras_layers
from feedline.errors import ConfigurationError
from feedline.transforms import RandomPosterization, Rescaling

GOLDEN: list[Golden] = [(RandomPosterization((1, 5)), [0.3], SMALL, "538f1bb1c09bd4f1")]

DEEP = PHOTOS["astronaut"].astype(np.uint16) * 257 + 100


def theirs_of_bits(bits: int, image: Array, value_range: tuple[float, float] = (0, 255)) -> Array:
    """What the Keras layer makes of an image when it draws so many bits."""
    layer = keras.layers.RandomPosterization(8, value_range)
    drawn = {"shift_factor": np.array([8 - bits], np.uint8)}
    return np.asarray(layer.transform_images(image[np.newaxis].astype(np.float32), drawn))[0]


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("bits", range(1, 9))
def test_the_bits_that_are_kept_are_those_that_keras_keeps(name: str, bits: int) -> None:
    photo, transform = PHOTOS[name], RandomPosterization(bits)
    np.testing.assert_array_equal(ours([transform], photo, [0.5]), theirs_of_bits(bits, photo))
    np.testing.assert_array_equal(ours([transform], photo, [0.5], "float32"), theirs_of_bits(bits, photo))
    np.testing.assert_array_equal(ours([transform], photo, [0.5]), photo >> (8 - bits) << (8 - bits))


def test_pixels_of_16_bits_come_to_levels_of_8_as_in_keras() -> None:
    posterized = ours([RandomPosterization(3, (0, 65535))], DEEP, [0.5])
    np.testing.assert_array_equal(posterized, (DEEP // 257 >> 5 << 5) * 257)
    assert np.mean(np.abs(posterized - theirs_of_bits(3, DEEP, (0, 65535))) < 1) > 0.99


def test_floats_of_another_range_keep_the_same_bits() -> None:
    photo = PHOTOS["astronaut"]
    unit = ours([Rescaling(1 / 255), RandomPosterization(3, (0, 1))], photo, [0.5], "float32")
    np.testing.assert_allclose(unit, (photo >> 5 << 5) / 255, atol=1e-6)
    np.testing.assert_allclose(unit, theirs_of_bits(3, photo / np.float32(255), (0, 1)), atol=1e-6)


def test_values_beyond_the_range_come_to_its_ends() -> None:
    image = np.array([[[0], [99], [200], [255]]], np.uint8)
    assert ours([RandomPosterization(8, (100, 200))], image, [0.5]).ravel().tolist() == [100, 100, 200, 200]


def test_every_number_of_bits_of_a_pair_is_drawn_alike() -> None:
    draws = [[(index + 0.5) / 400] for index in range(400)]
    counts = np.bincount([RandomPosterization((5, 2)).bits(draw) for draw in draws])
    assert counts.tolist() == [0, 0, 100, 100, 100, 100]
    assert {RandomPosterization(3).bits(draw) for draw in draws} == {3}


@pytest.mark.parametrize("factor", [1, 2, 5, 8, (3, 3), (3, 4), (2, 7)])
def test_a_layer_becomes_what_draws_the_bits_that_it_draws(factor: Any) -> None:
    layer = keras.layers.RandomPosterization(factor, seed=1)
    drawn = 8 - np.asarray(layer.get_random_transformation(np.zeros((500, 1, 1, 3)))["shift_factor"])
    (declared,) = from_keras_layers([layer])
    assert isinstance(declared, RandomPosterization)
    assert {declared.bits([draw]) for draw in np.linspace(0, 0.999, 50)} == {*drawn.tolist()}


@pytest.mark.parametrize("factor", [0, 9, 2.5, (1, 9), (1.5, 3), (1, 2, 3), None, "3", True])
def test_what_is_no_number_of_bits_is_refused_and_quoted(factor: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"factor of RandomPosterization must be"):
        RandomPosterization(factor)
