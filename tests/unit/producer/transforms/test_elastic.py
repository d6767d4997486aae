"""RandomElasticTransform: its field against the formula, its pixels against what Keras looks up by it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from golden import IMAGE, Golden
from hypothesis import given
from hypothesis import strategies as st
from like_keras import PHOTOS, Array, ours

from feedline import from_keras_layers
from feedline.common.sample.companions import Role
from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline
from feedline.producer.transforms.boxes import Field
from feedline.producer.transforms.functions.detail import normal_noise
from feedline.producer.transforms.functions.elastic import elastic
from feedline.transforms import RandomElasticTransform, RandomRotation, Rescaling

ALWAYS = (1.0, 1.0)
DRAWS = [0.1, 0.6, 0.3, 0.8]
GOLDEN: list[Golden] = [
    (RandomElasticTransform(ALWAYS, ALWAYS, "nearest"), [0.1, 0.9, 0.3, 0.8], IMAGE, "a74399b856e39711"),
]


def field_of(transform: RandomElasticTransform, draws: list[float], size: tuple[int, int]) -> Field:
    field = elastic(transform, np.array(draws), size)
    assert field is not None
    return field


def looked_up_by_keras(field: Field, image: Array, mode: str, fill_value: float = 0.0) -> Array:
    """What Keras' own look-up makes of every channel; its layer calls it with a field that it draws."""
    places = np.stack([field.y, field.x])
    channels = [
        keras.ops.image.map_coordinates(channel, places, order=1, fill_mode=mode, fill_value=fill_value)
        for channel in np.moveaxis(image.astype(np.float32), -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def blurred_by_keras(noise: Array, sigma: float) -> Array:
    size = 6 * int(sigma) | 1
    result = keras.ops.image.gaussian_blur(noise[np.newaxis, :, :, np.newaxis], (size, size), (sigma, sigma))
    return np.asarray(result)[0, :, :, 0]


def test_displacements_are_noise_that_keras_blurs_times_alpha() -> None:
    """The formula of the layer, with noise of our own: alpha, sigma, the kernel, zeros beyond the edge."""
    size, transform = (81, 120), RandomElasticTransform(ALWAYS, (0.5, 0.9))
    alpha, sigma = transform.alpha_and_sigma(DRAWS, size)
    layer = keras.layers.RandomElasticTransform(1.0)
    assert (alpha, sigma) == pytest.approx(layer.get_elastic_transform_params(*size, 0.74))
    field = field_of(transform, DRAWS, size)
    down, right = np.indices(size)
    for shifted, place, draw in ((field.x, right, DRAWS[2]), (field.y, down, DRAWS[3])):
        expected = alpha * blurred_by_keras(normal_noise(draw, size) * sigma, sigma)
        np.testing.assert_allclose(shifted - place, expected, atol=2e-4)
        assert np.abs(expected).max() > 2


def test_along_x_and_y_displacements_are_independent() -> None:
    """Keras 3.15 draws both from one seed, so that all of its displacements lie on one diagonal."""
    field = field_of(RandomElasticTransform(ALWAYS, ALWAYS), DRAWS, (200, 200))
    down, right = np.indices((200, 200))
    correlation = np.corrcoef((field.x - right).ravel(), (field.y - down).ravel())[0, 1]
    assert abs(correlation) < 0.35


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("mode", ["reflect", "nearest", "wrap", "constant"])
def test_pixels_are_those_that_keras_looks_up(name: str, mode: str) -> None:
    photo = PHOTOS[name]
    transform = RandomElasticTransform(ALWAYS, (0.4, 0.8), fill_mode=mode, fill_value=90.0)
    field = field_of(transform, DRAWS, photo.shape[:2])
    result = ours([transform], photo, DRAWS)
    difference = np.abs(result.astype(np.float64) - looked_up_by_keras(field, photo, mode, 90.0))
    assert difference.mean() <= 0.5
    assert np.mean(difference <= 2) >= 0.99
    assert not np.array_equal(result, photo)


def test_a_sample_that_is_not_chosen_stays_as_it_is_and_so_does_one_of_no_strength() -> None:
    photo = PHOTOS["astronaut"]
    np.testing.assert_array_equal(ours([RandomElasticTransform(0.4)], photo, [0.3, 0.5, 0.1, 0.2]), photo)
    np.testing.assert_array_equal(ours([RandomElasticTransform(ALWAYS, 0.0)], photo, DRAWS), photo)


def test_values_beyond_the_range_come_to_its_ends() -> None:
    photo = PHOTOS["astronaut"]
    darkened = RandomElasticTransform(ALWAYS, value_range=(0, 0.5))
    result = ours([Rescaling(1 / 255), darkened], photo, DRAWS, "float32")
    assert (result.min(), result.max()) == (0.0, 0.5)


SIZE = (90, 120)
UNIT = st.floats(0.0, 1.0, exclude_max=True)


@given(
    st.tuples(st.integers(0, 90), st.integers(0, 60), st.integers(12, 60), st.integers(12, 50)),
    st.lists(UNIT, min_size=5, max_size=5),
    st.booleans(),
)
def test_a_box_is_that_of_its_warped_mask(
    place: tuple[int, int, int, int], draws: list[float], turned: bool
) -> None:
    x, y, width, height = place
    box = np.array([[x, y, min(x + width, SIZE[1]), min(y + height, SIZE[0]), 3]], np.float32)
    mask = np.zeros((*SIZE, 1), np.uint8)
    mask[int(box[0, 1]) : int(box[0, 3]), int(box[0, 0]) : int(box[0, 2])] = 1
    elastic_alone = [RandomElasticTransform(ALWAYS, fill_mode="constant")]
    transforms = [*([RandomRotation(0.1, "constant")] if turned else []), *elastic_alone]
    pipeline = Pipeline(transforms, SIZE, 1, "uint8", "uint8", Role.MASK)
    own, warped = (
        np.array([*draws[:1], 0.0, *draws[1:4]][-pipeline.num_draws :]),
        np.empty((*SIZE, 1), np.uint8),
    )
    pipeline.apply(mask, own, warped)
    rows, columns = np.nonzero(warped[:, :, 0])
    moved = pipeline.move(box, own, SIZE)
    if len(rows):
        seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        beyond = (moved[0, :4] - seen) * (-1, -1, 1, 1)
        # What the turn rounds by a pixel, the field may pull apart.
        assert beyond.min() >= (-4.5 if turned else -1.5)
        assert turned or beyond.max() <= 1.5


def test_classes_of_a_mask_are_looked_up_and_none_is_made() -> None:
    mask = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((45, 40), np.uint8))[..., None]
    pipeline = Pipeline([RandomElasticTransform(ALWAYS)], SIZE, 1, "uint8", "uint8", Role.MASK)
    out = np.empty_like(mask)
    pipeline.apply(mask, np.array(DRAWS), out)
    assert set(np.unique(out)) == set(range(0, 240, 40))
    assert not np.array_equal(out, mask)


def test_a_layer_becomes_a_declaration() -> None:
    layer = keras.layers.RandomElasticTransform(0.4, (0.2, 0.5), "nearest", "wrap", 7.0, (0, 1))
    (declared,) = from_keras_layers([layer])
    assert declared == RandomElasticTransform((0.0, 0.4), (0.2, 0.5), "nearest", "wrap", 7.0, (0, 1))
    with pytest.raises(ConfigurationError, match="mirror"):
        from_keras_layers([keras.layers.RandomElasticTransform(fill_mode="mirror")])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"factor": 1.5}, "factor of RandomElasticTransform"),
        ({"scale": -0.1}, "scale of RandomElasticTransform"),
        ({"fill_mode": "mirror"}, "mirror"),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        RandomElasticTransform(**arguments)
