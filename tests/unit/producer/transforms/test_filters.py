"""What colours, blur, noise and erasing do, beyond what Keras' layers can say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from like_keras import Array, ours

from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline
from feedline.producer.transforms.filters import STRIP_PIXELS
from feedline.transforms import (
    GaussianNoise,
    Normalization,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomRotation,
    RandomSaturation,
    Transform,
)

SIDES = st.integers(1, 40)
CHANNELS = st.sampled_from([1, 3, 4])
UNIT = st.floats(0.0, 1.0, exclude_max=True)
COLORFUL: list[Transform] = [
    RandomSaturation((0.8, 0.8)),
    RandomHue((0.4, 0.4)),
    RandomGrayscale(1.0),
    RandomColorJitter((0, 255), (0.1, 0.1), (0.5, 0.5)),
    RandomColorJitter((0, 255), None, None, (0.8, 0.8), (0.4, 0.4)),
]


def noise(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def draws_of(transform: Transform) -> list[float]:
    return [0.3] * transform.num_draws


@pytest.mark.parametrize("transform", COLORFUL)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_alpha_stays_and_colours_become_what_they_become_without(transform: Transform, dtype: str) -> None:
    image = noise((20, 30, 4))
    result = ours([transform], image, draws_of(transform), dtype)
    without = ours([transform], image[..., :3], draws_of(transform), dtype)
    np.testing.assert_array_equal(result[..., 3], image[..., 3])
    np.testing.assert_array_equal(result[..., :3], without)
    assert not np.array_equal(without, image[..., :3])


@pytest.mark.parametrize("transform", [COLORFUL[0], COLORFUL[1], COLORFUL[4]])
def test_an_image_of_several_strips_is_treated_as_one(transform: Transform) -> None:
    rows = 2 * STRIP_PIXELS // 300 + 5
    image = noise((rows, 300, 3))
    result = ours([transform], image, draws_of(transform))
    for top in range(0, rows, 31):
        part = ours([transform], image[top : top + 31], draws_of(transform))
        np.testing.assert_array_equal(result[top : top + 31], part)


def test_jitter_takes_the_mean_over_all_strips() -> None:
    jitter = RandomColorJitter((0, 255), (0.2, 0.2), (0.5, 0.5))
    image = noise((2 * STRIP_PIXELS // 300 + 5, 300, 3))
    image[:50] //= 4
    bright = np.clip(image + 51.0, 0, 255)
    means = bright.mean((0, 1))
    expected = np.clip((bright - means) * jitter.parts[1].stretch([0.3]) + means, 0, 255)  # type: ignore[attr-defined]
    result = ours([jitter], image, [0.3, 0.3], "float32")
    np.testing.assert_allclose(result, expected, atol=1e-2)


def test_hues_go_round_and_three_thirds_are_none() -> None:
    image = noise((20, 30, 3))
    third = RandomHue((2 / 3, 2 / 3))
    once = ours([third], image, [0.0, 0.5])
    np.testing.assert_array_equal(once, image[..., [2, 0, 1]])
    np.testing.assert_array_equal(ours([third] * 3, image, [0.0, 0.5] * 3), image)
    np.testing.assert_array_equal(ours([third], once, [0.9, 0.5]), image)


@given(UNIT, SIDES, SIDES)
def test_saturation_keeps_greys_and_the_largest_colour(draw: float, height: int, width: int) -> None:
    image = noise((height, width, 3))
    image[::2] = image[::2, :, :1]
    result = ours([RandomSaturation(1.0)], image, [draw])
    np.testing.assert_array_equal(result[::2], image[::2])
    np.testing.assert_array_equal(result.max(2), image.max(2))


@given(st.lists(UNIT, min_size=5, max_size=5), SIDES, SIDES)
def test_a_grey_image_is_grey_after_any_jitter(draws: list[float], height: int, width: int) -> None:
    image = np.repeat(noise((height, width, 1)), 3, axis=2)
    result = ours([RandomColorJitter((0, 255), 0.5, 0.5, 1.0, 1.0)], image, draws)
    np.testing.assert_array_equal(result, np.repeat(result[..., :1], 3, axis=2))


def test_what_lies_beyond_the_range_is_clipped_to_it() -> None:
    image = noise((20, 30, 3))
    for transform in (
        RandomHue(0.5, (50, 100)),
        RandomSaturation(0.5, (50, 100)),
        RandomColorJitter((50, 100), 0.5, 0.5, 0.5, 0.5),
        RandomGaussianBlur((1, 1), value_range=(50, 100)),
        GaussianNoise(0.5, (50, 100)),
    ):
        result = ours([transform], image, draws_of(transform))
        assert 50 <= result.min() < result.max() <= 100


def test_a_blur_is_drawn_for_each_axis_alone() -> None:
    image = np.zeros((9, 9, 1), np.uint8)
    image[4, 4] = 200
    blur = RandomGaussianBlur((1, 1), 3)
    across, down = ours([blur], image, [0.0, 0.9, 0.0]), ours([blur], image, [0.0, 0.0, 0.9])
    assert np.flatnonzero(across.any(axis=0)).tolist() == [3, 4, 5]
    assert np.flatnonzero(across.any(axis=1)).tolist() == [4]
    np.testing.assert_array_equal(down, across.transpose(1, 0, 2))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_noise_is_white_normal_and_rounded_once(channels: int, dtype: str) -> None:
    top = int(np.iinfo(dtype).max)
    image = np.full((200, 300, channels), top // 2, dtype)
    deviation = ours([GaussianNoise(0.05, (0, top))], image, [0.7]).astype(np.float64) - top // 2
    sigma = 0.05 * top
    assert deviation.mean() == pytest.approx(0.0, abs=0.02 * sigma)
    assert deviation.std() == pytest.approx(sigma, rel=0.02)
    for axis in range(3 if channels > 1 else 2):
        neighbours = np.mean(deviation * np.roll(deviation, 1, axis)) / sigma**2
        assert neighbours == pytest.approx(0.0, abs=0.02)
    floats = ours([GaussianNoise(0.05, (0, top))], image, [0.7], "float32")
    assert np.abs(floats - top // 2 - deviation).max() <= 0.51


def test_noise_depends_on_its_draw_and_on_nothing_else() -> None:
    image = np.full((50, 60, 3), 128, np.uint8)
    first, second = (ours([GaussianNoise(0.1)], image, [draw]) for draw in (0.3, np.nextafter(0.3, 1)))
    np.testing.assert_array_equal(ours([GaussianNoise(0.1)], image, [0.3]), first)
    shared = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert abs(shared) < 0.05


@given(st.lists(UNIT, min_size=6, max_size=6), SIDES, SIDES, CHANNELS, st.booleans())
def test_erasing_changes_a_box_and_nothing_around_it(
    draws: list[float], height: int, width: int, channels: int, with_noise: bool
) -> None:
    erasing = RandomErasing((1, 1), (0.0, 1.0), None if with_noise else 6.6)
    image = np.full((height, width, channels), 100, np.uint8)
    result = ours([erasing], image, draws)
    (left, right), (top, bottom) = erasing.box(draws, (height, width))
    y, x = np.mgrid[:height, :width]
    inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    assert (result[~inside] == 100).all()
    assert with_noise or (result[inside] == 7).all()


def test_the_noise_in_a_box_is_as_dark_and_bright_as_keras_makes_it() -> None:
    image = np.full((200, 300, 3), 100, np.uint8)
    result = ours([RandomErasing((1, 1), (1.0, 1.0))], image, [0.5] * 6)
    assert np.mean(result == 0) == pytest.approx(0.5, abs=0.01)
    assert np.mean(result == 255) == pytest.approx(0.1587, abs=0.01)


@pytest.mark.parametrize("transform", [RandomGrayscale(0.5), RandomGaussianBlur(), RandomErasing()])
def test_after_an_image_that_was_not_chosen_floats_are_not_rounded_either(transform: Transform) -> None:
    image = noise((20, 30, 3))
    draws = [0.9] * transform.num_draws
    np.testing.assert_array_equal(ours([transform], image, draws, "float32"), image)
    turned = ours([transform, RandomRotation((0.1, 0.1))], image, [*draws, 0.5], "float32")
    assert np.mean(turned % 1.0 != 0.0) > 0.9


def test_floats_are_not_rounded_between_filters() -> None:
    image = noise((20, 30, 3))
    transforms = [RandomSaturation((0.4, 0.4)), RandomHue((0.3, 0.3)), RandomContrast((0.3, 0.3))]
    draws = [0.5, 0.1, 0.5, 0.5]
    jitter = RandomColorJitter((0, 255), None, None, (0.4, 0.4), (0.3, 0.3))
    result = ours(transforms, image, draws, "float32")
    np.testing.assert_allclose(result, ours([jitter, transforms[2]], image, draws, "float32"), atol=1e-2)


@pytest.mark.parametrize("mean", [100.0, (100.0, 110.0, 120.0)])
def test_normalization_of_zero_variance_divides_by_keras_epsilon(mean: Any) -> None:
    image = np.full((4, 5, 3), 101, np.uint8)
    variance = np.zeros(np.shape(mean)).tolist()
    result = ours([Normalization(mean, variance)], image, [], "float32")
    np.testing.assert_allclose(result[0, 0], (101 - np.broadcast_to(mean, 3)) * 1e7, rtol=1e-5)


def test_normalization_after_other_curves_takes_their_floats() -> None:
    image = noise((20, 30, 3))
    transforms: list[Transform] = [RandomBrightness((0.1, 0.1)), Normalization((1, 2, 3), (4, 9, 16))]
    exact = (np.clip(image + 25.5, 0, 255) - (1, 2, 3)) / (2, 3, 4)
    np.testing.assert_allclose(ours(transforms, image, [0.5], "float32"), exact, atol=1e-4)


def test_images_without_colours_are_refused_before_any_comes() -> None:
    with pytest.raises(ConfigurationError, match="RandomHue changes colours"):
        Pipeline([RandomFlip(), RandomHue(0.1)], (8, 8), 1, "uint8", "uint8")
