"""Solarization against the Keras layer of its name, and against its formula."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from like_keras import PHOTOS, Array, assert_alike, ours, point

from feedline import from_keras_layers
from feedline.errors import ConfigurationError
from feedline.transforms import Rescaling, Solarization

GOLDEN: list[Golden] = [(Solarization((0.0, 0.3), (0.0, 0.8)), [0.7123, 0.4123], SMALL, "761257a90e029167")]

CASES = [(0.0, 0.0), (0.0, 0.47), (0.3137, 0.0), (0.2, 0.7), (0.5, 0.999), (1.0, 0.5)]
"""(addition, threshold), as fractions of the range."""


def theirs_of(
    addition: float, threshold: float, image: Array, value_range: tuple[float, float] = (0, 255)
) -> Array:
    """What the Keras layer makes of an image when it draws these fractions."""
    layer = keras.layers.Solarization(value_range=value_range)
    drawn = {"additions": np.float32(addition * 255), "thresholds": np.float32(threshold * 255)}
    return np.asarray(layer.transform_images(image[np.newaxis].astype(np.float32), drawn))[0]


def fixed(addition: float, threshold: float, value_range: tuple[float, float] = (0, 255)) -> Solarization:
    return Solarization(point(addition), point(threshold), value_range)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("case", CASES)
def test_pixels_are_those_of_keras(name: str, case: tuple[float, float]) -> None:
    photo, transform = PHOTOS[name], fixed(*case)
    expected = theirs_of(*case, photo)
    assert_alike(ours([transform], photo, [0.5, 0.5]), expected)
    np.testing.assert_allclose(ours([transform], photo, [0.5, 0.5], "float32"), expected, atol=1e-4)


def test_a_value_at_the_threshold_is_inverted_and_one_below_is_not() -> None:
    image = np.array([[[0], [99], [100], [101], [255]]], np.uint8)
    solarized = ours([fixed(0.0, 100 / 255)], image, [0.5, 0.5])
    assert solarized.ravel().tolist() == [0, 99, 155, 154, 0]


@pytest.mark.parametrize(("dtype", "value_range"), [("uint16", (0, 65535)), ("int16", (-1024, 3071))])
def test_deep_pixels_keep_their_depth_in_their_range(dtype: str, value_range: tuple[float, float]) -> None:
    lowest, highest = value_range
    deep = np.linspace(lowest, highest, 60, dtype=dtype).reshape(6, 10, 1)
    solarized = ours([fixed(0.0, 0.5, value_range)], deep, [0.5, 0.5])
    middle = (lowest + highest) / 2
    np.testing.assert_array_equal(
        solarized, np.where(deep < middle, deep, lowest + highest - deep.astype(int))
    )
    assert_alike(solarized, theirs_of(0.0, 0.5, deep, value_range))


def test_floats_of_another_range_are_treated_alike() -> None:
    photo = PHOTOS["astronaut"]
    unit = ours([Rescaling(1 / 255), fixed(0.2, 0.7, (0, 1))], photo, [0.5, 0.5], "float32")
    np.testing.assert_allclose(unit, theirs_of(0.2, 0.7, photo / np.float32(255), (0, 1)), atol=1e-5)


def test_a_number_is_the_upper_end_of_what_is_drawn() -> None:
    transform = Solarization(0.4, 0.8)
    assert (transform.addition([0.0, 0.5]), transform.addition([0.5, 0.0])) == (0.0, pytest.approx(51.0))
    assert (transform.threshold([0.5, 0.0]), transform.threshold([0.0, 0.5])) == (0.0, pytest.approx(102.0))
    assert Solarization(threshold_factor=0.5, value_range=(-1, 1)).threshold([0.0, 0.0]) == -1.0


@pytest.mark.parametrize("factor", [0.0, 0.5, 1, (0.2, 0.4), (0.3, 0.3)])
def test_a_layer_becomes_what_draws_the_numbers_that_it_draws(factor: Any) -> None:
    layer = keras.layers.Solarization(factor, factor, seed=1)
    drawn = layer.get_random_transformation(np.zeros((2000, 1, 1, 3)))
    (declared,) = from_keras_layers([layer])
    assert isinstance(declared, Solarization)
    for draw, end in [(0.0, np.min), (1.0, np.max)]:
        assert declared.addition([draw, draw]) == pytest.approx(end(np.asarray(drawn["additions"])), abs=0.5)
        assert declared.threshold([draw, draw]) == pytest.approx(
            end(np.asarray(drawn["thresholds"])), abs=0.5
        )


@pytest.mark.parametrize("argument", ["addition_factor", "threshold_factor"])
@pytest.mark.parametrize("value", [-0.1, 1.1, (0, 2), None, "1", (0.1, 0.2, 0.3)])
def test_what_is_no_fraction_is_refused_and_quoted(argument: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{argument} of Solarization must be"):
        Solarization(**{argument: value})
