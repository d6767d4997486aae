"""Arrays as pixels to look at: nothing is cut off unseen, no channel is taken for a colour that is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feedline.trainer.preview.shades import (
    CLASS_COLOURS,
    IGNORED,
    MOST_CHANNELS,
    Shades,
    planes_of,
    with_mask,
)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([3, 7], "uint8", (0, 255)),
        ([3, 700], "uint16", (0, 65535)),
        ([0, 1], "bool", (0, 1)),
        ([0.2, 1.0], "float32", (0, 1)),
        ([-0.2, 1.0], "float32", (-1, 1)),
        ([0.0, 1.5], "float32", (0, 255)),
        ([-3.0, 1.5], "float32", (-3, 1.5)),
        ([-1024, 3000], "int16", (-1024, 3000)),
    ],
)
def test_black_and_white_are_the_ends_of_what_such_values_usually_mean(
    values: list[Any], dtype: str, expected: tuple[float, float]
) -> None:
    shades = Shades.of([np.array(values, dtype)])
    assert (shades.black, shades.white) == expected


def test_all_images_share_one_choice_and_what_is_unusual_is_said() -> None:
    shades = Shades.of([np.array([0.0, 0.5]), np.array([-2.0, 0.5])])
    assert shades.in_words == "-2 black, 0.5 white"
    assert shades.pixels(np.array([-2.0, 0.5])).tolist() == [0, 255]
    assert Shades.of([np.zeros(1, np.uint8)]).in_words == ""
    assert Shades.of([np.zeros(1, np.int16)], hounsfield=True) == Shades(-1000, 1000)


def test_an_image_of_one_value_is_no_division_by_zero() -> None:
    assert Shades.of([np.full(2, 7, np.int16)]).pixels(np.full(2, 7, np.int16)).tolist() == [0, 0]


def test_colours_are_one_picture_and_other_channels_one_each() -> None:
    image = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(planes_of(image, is_colour=True)[0], image)
    windows = planes_of(image, is_colour=False)
    assert [plane[0, 0].tolist() for plane in windows] == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
    assert len(planes_of(np.zeros((1, 1, 99), np.uint8), is_colour=False)) == MOST_CHANNELS


def test_what_is_transparent_is_shown_on_white() -> None:
    image = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    assert planes_of(image, is_colour=True)[0].tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_a_mask_colours_its_classes_and_leaves_the_rest_as_it_is() -> None:
    picture = np.full((1, 3, 3), 100, np.uint8)
    laid = with_mask(picture, np.array([[[0], [1], [IGNORED]]], np.uint8))
    assert laid[0, 0].tolist() == [100, 100, 100]
    assert laid[0, 1].tolist() == np.round(0.45 * 100 + 0.55 * CLASS_COLOURS[0]).astype(int).tolist()
    assert laid[0, 2].tolist() == [115, 115, 115]


def test_a_mask_of_another_size_is_shown_alone() -> None:
    alone = with_mask(np.zeros((4, 4, 3), np.uint8), np.array([[0, 1]], np.uint8))
    assert alone.tolist() == [[[0, 0, 0], CLASS_COLOURS[0].tolist()]]
