"""A pipeline writes the right pixels to the right place, whatever the size, channels and order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.framing import Framing
from feedline.common.declarations.mixing import Mixing
from feedline.common.declarations.plugins import Foreign
from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline
from feedline.transforms import (
    CenterCrop,
    Flip,
    GaussianNoise,
    RandomApply,
    RandomBrightness,
    RandomChoice,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomResizedCrop,
    RandomRotation,
    RandomSaturation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Resizing,
    Transform,
)

Array = npt.NDArray[Any]

SIDES = st.integers(1, 9)
CHANNELS = st.sampled_from([1, 3, 4])
DTYPES = st.sampled_from(["uint8", "uint16"])
UNIT = st.floats(0.0, 1.0, exclude_max=True)
WIDE = (0, 65535)
OTHERS: list[Transform] = [
    Flip("vertical"),
    RandomFlip("vertical"),
    RandomFlip(),
    RandomRotation(0.5, "constant"),
    RandomTranslation(0.5, 0.5, "wrap", "nearest"),
    RandomZoom(0.9, fill_mode="nearest"),
    RandomShear(0.5, (0.0, 1.0)),
    RandomCrop(1, 1),
    CenterCrop(1, 1),
    RandomBrightness(0.5, WIDE),
    RandomContrast(1.0, WIDE),
    RandomColorJitter(WIDE, 0.5, 1.0),
    Resizing(3, 4),
    RandomChoice(((RandomRotation(0.3, "wrap"), RandomBrightness(0.3, WIDE)), (), RandomFlip())),
    RandomApply((RandomContrast(1.0, WIDE),)),
    RandomGrayscale(),
    RandomGaussianBlur(kernel_size=5, value_range=WIDE),
    RandomErasing(fill_value=7, value_range=(0, 70)),
    RandomSaturation(1.0, WIDE),
    RandomHue(1.0, (10, 90)),
    RandomColorJitter(WIDE, 0.5, 1.0, 1.0, 1.0),
]


def for_deep_pixels(transform: Transform) -> Transform:
    """The same, for the range of 16 bits where it has a range."""
    return replace(transform, value_range=WIDE) if hasattr(transform, "value_range") else transform  # type: ignore[call-arg]


def can_take(transform: Transform, channels: int, dtype: str) -> bool:
    """Whether it takes the smallest of images, and makes one of the same dtype."""
    try:
        Pipeline([transform], (1, 1), channels, dtype, dtype)
    except ConfigurationError:
        return False
    return True


EXAMPLES = [
    for_deep_pixels(declaration.example())
    for declaration in DECLARATIONS.values()
    if not issubclass(declaration, Framing | Mixing | Foreign)
]
POSSIBLE = {
    (channels, dtype): [t for t in (*EXAMPLES, *OTHERS) if can_take(t, channels, dtype)]
    for channels in (1, 3, 4)
    for dtype in ("uint8", "uint16")
}


def noise(shape: tuple[int, int, int], dtype: str = "uint8", seed: int = 0) -> Array:
    highest = np.iinfo(dtype).max
    image = np.random.default_rng(seed).integers(0, highest, shape, dtype, endpoint=True)
    # A pipeline only reads its image, so that a cache may hold it.
    image.setflags(write=False)
    return image


def apply(transforms: list[Transform], image: Array, draws: list[float], dtype: str | None = None) -> Array:
    dtype = dtype or str(image.dtype)
    pipeline = Pipeline(transforms, image.shape[:2], image.shape[2], str(image.dtype), dtype)
    out = np.empty(pipeline.output_shape, dtype)
    pipeline.apply(image, np.array(draws), out)
    return out


@given(SIDES, SIDES, CHANNELS, DTYPES, st.booleans(), st.data())
def test_any_list_takes_any_small_image_and_keeps_nothing_of_it(
    height: int, width: int, channels: int, dtype: str, floats: bool, data: st.DataObject
) -> None:
    possible = st.sampled_from(POSSIBLE[channels, dtype])
    transforms = data.draw(st.lists(possible, max_size=5))
    out_dtype = "float32" if floats else dtype
    pipeline = Pipeline(transforms, (height, width), channels, dtype, out_dtype)
    draws = np.array(data.draw(st.lists(UNIT, min_size=pipeline.num_draws, max_size=pipeline.num_draws)))
    first, second = (noise((height, width, channels), dtype, seed) for seed in (1, 2))
    results = np.full((3, *pipeline.output_shape), 99, out_dtype)
    for image, out in zip((first, second, first), results, strict=True):
        pipeline.apply(image, draws, out)
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "transforms",
    [
        [],
        [RandomFlip("horizontal")],
        [RandomRotation((0.1, 0.1))],
        [RandomCrop(7, 9)],
        [RandomBrightness((0.3, 0.3))],
        [RandomBrightness((-0.3, -0.3), (10, 200))],
        [RandomContrast((0.5, 0.5))],
        [RandomGaussianBlur((1, 1))],
        [GaussianNoise(0.1)],
        [RandomErasing((1, 1), fill_value=3)],
        [RandomErasing((1, 1))],
        [RandomColorJitter((0, 255), 0.5, 0.5)],
        [RandomFlip("vertical"), RandomContrast(0.5), RandomCrop(7, 9), RandomZoom(0.2)],
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_result_lands_in_its_place_in_the_batch_and_nowhere_else(
    transforms: list[Transform], channels: int, dtype: str
) -> None:
    image = noise((13, 17, channels))
    pipeline = Pipeline(transforms, (13, 17), channels, "uint8", dtype)
    batch = np.full((3, *pipeline.output_shape), 77, dtype)
    draws = np.full(pipeline.num_draws, 0.25)
    pipeline.apply(image, draws, batch[1])
    np.testing.assert_array_equal(batch[1], apply(transforms, image, draws.tolist(), dtype))
    assert len(np.unique(batch[1])) > 1
    assert (batch[0] == 77).all()
    assert (batch[2] == 77).all()


@given(SIDES, SIDES, CHANNELS, DTYPES)
def test_flips_are_exact_and_two_of_them_cancel(height: int, width: int, channels: int, dtype: str) -> None:
    image = noise((height, width, channels), dtype)
    across, down = RandomFlip("horizontal"), RandomFlip("vertical")
    np.testing.assert_array_equal(apply([across], image, [0.1]), image[:, ::-1])
    np.testing.assert_array_equal(apply([down], image, [0.1]), image[::-1])
    np.testing.assert_array_equal(apply([RandomFlip()], image, [0.1]), image[::-1, ::-1])
    np.testing.assert_array_equal(apply([across, down], image, [0.1, 0.9]), image[:, ::-1])
    np.testing.assert_array_equal(apply([across, across], image, [0.1, 0.1]), image)


@given(SIDES, SIDES, UNIT)
def test_a_flip_that_is_not_random_flips_whatever_is_drawn(height: int, width: int, draw: float) -> None:
    image = noise((height, width, 3))
    np.testing.assert_array_equal(apply([Flip()], image, [draw]), image[:, ::-1])
    np.testing.assert_array_equal(apply([Flip("vertical")], image, [draw]), image[::-1])


@given(SIDES, SIDES, CHANNELS)
def test_draws_that_change_nothing_leave_every_pixel_as_it_is(height: int, width: int, channels: int) -> None:
    image = noise((height, width, channels))
    still: list[Transform] = [RandomRotation(0), RandomZoom(0), RandomTranslation(0, 0), RandomFlip()]
    still += [RandomBrightness(0), RandomContrast(0), RandomCrop(height, width), CenterCrop(height, width)]
    still += [RandomShear(), RandomColorJitter(), RandomColorJitter(WIDE, 0, 0), RandomGrayscale()]
    still += [RandomGaussianBlur(), RandomGaussianBlur((1, 1), 1), GaussianNoise(0), RandomErasing()]
    if channels > 1:
        still += [RandomSaturation((0.5, 0.5)), RandomHue(0), RandomColorJitter(WIDE, 0, 0, (0.5, 0.5), 0)]
    np.testing.assert_array_equal(apply(still, image, [0.7] * 50), image)


def test_transforms_are_applied_in_the_order_of_the_list() -> None:
    image = noise((40, 60, 3))
    right, half = RandomTranslation((0, 0), (0.5, 0.5), "constant"), RandomFlip("horizontal")
    shifted = np.zeros_like(image)
    shifted[:, 30:] = image[:, :30]
    np.testing.assert_array_equal(apply([right, half], image, [0, 0, 0]), shifted[:, ::-1])
    flipped_first = np.zeros_like(image)
    flipped_first[:, 30:] = image[:, ::-1][:, :30]
    np.testing.assert_array_equal(apply([half, right], image, [0, 0, 0]), flipped_first)


def test_each_transform_of_a_list_gets_its_own_draws() -> None:
    image = noise((40, 60, 3))
    transforms: list[Transform] = [
        RandomCrop(30, 50),
        RandomBrightness(0.3),
        RandomFlip(),
        RandomContrast(0.3),
    ]
    draws = [0.1, 0.9, 0.3, 0.2, 0.8]
    expected = image
    for transform, own in zip(transforms, (draws[:2], draws[2:3], draws[3:4], draws[4:]), strict=True):
        expected = apply([transform], expected, own)
    np.testing.assert_array_equal(apply(transforms, image, draws), expected)


def test_neighbours_that_look_up_alike_lose_nothing_at_the_edge_between_them() -> None:
    image = noise((40, 60, 1))
    away = RandomTranslation((0, 0), (0.5, 0.5), "constant")
    back = RandomTranslation((0, 0), (-0.5, -0.5), "constant")
    np.testing.assert_array_equal(apply([away, back], image, [0] * 4), image)


def test_neighbours_that_fill_differently_are_looked_up_one_after_another() -> None:
    image = noise((40, 60, 1))
    away = RandomTranslation((0, 0), (0.5, 0.5), "constant")
    back = RandomTranslation((0, 0), (-0.5, -0.5), "nearest")
    result = apply([away, back], image, [0] * 4)
    np.testing.assert_array_equal(result[:, :30], image[:, :30])
    np.testing.assert_array_equal(result[:, 30:], np.repeat(image[:, 29:30], 30, axis=1))


@pytest.mark.parametrize(
    ("second", "num_steps"),
    [
        (RandomZoom(0.2, fill_mode="wrap", interpolation="nearest", fill_value=3), 1),
        (RandomZoom(0.2, fill_mode="reflect", interpolation="nearest", fill_value=3), 2),
        (RandomZoom(0.2, fill_mode="wrap", interpolation="bilinear", fill_value=3), 2),
        (RandomZoom(0.2, fill_mode="wrap", interpolation="nearest", fill_value=4), 2),
    ],
)
def test_neighbours_are_merged_only_if_they_look_up_alike(second: RandomZoom, num_steps: int) -> None:
    first = RandomRotation(0.1, "wrap", "nearest", 3)
    pipeline = Pipeline([RandomFlip(), first, RandomFlip(), second], (9, 9), 1, "uint8", "uint8")
    assert len(pipeline._plan) == num_steps


def test_wrap_brings_what_leaves_on_one_side_in_on_the_other() -> None:
    image = noise((40, 60, 3))
    around = RandomTranslation((0.25, 0.25), (-0.5, -0.5), "wrap")
    np.testing.assert_array_equal(apply([around], image, [0, 0]), np.roll(image, (10, -30), (0, 1)))


@given(UNIT, SIDES, SIDES, CHANNELS)
def test_brightness_rounds_to_the_nearest_and_stops_at_black_and_white(
    draw: float, height: int, width: int, channels: int
) -> None:
    image = noise((height, width, channels))
    delta = RandomBrightness(1.0).delta([draw])
    exact = np.clip(image + delta, 0, 255)
    assert np.abs(apply([RandomBrightness(1.0)], image, [draw]) - exact).max() <= 0.5001


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1), (1, 1, 4), (1, 1, 1)])
@pytest.mark.parametrize("factor", [0.2, -0.2])
def test_an_image_of_as_many_pixels_as_opencv_has_channels_is_still_an_image(
    shape: tuple[int, int, int], factor: float
) -> None:
    image = noise(shape)
    result = apply([RandomBrightness((factor, factor))], image, [0.0])
    np.testing.assert_array_equal(result, np.clip(image + 255 * factor, 0, 255))


@given(UNIT, SIDES, SIDES, CHANNELS, DTYPES)
def test_contrast_stretches_about_the_mean_of_each_channel_and_stops_at_black_and_white(
    draw: float, height: int, width: int, channels: int, dtype: str
) -> None:
    image = noise((height, width, channels), dtype)
    contrast = RandomContrast((1.0, 0.5), WIDE)
    result = apply([contrast], image, [draw])
    means = image.mean((0, 1), dtype=np.float64)
    exact = (image - means) * contrast.stretch([draw]) + means
    assert np.abs(result - np.clip(exact, 0, np.iinfo(dtype).max)).max() <= 0.51


def test_floats_are_not_rounded_between_tone_curves() -> None:
    image = noise((20, 20, 3))
    brightness = RandomBrightness((0.1001, 0.1001))
    result = apply([brightness, Rescaling(1 / 255)], image, [0.0], "float32")
    exact = np.clip(image + 0.1001 * 255, 0, 255) / 255
    np.testing.assert_allclose(result, exact, atol=1e-6)


def test_rescaled_8_bit_pixels_are_rounded_once() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    result = apply([Rescaling(1 / 255)], image, [], "float32")
    np.testing.assert_array_equal(result, np.divide(image, 255, dtype=np.float32))


def test_float32_without_rescaling_keeps_the_values() -> None:
    image = noise((20, 20, 1))
    np.testing.assert_array_equal(apply([RandomFlip("vertical")], image, [0.1], "float32"), image[::-1])


@pytest.mark.parametrize(
    ("transforms", "in_dtype", "out_dtype"),
    [
        ([Rescaling(2)], "uint8", "uint8"),
        ([], "float32", "uint8"),
        ([], "uint8", "uint16"),
        ([], "uint16", "uint8"),
        ([], "uint8", "float64"),
    ],
)
def test_dtypes_that_do_not_go_together_are_refused(
    transforms: list[Transform], in_dtype: str, out_dtype: str
) -> None:
    with pytest.raises(ConfigurationError, match=out_dtype):
        Pipeline(transforms, (8, 8), 3, in_dtype, out_dtype)


def test_a_crop_that_does_not_fit_is_refused_before_any_image_comes() -> None:
    with pytest.raises(ConfigurationError, match="does not fit"):
        Pipeline([RandomCrop(9, 4)], (8, 8), 3, "uint8", "uint8")


@pytest.mark.parametrize(
    ("interpolation", "flag"),
    [
        ("nearest", cv2.INTER_NEAREST_EXACT),
        ("bilinear", cv2.INTER_LINEAR),
        ("bicubic", cv2.INTER_CUBIC),
        ("area", cv2.INTER_AREA),
    ],
)
def test_a_resized_crop_resizes_as_it_is_told(interpolation: str, flag: int) -> None:
    image = np.random.default_rng(2).integers(0, 256, (90, 120, 3), np.uint8)
    crop = RandomResizedCrop((0.5, 0.9), interpolation=interpolation)
    draws = np.array([0.4, 0.3, 0.8, 0.2])
    out = np.empty((32, 40, 3), np.uint8)
    Pipeline([crop], (32, 40), 3, "uint8", "uint8").apply(image, draws, out)
    top, left, height, width = crop.window(draws, (90, 120))
    part = image[top : top + height, left : left + width]
    np.testing.assert_array_equal(out, cv2.resize(part, (40, 32), interpolation=flag))
