"""Saturation, hue, grayscale and jitter against the Keras layers of their names, on photographs.

The layers get the parameters that our draws mean. RandomSaturation gets values of 0..1 and
``value_range=(0, 1)``: with another range Keras 3.15 lets saturation grow beyond 1, and values below 0.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from like_keras import PHOTOS, Array, assert_alike, ours, point, theirs

from feedline.transforms import (
    RandomColorJitter,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
    Rescaling,
    Transform,
)

COLORED = {"astronaut": PHOTOS["astronaut"], "coffee with alpha": PHOTOS["coffee with alpha"]}
NOISE = np.random.default_rng(3).integers(0, 256, (61, 67, 3), np.uint8)


@pytest.fixture(params=[*COLORED, "noise"])
def photo(request: pytest.FixtureRequest) -> Array:
    return COLORED.get(request.param, NOISE)


def assert_rounded(result: Array, expected: Array, photo: Array) -> None:
    """Check that rounding is all that is between them, and that alpha stayed."""
    assert np.abs(result[..., :3] - expected).max() <= 0.51
    np.testing.assert_array_equal(result[..., 3:], photo[..., 3:])


def with_factor(layer: Any, image: Array, factor: float) -> Array:
    """Apply a layer of RandomSaturation or RandomHue with the factor that it would draw."""
    drawn = {"factor": np.array([factor], np.float32)}
    return np.asarray(layer.transform_images(image[np.newaxis].astype(np.float32), drawn))[0]


def saturated(image: Array, times: float) -> Array:
    layer = keras.layers.RandomSaturation(1.0, value_range=(0, 1))
    return 255 * with_factor(layer, image.astype(np.float32) / 255, times)


@pytest.mark.parametrize("draw", [0.0, 0.25, 0.5, 0.7, 0.999])
def test_saturation_is_keras_saturation(photo: Array, draw: float) -> None:
    saturation = RandomSaturation(1.0)
    expected = saturated(photo[..., :3], saturation.times([draw]))
    assert_rounded(ours([saturation], photo, [draw]), expected, photo)
    floats = ours([saturation], photo, [draw], "float32")
    np.testing.assert_allclose(floats[..., :3], expected, atol=1e-2)


@pytest.mark.parametrize("draws", [[0.2, 0.0], [0.2, 0.3], [0.7, 0.3], [0.2, 0.999], [0.7, 0.999]])
def test_hue_is_keras_hue(photo: Array, draws: list[float]) -> None:
    hue = RandomHue(1.0)
    expected = with_factor(keras.layers.RandomHue(1.0), photo[..., :3], hue.turn(draws))
    assert_rounded(ours([hue], photo, draws), expected, photo)
    floats = ours([hue], photo, draws, "float32")
    np.testing.assert_allclose(floats[..., :3], expected, atol=1e-2)


@pytest.mark.parametrize("value_range", [(0, 1), (-1, 1)])
def test_colours_of_floats_in_any_range_are_keras_colours(value_range: tuple[int, int]) -> None:
    lowest, highest = value_range
    rescaling = Rescaling((highest - lowest) / 255, lowest)
    scaled = NOISE.astype(np.float32) * rescaling.scale + lowest
    hue = RandomHue(1.0, value_range)
    expected = with_factor(keras.layers.RandomHue(1.0, value_range), scaled, hue.turn([0.7, 0.6]))
    result = ours([rescaling, hue], NOISE, [0.7, 0.6], "float32")
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_16_bit_colours_are_keras_colours() -> None:
    deep = NOISE.astype(np.uint16) * 257
    wide = (0, 65535)
    expected = with_factor(keras.layers.RandomHue(1.0, wide), deep, RandomHue(1.0).turn([0.7, 0.6]))
    assert np.abs(ours([RandomHue(1.0, wide)], deep, [0.7, 0.6]) - expected).max() <= 1.0
    expected = 257 * saturated(NOISE, RandomSaturation(1.0).times([0.7]))
    assert np.abs(ours([RandomSaturation(1.0, wide)], deep, [0.7]) - expected).max() <= 1.0


def test_grayscale_is_keras_grayscale(photo: Array) -> None:
    expected = theirs(keras.layers.RandomGrayscale(1.0), photo[..., :3])
    result = ours([RandomGrayscale(1.0)], photo, [0.5])
    assert_alike(result[..., :3], expected)
    np.testing.assert_array_equal(result[..., 3:], photo[..., 3:])
    floats = ours([RandomGrayscale(1.0)], photo, [0.5], "float32")
    np.testing.assert_allclose(floats[..., :3], expected, atol=1e-3)


def test_an_image_of_one_channel_is_grey_already_as_for_keras() -> None:
    camera = PHOTOS["camera"]
    np.testing.assert_array_equal(theirs(keras.layers.RandomGrayscale(1.0), camera), camera)
    np.testing.assert_array_equal(ours([RandomGrayscale(1.0)], camera, [0.5]), camera)


JITTER = RandomColorJitter((0, 255), 0.4, 0.8, (0.1, 0.6), 0.7)


@pytest.mark.parametrize("draws", [[0.9, 0.8, 0.2, 0.7, 0.4], [0.3, 0.1, 0.9, 0.2, 0.9]])
def test_jitter_is_keras_layers_one_after_another_and_rounds_once(photo: Array, draws: list[float]) -> None:
    brightness, contrast, saturation, hue = JITTER.parts
    delta = brightness.delta(draws[:1]) / 255  # type: ignore[attr-defined]
    expected = theirs(keras.layers.RandomBrightness(point(delta)), photo[..., :3])
    stretch = {"contrast_factor": np.full((1, 1, 1, 1), contrast.stretch(draws[1:2]), np.float32)}  # type: ignore[attr-defined]
    expected = np.asarray(keras.layers.RandomContrast(0.8).transform_images(expected[np.newaxis], stretch))[0]
    expected = saturated(expected, saturation.times(draws[2:3]))  # type: ignore[attr-defined]
    expected = with_factor(keras.layers.RandomHue(1.0), expected, hue.turn(draws[3:]))  # type: ignore[attr-defined]
    assert_rounded(ours([JITTER], photo, draws), expected, photo)
    floats = ours([JITTER], photo, draws, "float32")
    np.testing.assert_allclose(floats[..., :3], expected, atol=2e-2)


def test_jitter_is_the_layer_itself_where_the_layer_draws_single_points() -> None:
    layer = keras.layers.RandomColorJitter(
        value_range=(0, 1),
        brightness_factor=(0.1, 0.1),
        contrast_factor=(0.0, 0.0),
        saturation_factor=(0.6, 0.6),
        hue_factor=(0.0, 0.0),
    )
    jitter = RandomColorJitter((0, 1), (0.1, 0.1), (0.0, 0.0), (0.6, 0.6), (0.0, 0.0))
    result = ours([Rescaling(1 / 255), jitter], NOISE, [0.5] * 5, "float32")
    np.testing.assert_allclose(result, theirs(layer, NOISE / np.float32(255)), atol=1e-5)


@pytest.mark.parametrize(
    ("jitter", "alone"),
    [
        (RandomColorJitter(brightness_factor=0.5), None),
        (RandomColorJitter(contrast_factor=0.5), None),
        (RandomColorJitter(saturation_factor=0.8), RandomSaturation(0.8)),
        (RandomColorJitter(hue_factor=0.8), RandomHue(0.8)),
    ],
)
def test_jitter_of_one_thing_is_that_thing(jitter: RandomColorJitter, alone: Transform | None) -> None:
    draws = [0.3, 0.7][: jitter.num_draws]
    alone = alone or jitter.parts[0]
    np.testing.assert_array_equal(ours([jitter], NOISE, draws), ours([alone], NOISE, draws))


@pytest.mark.parametrize("factor", [0.2, 1.0, (0.1, 0.3), (0.3, 0.1)])
def test_every_form_of_a_factor_means_the_range_that_keras_documents(factor: Any) -> None:
    ends = np.nextafter(1.0, 0.0)
    lower, upper = keras.layers.RandomHue(factor).factor
    hue = RandomHue(factor)
    assert (hue.turn([0.0, 0.0]), hue.turn([0.9, ends])) == pytest.approx((lower / 2, -upper / 2))
    # What the code makes of a number, (-f, f), is not what is documented: a pair says it.
    lower, upper = keras.layers.RandomSaturation(factor).factor
    documented = RandomSaturation(factor if isinstance(factor, tuple) else (lower, upper))
    for end, draw in ((lower, 0.0), (upper, 1.0)):
        assert documented.times([draw]) == pytest.approx(max(0.0, end / (1 - end + 1e-7)))
    assert RandomSaturation(0.4).times([0.5]) == pytest.approx(0.25)


@pytest.mark.parametrize("value", [1.1, -1.1, (0.1,), "0.1"])
@pytest.mark.parametrize("name", ["RandomSaturation", "RandomHue", "RandomGrayscale"])
def test_what_keras_refuses_is_refused(name: str, value: Any) -> None:
    declaration = {"RandomSaturation": RandomSaturation, "RandomHue": RandomHue}.get(name, RandomGrayscale)
    with pytest.raises((ValueError, TypeError)):
        getattr(keras.layers, name)(value)
    with pytest.raises(ValueError, match="must be"):
        declaration(value)
