"""ContrastLimitedAdaptiveHistogramEqualization against its Keras layer, and against Equalization."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from golden import IMAGE, Golden
from like_keras import PHOTOS, Array, assert_alike, ours, theirs

from feedline import from_keras_layers
from feedline.errors import ConfigurationError
from feedline.transforms import ContrastLimitedAdaptiveHistogramEqualization as Clahe
from feedline.transforms import Equalization, Rescaling

GOLDEN: list[Golden] = [(Clahe(tile_grid_size=(2, 2)), [], IMAGE, "63366b0e767f33fe")]

DEEP = PHOTOS["astronaut"].astype(np.uint16) * 200 + 77
HOUNSFIELD = PHOTOS["camera"].astype(np.int16) * 11 - 1000


def theirs_of(transform: Clahe, image: Array) -> Array:
    """What the Keras layer of the same arguments makes of an image."""
    layer = keras.layers.ContrastLimitedAdaptiveHistogramEqualization(
        transform.value_range, transform.clip_limit, transform.tile_grid_size
    )
    return theirs(layer, image)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    "transform",
    [Clahe(), Clahe(clip_limit=0.0), Clahe(clip_limit=1.5, tile_grid_size=(3, 5)), Clahe((0, 400))],
)
def test_pixels_are_those_of_keras(name: str, transform: Clahe) -> None:
    photo, expected = PHOTOS[name], theirs_of(transform, PHOTOS[name])
    assert_alike(ours([transform], photo, []), np.minimum(expected, 255))
    np.testing.assert_allclose(ours([transform], photo, [], "float32"), expected, atol=5e-3)


@pytest.mark.parametrize(("image", "value_range"), [(DEEP, (0, 65535)), (HOUNSFIELD, (-1024, 3071))])
def test_deep_pixels_are_those_of_keras(image: Array, value_range: tuple[int, int]) -> None:
    result, expected = ours([Clahe(value_range)], image, []), theirs_of(Clahe(value_range), image)
    width = value_range[1] - value_range[0]
    assert np.mean(np.abs(result - expected) <= 0.51 + 1e-5 * width) > 0.99


def test_floats_of_another_range_are_treated_alike() -> None:
    photo = PHOTOS["astronaut"]
    unit = ours([Rescaling(1 / 255), Clahe((0, 1))], photo, [], "float32")
    np.testing.assert_allclose(unit, ours([Clahe()], photo, [], "float32") / 255, atol=1e-5)


def test_an_image_of_one_tile_without_a_limit_is_equalized() -> None:
    photo = np.ascontiguousarray(PHOTOS["camera"])
    photo[0, 0] = 0
    by_tile = ours([Clahe(clip_limit=0.0, tile_grid_size=(1, 1))], photo, [])
    np.testing.assert_array_equal(by_tile, ours([Equalization()], photo, []))


@pytest.mark.parametrize("size", [(5, 40), (8, 8), (9, 17), (1, 1)])
def test_images_smaller_than_tiles_or_not_a_multiple_of_them_are_those_of_keras(
    size: tuple[int, int],
) -> None:
    image = PHOTOS["astronaut"][100 : 100 + size[0], 100 : 100 + size[1]]
    # Keras pads by as much as the image has; the rest is ours.
    grid = min(8, size[0]), min(8, size[1])
    assert_alike(ours([Clahe(tile_grid_size=grid)], image, []), theirs_of(Clahe(tile_grid_size=grid), image))
    assert ours([Clahe()], image, []).shape == image.shape


def test_a_layer_becomes_the_declaration_of_its_arguments() -> None:
    layer = keras.layers.ContrastLimitedAdaptiveHistogramEqualization([0, 200], 3.0, [4, 5])
    assert from_keras_layers([layer]) == (Clahe((0, 200), 3.0, (4, 5)),)


@pytest.mark.parametrize("value", [8, (8,), (0, 8), (2.5, 2), "88", None, (True, 2)])
def test_what_is_no_grid_is_refused_and_quoted(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"tile_grid_size of ContrastLimited\w+ must be .*got"):
        Clahe(tile_grid_size=value)
