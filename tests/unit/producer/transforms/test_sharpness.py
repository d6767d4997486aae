"""RandomSharpness against the Keras layer of its name, and against PIL, whose formula it is."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from like_keras import PHOTOS, assert_alike, ours, point, theirs
from PIL import Image, ImageEnhance

from feedline import from_keras_layers
from feedline.errors import ConfigurationError
from feedline.transforms import RandomSharpness, Rescaling

GOLDEN: list[Golden] = [(RandomSharpness(1.0), [0.7123], SMALL, "f78bc8d692103a72")]


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("factor", [0.0, 0.2, 0.5, 0.7123, 1.0])
def test_pixels_are_those_of_keras(name: str, factor: float) -> None:
    transform, photo = RandomSharpness(point(factor)), PHOTOS[name]
    expected = theirs(keras.layers.RandomSharpness(point(factor)), photo)
    assert_alike(ours([transform], photo, [0.5]), expected)
    np.testing.assert_allclose(ours([transform], photo, [0.5], "float32"), expected, atol=1e-3)


@pytest.mark.parametrize("factor", [0.0, 0.3, 0.9])
def test_within_the_edges_it_is_that_of_pil(factor: float) -> None:
    photo = PHOTOS["astronaut"]
    expected = np.asarray(ImageEnhance.Sharpness(Image.fromarray(photo)).enhance(2 * factor))
    difference = ours([RandomSharpness(point(factor))], photo, [0.5]).astype(int) - expected
    assert np.abs(difference[1:-1, 1:-1]).max() <= 1


@pytest.mark.parametrize(("dtype", "value_range"), [("uint16", (0, 65535)), ("int16", (-1024, 3071))])
def test_deep_pixels_keep_their_depth(dtype: str, value_range: tuple[int, int]) -> None:
    deep = (PHOTOS["camera"].astype(np.int64) * 16 + value_range[0]).astype(dtype)
    expected = theirs(keras.layers.RandomSharpness(point(0.9), value_range), deep)
    assert_alike(ours([RandomSharpness(point(0.9), value_range)], deep, [0.5]), expected)


def test_floats_of_another_range_are_treated_alike() -> None:
    photo = PHOTOS["astronaut"]
    unit = ours([Rescaling(1 / 255), RandomSharpness(point(1.0), (0, 1))], photo, [0.5], "float32")
    layer = keras.layers.RandomSharpness(point(1.0), (0, 1))
    np.testing.assert_allclose(unit, theirs(layer, photo / np.float32(255)), atol=1e-5)


def test_a_number_is_the_upper_end_of_what_is_drawn() -> None:
    assert [RandomSharpness(0.5).smoothness([draw]) for draw in (0.0, 0.5, 1.0)] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("factor", [0.4, (0.2, 0.6)])
def test_a_layer_becomes_what_draws_the_numbers_that_it_draws(factor: Any) -> None:
    layer = keras.layers.RandomSharpness(factor, seed=1)
    drawn = np.asarray(layer.get_random_transformation(np.zeros((2000, 1, 1, 3)))["factor"])
    (declared,) = from_keras_layers([layer])
    assert isinstance(declared, RandomSharpness)
    ends = [declared.smoothness([draw]) for draw in (0.0, 1.0)]
    np.testing.assert_allclose(ends, [1 - 2 * drawn.min(), 1 - 2 * drawn.max()], atol=0.01)


@pytest.mark.parametrize("factor", [-0.1, 1.1, (0, 2), None, "1"])
def test_what_is_no_factor_is_refused_and_quoted(factor: Any) -> None:
    with pytest.raises(ConfigurationError, match="factor of RandomSharpness must be"):
        RandomSharpness(factor)
