"""AutoContrast and Equalization against the Keras layers of their names, OpenCV, and their formulas."""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from like_keras import PHOTOS, Array, assert_alike, ours, theirs

from feedline import from_keras_layers
from feedline.errors import ConfigurationError
from feedline.transforms import AutoContrast, Equalization, Rescaling

GOLDEN: list[Golden] = [
    (AutoContrast(), [], SMALL, "d8dc78b85a6296d4"),
    (Equalization(), [], SMALL, "e5485efe4e7a895b"),
]

FLAT = {name: photo // 3 + 40 for name, photo in PHOTOS.items()}
"""Photographs of low contrast."""

DEEP = FLAT["astronaut"].astype(np.uint16) * 257 + 100
HOUNSFIELD = FLAT["camera"].astype(np.int16) * 11 - 1000
UNIT: list[Any] = [Rescaling(1 / 255)]


def with_one_value(image: Array) -> Array:
    """An image whose first channel has one value."""
    result = image.copy()
    result[:, :, 0] = 77
    return result


@pytest.mark.parametrize("name", FLAT)
def test_auto_contrast_is_that_of_keras(name: str) -> None:
    photo, layer = FLAT[name], keras.layers.AutoContrast()
    assert_alike(ours([AutoContrast()], photo, []), theirs(layer, photo))
    np.testing.assert_allclose(ours([AutoContrast()], photo, [], "float32"), theirs(layer, photo), atol=1e-3)


@pytest.mark.parametrize("name", FLAT)
def test_auto_contrast_of_floats_of_another_range_is_that_of_keras(name: str) -> None:
    unit = ours([*UNIT, AutoContrast((0, 1))], FLAT[name], [], "float32")
    expected = theirs(keras.layers.AutoContrast((0, 1)), FLAT[name] / np.float32(255))
    np.testing.assert_allclose(unit, expected, atol=1e-5)


@pytest.mark.parametrize(("image", "value_range"), [(DEEP, (0, 65535)), (HOUNSFIELD, (-1024, 3071))])
def test_auto_contrast_fills_the_range_of_deep_pixels(image: Array, value_range: tuple[int, int]) -> None:
    stretched = ours([AutoContrast(value_range)], image, [])
    for channel in np.moveaxis(stretched, 2, 0):
        assert (channel.min(), channel.max()) == value_range
    assert np.abs(stretched - theirs(keras.layers.AutoContrast(value_range), image)).max() < 0.6


@pytest.mark.parametrize("transform", [AutoContrast(), Equalization()])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_channel_of_one_value_stays_as_it_is(transform: Any, dtype: str) -> None:
    image = with_one_value(FLAT["astronaut"])
    result = ours([transform], image, [], dtype)
    assert np.all(result[:, :, 0] == 77)
    assert np.ptp(result[:, :, 1]) == 255
    assert_alike(result, theirs(getattr(keras.layers, type(transform).__name__)(), image))


@pytest.mark.parametrize("name", FLAT)
def test_equalization_is_that_of_opencv(name: str) -> None:
    for photo in (FLAT[name], PHOTOS[name]):
        expected = np.dstack([cv2.equalizeHist(channel) for channel in cv2.split(photo)])
        np.testing.assert_array_equal(ours([Equalization()], photo, []), expected)
        np.testing.assert_array_equal(ours([Equalization()], photo, [], "float32"), expected)
        unit = ours([*UNIT, Equalization((0, 1))], photo, [], "float32")
        np.testing.assert_allclose(unit, expected / np.float32(255), atol=1e-6)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    ("value_range", "bins"), [((0, 255), 256), ((0, 255), 64), ((0, 510), 256), ((0, 255), 300)]
)
def test_equalization_is_that_of_keras(name: str, value_range: tuple[int, int], bins: int) -> None:
    photo = PHOTOS[name]
    expected = theirs(keras.layers.Equalization(value_range, bins), photo)
    np.testing.assert_allclose(
        ours([Equalization(value_range, bins)], photo, [], "float32"), expected, atol=1e-4
    )
    assert_alike(ours([Equalization(value_range, bins)], photo, []), np.minimum(expected, 255))


@pytest.mark.parametrize(("image", "value_range"), [(DEEP, (0, 65535)), (HOUNSFIELD, (-1024, 3071))])
@pytest.mark.parametrize("bins", [256, 5000])
def test_equalization_of_deep_pixels_is_their_cumulative_distribution(
    image: Array, value_range: tuple[int, int], bins: int
) -> None:
    equalized = ours([Equalization(value_range, bins)], image, [])
    lowest, highest = value_range
    for before, after in zip(np.moveaxis(image, 2, 0), np.moveaxis(equalized, 2, 0), strict=True):
        levels = (before.astype(np.int64) - lowest) * (bins - 1) // (highest - lowest)
        below = np.searchsorted(np.sort(levels.ravel()), levels, side="right")
        share = (below - below.min()) / (before.size - below.min())
        expected = np.rint(share * 255) * (highest - lowest) / 255 + lowest
        np.testing.assert_allclose(after, expected, atol=0.51)


@pytest.mark.parametrize("transform", [AutoContrast((0, 200)), Equalization((0, 200), 90)])
def test_a_layer_becomes_the_declaration_of_its_arguments(transform: Any) -> None:
    arguments = {name: getattr(transform, name) for name in transform.__slots__}
    layer = getattr(keras.layers, type(transform).__name__)(**arguments)
    assert from_keras_layers([layer]) == (transform,)
    assert transform.without_chance == transform


@pytest.mark.parametrize("bins", [0, 1, 65537, 2.5, True, None, "9"])
def test_what_is_no_number_of_bins_is_refused_and_quoted(bins: Any) -> None:
    with pytest.raises(ConfigurationError, match="bins of Equalization must be a whole number"):
        Equalization(bins=bins)
