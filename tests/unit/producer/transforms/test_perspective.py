"""RandomPerspective against the Keras layer of its name, and boxes against those of warped masks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from hypothesis import given
from hypothesis import strategies as st
from like_keras import PHOTOS, Array, ours

from feedline import from_keras_layers
from feedline.common.sample.companions import Role
from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline
from feedline.producer.transforms.boxes import moved_into
from feedline.transforms import RandomFlip, RandomPerspective, RandomRotation

ALWAYS = (1.0, 1.0)
CORNERS = [0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.6, 0.7]
GOLDEN: list[Golden] = [
    (RandomPerspective(ALWAYS, 0.8, "nearest"), [0.5, *CORNERS], SMALL, "78dcdfb6e1216012"),
]

DRAWS = [
    [0.1, 0.5, 0.5, 0.3, 0.5, 0.5, 0.8, 0.7, 0.6],
    [0.1, 0.0, 0.999, 0.2, 0.1, 0.9, 0.3, 0.4, 0.9],
    [0.1, *[0.75] * 8],
]


def theirs(perspective: RandomPerspective, image: Array, draws: list[float]) -> Array:
    """What the Keras layer makes of an image when it draws the same corners."""
    layer = keras.layers.RandomPerspective(
        1.0, interpolation=str(perspective.interpolation), fill_value=perspective.fill_value
    )
    height, width = image.shape[:2]
    start = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float32)
    drawn = {
        "apply_perspective": np.array([True]),
        "start_points": start[np.newaxis],
        "end_points": (start * np.array(perspective.times(draws), np.float32))[np.newaxis],
        "input_shape": (1, *image.shape),
    }
    return np.asarray(layer.transform_images(image[np.newaxis].astype(np.float32), drawn))[0]


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("draws", DRAWS)
@pytest.mark.parametrize("fill_value", [0.0, 200.0])
def test_pixels_are_those_of_keras(name: str, draws: list[float], fill_value: float) -> None:
    photo, transform = PHOTOS[name], RandomPerspective(ALWAYS, 0.5, fill_value=fill_value)
    difference = np.abs(ours([transform], photo, draws).astype(np.float64) - theirs(transform, photo, draws))
    assert difference.mean() <= 0.5
    assert np.mean(difference <= 2) >= 0.99
    assert not np.array_equal(ours([transform], photo, draws), photo)


def test_a_sample_that_is_not_chosen_stays_as_it_is_and_so_does_a_strip_of_one_pixel() -> None:
    photo = PHOTOS["astronaut"]
    np.testing.assert_array_equal(ours([RandomPerspective(0.4)], photo, [0.3, *DRAWS[0][1:]]), photo)
    strip = photo[:1]
    np.testing.assert_array_equal(ours([RandomPerspective(ALWAYS)], strip, DRAWS[1]), strip)
    np.testing.assert_array_equal(ours([RandomPerspective(ALWAYS, 0.0)], photo, DRAWS[1]), photo)


def test_with_its_neighbours_it_is_one_look_up() -> None:
    photo = PHOTOS["astronaut"]
    turn, look = RandomRotation((0.05, 0.05), "constant"), RandomPerspective(ALWAYS, 0.2)
    both = ours([turn, RandomFlip("horizontal"), look], photo, [0.5, 0.1, *DRAWS[0]])
    alone = ours([RandomFlip("horizontal")], ours([turn], photo, [0.5]), [0.1])
    apart = ours([look], alone, DRAWS[0])
    assert np.mean(np.abs(both.astype(int) - apart) <= 16) > 0.97


SIZE = (90, 120)
UNIT = st.floats(0.0, 1.0, exclude_max=True)


@given(
    st.tuples(st.integers(0, 90), st.integers(0, 60), st.integers(12, 60), st.integers(12, 50)),
    st.lists(UNIT, min_size=8, max_size=8),
    st.sampled_from([0.3, 1.0]),
)
def test_a_box_is_that_of_its_warped_mask(
    place: tuple[int, int, int, int], draws: list[float], scale: float
) -> None:
    """Also where corners change sides, and the horizon lies in the image."""
    x, y, width, height = place
    box = np.array([[x, y, min(x + width, SIZE[1]), min(y + height, SIZE[0]), 3]], np.float32)
    mask = np.zeros((*SIZE, 1), np.uint8)
    mask[int(box[0, 1]) : int(box[0, 3]), int(box[0, 0]) : int(box[0, 2])] = 1
    pipeline = Pipeline([RandomPerspective(ALWAYS, scale)], SIZE, 1, "uint8", "uint8", Role.MASK)
    own, warped = np.array([0.0, *draws]), np.empty((*SIZE, 1), np.uint8)
    pipeline.apply(mask, own, warped)
    rows, columns = np.nonzero(warped[:, :, 0])
    moved = pipeline.move(box, own, SIZE)
    if len(rows):
        assert len(moved) == 1
        seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert ((moved[0, :4] - seen) * (-1, -1, 1, 1)).min() >= -1.5
        assert moved[0, 4] == 3
    assert (moved[:, :4] >= 0).all()
    assert (moved[:, 2:4] <= SIZE[::-1]).all()


def test_what_of_a_box_lies_behind_the_horizon_is_not_seen() -> None:
    behind = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.02, 0.0, 1.0]])
    boxes = np.array([[10, 10, 200, 20, 0], [60, 0, 90, 9, 1]], np.float32)
    moved = moved_into(boxes, behind, (0, 0, 400, 400))
    np.testing.assert_allclose(moved, [[12.5, 12.5, 400, 180, 0]], rtol=1e-5)


@pytest.mark.parametrize("factor", [0.4, (0.2, 0.8)])
def test_a_layer_becomes_a_declaration(factor: Any) -> None:
    layer = keras.layers.RandomPerspective(factor, 0.5, "nearest", 7.0)
    (declared,) = from_keras_layers([layer])
    expected = factor if isinstance(factor, tuple) else (0.0, factor)
    assert declared == RandomPerspective(expected, 0.5, "nearest", 7.0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"factor": 1.5}, "factor of RandomPerspective"),
        ({"scale": -0.1}, "scale of RandomPerspective"),
        ({"interpolation": "bicubic"}, "bicubic"),
    ],
)
def test_what_keras_refuses_is_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        RandomPerspective(**arguments)
