"""Declarations of shear, colours and detail: what their draws mean, and which images they take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline.common.declarations.catalogue import check_channels, output_size
from feedline.errors import ConfigurationError
from feedline.transforms import (
    CenterCrop,
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
    RandomSaturation,
    RandomShear,
    Transform,
)

UNIT = st.floats(0.0, 1.0, exclude_max=True)
BOUND = st.floats(0.0, 1.0)
PAIR = st.tuples(BOUND, BOUND)


@given(UNIT, UNIT)
def test_a_shear_by_a_pair_has_one_sign_for_both_axes(first: float, second: float) -> None:
    shear = RandomShear((0.1, 0.3), (0.2, 0.4))
    x, y = shear.shear([0.2, first, second])
    assert (x, y) == pytest.approx((0.1 + 0.2 * second, 0.2 + 0.2 * first))
    assert shear.shear([0.7, first, second]) == (-x, -y)


def test_a_shear_by_a_number_goes_both_ways_on_each_axis_alone() -> None:
    shear = RandomShear(0.2, 0.4)
    assert shear.shear([0.2, 0.0, 1.0]) == pytest.approx((0.2, -0.4))
    assert shear.shear([0.2, 1.0, 0.0]) == pytest.approx((-0.2, 0.4))


@pytest.mark.parametrize(
    ("window", "size", "corner"),
    [((4, 4), (8, 8), (2, 2)), ((3, 4), (8, 9), (2, 2)), ((8, 9), (8, 9), (0, 0)), ((1, 1), (2, 2), (0, 0))],
)
def test_the_window_in_the_middle_leaves_an_odd_pixel_after_it(
    window: tuple[int, int], size: tuple[int, int], corner: tuple[int, int]
) -> None:
    assert CenterCrop(*window).corner([], size) == corner
    assert output_size([CenterCrop(*window)], size) == window


def test_a_centre_that_does_not_fit_is_refused_with_its_own_name() -> None:
    with pytest.raises(ConfigurationError, match=r"CenterCrop\(height=9, width=4\).*\(8, 8\)"):
        output_size([CenterCrop(9, 4)], (8, 8))


@given(UNIT)
def test_saturation_grows_with_the_draw_from_grey_over_unchanged(draw: float) -> None:
    times = RandomSaturation(1.0).times([draw])
    assert times == pytest.approx(draw / (1 - draw + 1e-7))
    assert RandomSaturation((0.5, 0.5)).times([draw]) == pytest.approx(1.0)
    assert RandomSaturation((-0.7, 0.0)).times([draw]) == 0.0


@given(UNIT, UNIT, PAIR)
def test_hue_turns_up_to_half_a_turn_either_way(
    sign: float, draw: float, factor: tuple[float, float]
) -> None:
    lower, upper = sorted(factor)
    turn = RandomHue(factor).turn([sign, draw])
    assert lower / 2 - 1e-9 <= abs(turn) <= upper / 2 + 1e-9
    assert turn <= 0.0 if sign >= 0.5 else turn >= 0.0


def test_jitter_stands_for_its_parts_in_the_order_of_keras() -> None:
    jitter = RandomColorJitter((0, 1), 0.1, (0.2, 0.3), 0.4, 0.5)
    assert jitter.parts == (
        RandomBrightness(0.1, (0, 1)),
        RandomContrast((0.2, 0.3), (0, 1)),
        RandomSaturation(0.4, (0, 1)),
        RandomHue(0.5, (0, 1)),
    )
    assert jitter.num_draws == 5
    assert RandomColorJitter().num_draws == 0
    assert RandomColorJitter(contrast_factor=0.2, hue_factor=0.1).num_draws == 3


def test_a_factor_is_the_share_of_grey_images() -> None:
    draws = [[index / 1000] for index in range(1000)]
    assert sum(RandomGrayscale(0.3).applies(draw) for draw in draws) == 300
    assert sum(RandomGrayscale().applies(draw) for draw in draws) == 500
    assert not RandomGrayscale(0.0).applies([0.0])


@given(PAIR, UNIT)
def test_the_probability_of_a_blur_is_the_middle_of_its_range(
    factor: tuple[float, float], draw: float
) -> None:
    assert RandomGaussianBlur(factor).applies([draw]) == (draw < sum(factor) / 2)
    assert RandomErasing(factor).applies([draw]) == (draw < sum(factor) / 2)


@given(UNIT, UNIT, st.floats(0.0, 9.0))
def test_a_number_for_sigma_means_from_0_to_it_for_each_axis(
    first: float, second: float, sigma: float
) -> None:
    expected = sigma * first + 1e-6, sigma * second + 1e-6
    assert RandomGaussianBlur(sigma=sigma).sigmas([0.0, first, second]) == pytest.approx(expected)


def test_the_deviation_of_noise_is_a_fraction_of_the_range() -> None:
    assert GaussianNoise(0.1).sigma == pytest.approx(25.5)
    assert GaussianNoise(0.1, (-1, 1)).sigma == pytest.approx(0.2)


@given(st.lists(UNIT, min_size=6, max_size=6), PAIR, st.integers(1, 40), st.integers(1, 40))
def test_an_erased_box_lies_in_the_image_and_has_the_drawn_area(
    draws: list[float], scale: tuple[float, float], height: int, width: int
) -> None:
    (left, right), (top, bottom) = RandomErasing(scale=scale).box(draws, (height, width))
    assert -1e-9 <= left <= right <= width + 1e-9
    assert -1e-9 <= top <= bottom <= height + 1e-9
    lower, upper = sorted(scale)
    assert ((right - left) / width) ** 2 == pytest.approx(lower + (upper - lower) * draws[1], abs=1e-6)
    assert ((bottom - top) / height) ** 2 == pytest.approx(lower + (upper - lower) * draws[2], abs=1e-6)


@pytest.mark.parametrize(
    "transform",
    [
        RandomSaturation(0.3),
        RandomHue(0.3),
        RandomColorJitter(saturation_factor=0.3),
        RandomColorJitter(hue_factor=0.3),
    ],
)
def test_what_changes_colours_refuses_images_without(transform: Transform) -> None:
    with pytest.raises(ConfigurationError, match=rf"{type(transform).__name__} changes colours.*rgb"):
        check_channels([RandomFlip(), transform], 1)
    check_channels([transform], 3)
    check_channels([transform], 4)


@pytest.mark.parametrize(
    "transform",
    [
        RandomColorJitter(brightness_factor=0.3, contrast_factor=0.3),
        RandomGrayscale(),
        RandomErasing(fill_value=3),
        Normalization(0.5, 0.1),
        Normalization([0.5], [0.1]),  # type: ignore[arg-type]
    ],
)
def test_what_needs_no_colours_takes_images_without(transform: Transform) -> None:
    check_channels([transform], 1)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(
    "transform", [Normalization((0.1, 0.2, 0.3), (1, 1, 1)), RandomErasing(fill_value=(1, 2, 3))]
)
def test_numbers_for_other_channels_are_refused(transform: Transform, channels: int) -> None:
    check_channels([transform], 3)
    with pytest.raises(ConfigurationError, match=rf"one for each of {channels} channels, got 3"):
        check_channels([transform], channels)
