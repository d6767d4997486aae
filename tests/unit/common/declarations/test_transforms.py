"""Declarations: what is accepted, what is drawn, and the form that travels."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.catalogue import from_wire, num_draws, output_dtype, output_size, to_wire
from feedline.errors import ConfigurationError, RemoteProtocolError
from feedline.transforms import (
    Albumentations,
    CenterCrop,
    CutMix,
    FillMode,
    Flip,
    GaussianNoise,
    Interpolation,
    Letterbox,
    MixUp,
    Mosaic,
    Normalization,
    PythonTransform,
    RandomBrightness,
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
    Transform,
    YoloAugment,
)

WITH_ALL_SORTS_OF_ARGUMENTS: tuple[Transform, ...] = (
    Flip("vertical"),
    RandomFlip("vertical"),
    RandomRotation((-0.1, 0.2), "constant", "nearest", 7.0),
    RandomTranslation(0.1, (0.0, 0.3), fill_mode="wrap"),
    RandomZoom(0.2),
    RandomShear(0.1, (0.0, 0.3), "nearest"),
    RandomCrop(32, 48),
    CenterCrop(16, 24),
    RandomBrightness(0.2, (0, 1)),
    RandomContrast((0.1, 0.9)),
    RandomSaturation((0.3, 0.7)),
    RandomHue(0.1),
    RandomColorJitter(brightness_factor=0.2, hue_factor=(0.1, 0.2)),
    RandomGrayscale(0.1),
    RandomGaussianBlur(sigma=(0.5, 2.0)),
    GaussianNoise(0.1),
    RandomErasing(fill_value=(1, 2, 3)),
    Rescaling(1 / 255, -1),
    RandomResizedCrop((0.1, 0.9)),
    MixUp(0.4),
    CutMix((0.2, 0.9)),
    Mosaic((0.3, 0.6)),
    Letterbox("pil"),
    YoloAugment(0.2, 0.2, 1.4, 1.3),
    Normalization((0.5, 0.4, 0.3), (0.1, 0.1, 0.1)),
    PythonTransform("my.module:blur", {"size": (3, 3), "by": {"channel": 1}}, image_size=(8, 9)),
    Albumentations({"transform": {"__class_fullname__": "HorizontalFlip", "p": 1.0}}),
)

EXAMPLES = tuple(declaration.example() for declaration in DECLARATIONS.values())

UNIT = st.floats(0.0, 1.0, exclude_max=True)


@pytest.mark.parametrize("declared", [EXAMPLES, WITH_ALL_SORTS_OF_ARGUMENTS])
def test_what_travels_through_msgpack_comes_back_equal(declared: tuple[Transform, ...]) -> None:
    assert from_wire(msgpack.unpackb(msgpack.packb(to_wire(declared), strict_types=True))) == declared


def test_a_declaration_can_be_a_key_and_cannot_be_changed() -> None:
    assert len({*EXAMPLES, *EXAMPLES}) == len(EXAMPLES)
    for example in EXAMPLES:
        with pytest.raises(FrozenInstanceError):
            setattr(example, fields(example)[0].name, 1)
    with pytest.raises(FrozenInstanceError):
        RandomFlip().mode = "vertical"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        ([["RandomWarp", {}]], "RandomWarp"),
        ([["Transform", {}]], "Transform"),
        ([["RandomFlip", {"axis": 1}]], "axis"),
        ([["RandomFlip", {"mode": "diagonal"}]], "diagonal"),
        ([["RandomRotation", {}]], "factor"),
        ([["RandomFlip"]], "RandomFlip"),
        ([17], "17"),
        ({"RandomFlip": {}}, "list of transforms"),
        (None, "None"),
        ([["RandomFlip", {1: 2}]], "RandomFlip"),
    ],
)
def test_what_is_not_a_list_of_known_transforms_is_refused(wire: object, text: str) -> None:
    with pytest.raises(RemoteProtocolError, match=text):
        from_wire(wire)


@pytest.mark.parametrize(
    ("make", "quoted"),
    [
        (lambda: RandomFlip("sideways"), "'sideways'"),
        (lambda: RandomRotation(1.5), "1.5"),
        (lambda: RandomRotation((-2.0, 0.5)), r"\(-2.0, 0.5\)"),
        (lambda: RandomRotation((0.1, 0.2, 0.3)), r"\(0.1, 0.2, 0.3\)"),
        (lambda: RandomRotation(math.nan), "nan"),
        (lambda: RandomRotation("0.1"), "'0.1'"),
        (lambda: RandomRotation(True), "True"),
        (lambda: RandomRotation(None), "None"),
        (lambda: RandomRotation(0.1, fill_mode="mirror"), "'mirror'"),
        (lambda: RandomRotation(0.1, interpolation="bicubic"), "'bicubic'"),
        (lambda: RandomRotation(0.1, fill_value=math.inf), "inf"),
        (lambda: RandomTranslation(0.1, 1.1), "width_factor of RandomTranslation.*1.1"),
        (lambda: RandomTranslation(0.1, None), "None"),
        (lambda: RandomZoom(-1.0), "-1.0"),
        (lambda: RandomZoom(0.1, (-1.0, 0.0)), r"width_factor of RandomZoom.*\(-1.0, 0.0\)"),
        (lambda: RandomCrop(0, 4), "height of RandomCrop.*0"),
        (lambda: RandomCrop(4, 4.5), "width of RandomCrop.*4.5"),
        (lambda: RandomBrightness(-1.01), "-1.01"),
        (lambda: RandomBrightness(0.1, 255), "255"),
        (lambda: RandomContrast(-0.1), "-0.1"),
        (lambda: RandomBrightness(0.1, (3, 3)), r"two ends.*\(3, 3\)"),
        (lambda: RandomShear(-0.1), "x_factor of RandomShear.*-0.1"),
        (lambda: RandomShear(0.1, (0.5, 1.5)), r"y_factor of RandomShear.*\(0.5, 1.5\)"),
        (lambda: CenterCrop(4, -1), "width of CenterCrop.*-1"),
        (lambda: RandomHue(-0.1), "-0.1"),
        (lambda: RandomColorJitter(saturation_factor=1.2), "saturation_factor of RandomColorJitter.*1.2"),
        (lambda: RandomGrayscale((0.1, 0.2)), r"\(0.1, 0.2\)"),
        (lambda: RandomGrayscale(1.5), "1.5"),
        (lambda: RandomGaussianBlur(kernel_size=4), "kernel_size of RandomGaussianBlur must be odd.*4"),
        (lambda: RandomGaussianBlur(kernel_size=(3, 5)), r"\(3, 5\)"),
        (lambda: RandomGaussianBlur(sigma=-1.0), "-1.0"),
        (lambda: GaussianNoise(25.5), "25.5"),
        (lambda: RandomErasing(scale=2), "scale of RandomErasing.*2"),
        (lambda: RandomErasing(fill_value="red"), "'red'"),
        (lambda: RandomErasing(fill_value=[]), r"\[\]"),
        (lambda: Normalization(0.5, (0.1, 0.2)), r"as many numbers, got 0.5 and \(0.1, 0.2\)"),
        (lambda: Normalization((0.5, 0.5), (0.1, -0.2)), r"\(0.1, -0.2\)"),
        (lambda: Normalization(None, None), "mean of Normalization.*None"),
        (lambda: Rescaling("1/255"), "'1/255'"),
        (lambda: Rescaling(1.0, math.nan), "offset of Rescaling.*nan"),
    ],
)
def test_a_value_that_cannot_work_is_refused_and_quoted(make: object, quoted: str) -> None:
    with pytest.raises(ConfigurationError, match=quoted):
        make()  # type: ignore[operator]


def test_numpy_numbers_and_lists_are_taken_and_travel_as_plain_values() -> None:
    declared = (
        RandomRotation([np.float32(0.25), np.float64(0.5)]),  # type: ignore[arg-type]
        RandomCrop(np.int64(8), np.int32(9)),  # type: ignore[arg-type]
        Normalization(np.array([0.5, 0.25]), np.array([1, 2])),  # type: ignore[arg-type]
    )
    assert msgpack.packb(to_wire(declared), strict_types=True)
    assert declared == (
        RandomRotation((0.25, 0.5)),
        RandomCrop(8, 9),
        Normalization((0.5, 0.25), (1.0, 2.0)),
    )


def test_names_may_be_given_as_members_or_as_text() -> None:
    assert RandomZoom(0.1, fill_mode=FillMode.WRAP, interpolation=Interpolation.NEAREST) == RandomZoom(
        0.1, fill_mode="wrap", interpolation="nearest"
    )


@given(UNIT)
def test_a_single_factor_means_the_range_on_both_sides_of_zero(draw: float) -> None:
    assert -72.0 <= RandomRotation(-0.2).angle([draw]) < 72.0
    assert RandomRotation(0.2).angle([draw]) == RandomRotation((0.2, -0.2)).angle([draw])
    assert -51.0 <= RandomBrightness(0.2).delta([draw]) < 51.0


@given(UNIT, UNIT)
def test_draws_run_through_the_whole_range_from_its_lower_end(first: float, second: float) -> None:
    down, right = RandomTranslation((0.1, 0.3), (-0.4, -0.2)).shift([first, second])
    assert down == pytest.approx(0.1 + 0.2 * first)
    assert right == pytest.approx(-0.4 + 0.2 * second)
    assert RandomZoom((0.1, 0.3), (-0.4, -0.2)).zoom([first, second]) == pytest.approx((1 + down, 1 + right))
    assert RandomContrast((0.3, 0.1)).stretch([first]) == pytest.approx(0.7 + 0.4 * first)
    assert RandomContrast(0.3).stretch([first]) == pytest.approx(0.7 + 0.6 * first)
    assert RandomBrightness((0.5, 1.0), (10, 20)).delta([first]) == pytest.approx(5 + 5 * first)


def test_a_zoom_without_width_factor_zooms_both_sides_alike_with_one_draw() -> None:
    height, width = RandomZoom((0.1, 0.9)).zoom([0.5])
    assert height == width == pytest.approx(1.5)
    assert (RandomZoom(0.1).num_draws, RandomZoom(0.1, 0.1).num_draws) == (1, 2)


@given(UNIT, UNIT, st.integers(1, 9), st.integers(1, 9))
def test_a_window_always_lies_in_the_image(first: float, second: float, height: int, width: int) -> None:
    crop = RandomCrop(height, width)
    top, left = crop.corner([first, second], (9, 9))
    assert 0 <= top <= 9 - height
    assert 0 <= left <= 9 - width


def test_every_place_of_a_window_is_drawn_alike() -> None:
    draws = (np.arange(700) + 0.5) / 700
    tops = [RandomCrop(3, 3).corner([draw, 0.0], (9, 3))[0] for draw in draws]
    assert np.bincount(tops).tolist() == [100] * 7


def test_half_of_all_images_are_flipped() -> None:
    assert sum(RandomFlip().flips([draw / 1000]) for draw in range(1000)) == 500


def test_sizes_go_through_all_transforms() -> None:
    assert output_size((RandomFlip(), RandomCrop(8, 6), RandomCrop(4, 5)), (10, 10)) == (4, 5)
    assert output_size((), (10, 11)) == (10, 11)


@pytest.mark.parametrize("size", [(31, 48), (32, 47)])
def test_a_crop_that_does_not_fit_is_refused_with_both_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(ConfigurationError, match=rf"height=32, width=48.*\({size[0]}, {size[1]}\)"):
        output_size([RandomCrop(32, 48)], size)


def test_a_batch_is_float32_if_asked_for_or_rescaled() -> None:
    assert output_dtype([RandomFlip()], "uint8") == "uint8"
    assert output_dtype([RandomFlip()], "uint16") == "uint16"
    assert output_dtype([RandomFlip()], "float32") == "float32"
    assert output_dtype([Rescaling(2), RandomFlip()], "uint8") == "float32"
    assert output_dtype([RandomFlip(), Normalization(127.5, 1000.0)], "uint8") == "float32"
    with pytest.raises(ConfigurationError, match="'int8'"):
        output_dtype([], "int8")


@pytest.mark.parametrize(
    "transform",
    [RandomBrightness(0.1), RandomContrast(0.1), RandomHue(0.1), RandomErasing(), GaussianNoise(0.1)],
)
def test_16_bit_pixels_are_not_clipped_to_255_by_a_forgotten_value_range(transform: Transform) -> None:
    with pytest.raises(ConfigurationError, match=r"value_range=\(0, 65535\)"):
        output_dtype([transform], "uint16")
    assert output_dtype([RandomBrightness(0.1, (0, 4095))], "uint16") == "uint16"
    assert output_dtype([Rescaling(1 / 257), transform], "uint16") == "float32"


def test_draws_are_counted_over_all_transforms() -> None:
    geometry, tones, colors, detail = (
        1 + 1 + 1 + 2 + 1 + 3 + 2 + 0,
        1 + 1 + 0 + 0,
        1 + 2 + (1 + 2) + 1,
        3 + 1 + 6,
    )
    framings, mixings, calls = 4 + 0 + 11, 1 + 4 + 2, 2 + 2
    assert (
        num_draws(WITH_ALL_SORTS_OF_ARGUMENTS)
        == geometry + tones + colors + detail + framings + mixings + calls
    )


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (RandomFlip(), None),
        (RandomCrop(3, 4), CenterCrop(3, 4)),
        (CenterCrop(3, 4), CenterCrop(3, 4)),
        (Rescaling(2), Rescaling(2)),
        (YoloAugment(resample="pil"), Letterbox("pil")),
        (PythonTransform("mine:prepare"), PythonTransform("mine:prepare")),
    ],
)
def test_a_model_is_judged_without_what_is_left_to_chance(
    transform: Transform, expected: Transform | None
) -> None:
    assert transform.without_chance == expected


@pytest.mark.parametrize(
    ("factor", "turns"), [(20, "20/360"), (-90.0, "-90/360"), ((-20, 20), "-20/360 and 20/360")]
)
def test_a_rotation_by_degrees_is_answered_in_turns(factor: Any, turns: str) -> None:
    with pytest.raises(ConfigurationError, match=f"a fraction of a full turn, of degrees {turns}"):
        RandomRotation(factor)
