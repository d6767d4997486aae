"""RandomInvert against the Keras layer of its name, and against its formula."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from like_keras import PHOTOS, ours, point, theirs

from feedline import from_keras_layers
from feedline.errors import ConfigurationError
from feedline.transforms import RandomInvert, Rescaling

GOLDEN: list[Golden] = [(RandomInvert(), [0.3], SMALL, "77e33b63aaa38854")]


@pytest.mark.parametrize("name", PHOTOS)
def test_pixels_are_those_of_keras(name: str) -> None:
    photo = PHOTOS[name]
    expected = theirs(keras.layers.RandomInvert(point(1.0)), photo)
    np.testing.assert_array_equal(ours([RandomInvert()], photo, [0.2]), expected)
    np.testing.assert_array_equal(ours([RandomInvert()], photo, [0.2], "float32"), expected)
    np.testing.assert_array_equal(ours([RandomInvert()], photo, [0.7]), photo)


def test_floats_of_another_range_are_treated_alike() -> None:
    photo = PHOTOS["astronaut"]
    unit = ours([Rescaling(1 / 255), RandomInvert(value_range=(0, 1))], photo, [0.2], "float32")
    expected = theirs(keras.layers.RandomInvert(point(1.0), (0, 1)), photo / np.float32(255))
    np.testing.assert_allclose(unit, expected, atol=1e-6)


@pytest.mark.parametrize(("dtype", "value_range"), [("uint16", (0, 65535)), ("int16", (-1024, 3071))])
def test_the_ends_of_any_range_change_places(dtype: str, value_range: tuple[int, int]) -> None:
    lowest, highest = value_range
    deep = np.array([[[lowest], [lowest + 1], [highest - 9], [highest]]], dtype)
    inverted = ours([RandomInvert(value_range=value_range)], deep, [0.2])
    assert inverted.ravel().tolist() == [highest, highest - 1, lowest + 9, lowest]


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, (0.2, 0.6), (1.0, 1.0)])
def test_a_layer_becomes_what_inverts_the_share_that_it_inverts(factor: Any) -> None:
    layer = keras.layers.RandomInvert(factor, seed=1)
    share = np.mean(layer.get_random_transformation(np.zeros((5000, 1, 1, 3)))["apply_inversion"])
    (declared,) = from_keras_layers([layer])
    assert isinstance(declared, RandomInvert)
    assert np.mean([declared.applies([draw]) for draw in np.linspace(0, 0.999, 1000)]) == pytest.approx(
        float(share), abs=0.03
    )


def test_a_layer_of_a_range_that_does_not_begin_at_0_is_refused_with_what_to_declare() -> None:
    with pytest.raises(
        ConfigurationError, match=r"\(-1, 1\) cannot be .* RandomInvert\(\(0, 1.0\), \(-1, 1\)\)"
    ):
        from_keras_layers([keras.layers.RandomInvert(1.0, value_range=(-1, 1))])


@pytest.mark.parametrize("factor", [-0.1, 1.1, (0, 2), None, "1"])
def test_what_is_no_probability_is_refused_and_quoted(factor: Any) -> None:
    with pytest.raises(ConfigurationError, match="factor of RandomInvert must be"):
        RandomInvert(factor)
