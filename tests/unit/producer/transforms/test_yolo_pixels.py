"""`Letterbox` and `YoloAugment` against a literal implementation with Pillow and matplotlib."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import literal_yolo
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from feedline.common.declarations.yolo import Distortion
from feedline.errors import ConfigurationError
from feedline.producer.transforms.functions.yolo import distort, letterbox, yolo_augment
from feedline.transforms import Letterbox, YoloAugment

Array = npt.NDArray[Any]
Size = tuple[int, int]

PHOTOGRAPHS = [data.coffee()[:375, :500].copy(), data.chelsea(), data.astronaut()[100:500, 200:300].copy()]
CANVASES = [(416, 416), (320, 608), (96, 64)]
SEEDS = st.integers(0, 2**31)


def draws_of(seed: int) -> Array:
    """Eleven draws, from the generator that the original draws from."""
    return np.random.RandomState(seed).random_sample(11)


def augment(photograph: Array, canvas: Size, draws: Array, dtype: str = "uint8", **options: Any) -> Array:
    action, _ = yolo_augment(YoloAugment(**options), draws, photograph.shape[:2], canvas)
    return action(photograph, np.empty((*canvas, 3), dtype))


def boxed(photograph: Array, canvas: Size, **options: Any) -> Array:
    action, _ = letterbox(Letterbox(**options), np.empty(0), photograph.shape[:2], canvas)
    return action(photograph, np.empty((*canvas, *photograph.shape[2:]), photograph.dtype))


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=["coffee", "chelsea", "astronaut"])
def test_a_letterbox_by_pillow_equals_the_literal_one(photograph: Array, canvas: Size) -> None:
    theirs = literal_yolo.letterboxed(photograph, canvas)
    np.testing.assert_array_equal(boxed(photograph, canvas, resample="pil"), theirs)


@given(SEEDS, st.sampled_from(CANVASES), st.sampled_from(range(3)))
@settings(max_examples=40, deadline=None)
def test_before_colours_pixels_by_pillow_equal_the_literal_ones(seed: int, canvas: Size, which: int) -> None:
    draws = draws_of(seed)
    theirs = literal_yolo.placed(PHOTOGRAPHS[which], canvas, draws)
    mine = augment(PHOTOGRAPHS[which], canvas, draws, resample="pil", hue=0, saturation=1, value=1)
    np.testing.assert_array_equal(mine, theirs)


@given(SEEDS, st.sampled_from(range(3)))
@settings(max_examples=20, deadline=None)
def test_after_colours_pixels_by_pillow_are_the_literal_ones_rounded(seed: int, which: int) -> None:
    draws = draws_of(seed)
    theirs = 255.0 * literal_yolo.augmented(PHOTOGRAPHS[which], (416, 416), draws)
    rounded = augment(PHOTOGRAPHS[which], (416, 416), draws, resample="pil")
    exact = augment(PHOTOGRAPHS[which], (416, 416), draws, "float32", resample="pil")
    assert np.abs(rounded - theirs).max() < 0.51
    assert np.abs(exact - theirs).max() < 0.01


@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.floats(-1, 1),
    st.floats(0.1, 10),
    st.floats(0.1, 10),
)
def test_any_colour_is_changed_as_matplotlib_changes_it(
    red: int, green: int, blue: int, hue: float, saturation: float, value: float
) -> None:
    # Draws that come to these numbers: a span of one point, and a coin that does not divide.
    draws = np.array([0] * 6 + [1.0, 0.0, 1.0, 0.0, 1.0])
    colour = np.array([[[red, green, blue]]], np.uint8)
    theirs = 255.0 * literal_yolo.distorted(colour, draws, hue, (saturation, value))
    mine = distort(colour, Distortion(hue, saturation, value), np.empty((1, 1, 3), np.float32))
    assert np.abs(mine - theirs).max() < 0.01


def test_the_fast_resize_looks_the_same() -> None:
    for seed in range(20):
        draws, canvas = draws_of(seed), (416, 416)
        theirs = literal_yolo.placed(PHOTOGRAPHS[0], canvas, draws)
        mine = augment(PHOTOGRAPHS[0], canvas, draws, hue=0, saturation=1, value=1)
        assert np.abs(mine.astype(float) - theirs).mean() < 1.5
    fast = boxed(PHOTOGRAPHS[0], (416, 416))
    assert np.abs(fast.astype(float) - boxed(PHOTOGRAPHS[0], (416, 416), resample="pil")).mean() < 1.5


@given(SEEDS, st.sampled_from(CANVASES), st.integers(1, 700), st.integers(1, 700))
@settings(deadline=None)
def test_the_matrix_takes_points_to_where_the_pixels_go(seed: int, canvas: Size, top: int, left: int) -> None:
    # A square of white on black: its edges on the canvas, to a pixel, are where the matrix says.
    source = np.zeros((900, 1000, 3), np.uint8)
    source[top : top + 200, left : left + 300] = 255
    declaration = YoloAugment(hue=0, saturation=1, value=1)
    action, matrix = yolo_augment(declaration, draws_of(seed), source.shape[:2], canvas)
    is_white = action(source, np.empty((*canvas, 3), np.uint8))[..., 0] > 191
    corners = matrix @ np.array([[left, left + 300], [top, top + 200], [1, 1]])
    (x1, x2), (y1, y2) = np.sort(corners[:2]).clip(0, [[canvas[1]], [canvas[0]]])
    expected = np.zeros(canvas, np.uint8)
    inner = expected.copy()
    expected[int(max(y1 - 1, 0)) : int(y2 + 2), int(max(x1 - 1, 0)) : int(x2 + 2)] = 1
    inner[int(y1 + 2) : max(int(y2 - 1), 0), int(x1 + 2) : max(int(x2 - 1), 0)] = 1
    assert not (is_white & (expected == 0)).any()
    assert is_white[inner == 1].all()


def test_a_letterbox_maps_the_corners_of_the_photograph_to_those_of_its_copy() -> None:
    _, matrix = letterbox(Letterbox(), np.empty(0), (375, 500), (416, 416))
    np.testing.assert_allclose(matrix @ [0, 0, 1], [0, 52, 1])
    np.testing.assert_allclose(matrix @ [500, 375, 1], [416, 364, 1])


def hand_made(size: Size) -> Array:
    """Pixels by whole numbers alone, the same for ever."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack([(7 * x + 3 * y) % 256, (x * y // 5) % 256, (x * x // 11 + y) % 256], -1).astype(np.uint8)


STORED = [
    # size, canvas, seed: the first half of the letterbox's SHA-256, and the sum of the augmented values
    ((375, 500), (416, 416), 0, "ade215f38614edb4", 369351.560),
    ((200, 90), (416, 416), 1, "faaf6c535556062d", 214181.450),
    ((300, 400), (320, 608), 2, "1c65d5bcbdce2324", 373134.897),
    ((375, 500), (416, 416), 5, "ade215f38614edb4", 273512.296),
]
"""Made with ``get_random_data`` of qqwweee/keras-yolo3 (e6598d1) itself, after ``np.random.seed``."""


@pytest.mark.parametrize(("size", "canvas", "seed", "sha", "total"), STORED)
def test_the_original_made_the_same(size: Size, canvas: Size, seed: int, sha: str, total: float) -> None:
    letter = boxed(hand_made(size), canvas, resample="pil")
    assert hashlib.sha256(letter.tobytes()).hexdigest()[:16] == sha
    values = augment(hand_made(size), canvas, draws_of(seed), "float32", resample="pil")
    assert values.sum(dtype=np.float64) / 255.0 == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("channels", [1, 4])
def test_a_letterbox_takes_any_channels(channels: int) -> None:
    photograph = np.full((30, 60, channels) if channels > 1 else (30, 60), 200, np.uint8)
    for resample in ("opencv", "pil"):
        result = boxed(photograph, (64, 64), resample=resample)
        assert (result[:16] == 128).all()
        assert (result[48:] == 128).all()
        assert (result[16:48] == 200).all()


def test_a_letterbox_by_opencv_keeps_16_bits() -> None:
    result = boxed(np.full((30, 60, 3), 40_000, np.uint16), (64, 64))
    assert result[32].tolist() == [[40_000] * 3] * 64


@pytest.mark.parametrize(
    ("photograph", "text"),
    [
        (np.zeros((8, 8), np.uint8), "1 channels of uint8"),
        (np.zeros((8, 8, 4), np.uint8), "4 channels of uint8"),
        (np.zeros((8, 8, 3), np.uint16), "3 channels of uint16"),
    ],
)
def test_colours_of_other_pixels_are_not_guessed(photograph: Array, text: str) -> None:
    action, _ = yolo_augment(YoloAugment(), draws_of(0), (8, 8), (32, 32))
    with pytest.raises(ConfigurationError, match=text):
        action(photograph, np.empty((32, 32, *photograph.shape[2:]), photograph.dtype))


def test_the_smallest_canvas_still_shows_a_pixel() -> None:
    for seed in range(50):
        assert augment(PHOTOGRAPHS[0], (1, 1), draws_of(seed)).shape == (1, 1, 3)
    assert boxed(np.zeros((2, 900, 3), np.uint8), (32, 32)).shape == (32, 32, 3)


def test_what_comes_in_is_only_read() -> None:
    photograph = PHOTOGRAPHS[0].copy()
    photograph.setflags(write=False)
    first = augment(photograph, (416, 416), draws_of(1))
    np.testing.assert_array_equal(augment(photograph, (416, 416), draws_of(1)), first)
    np.testing.assert_array_equal(photograph, PHOTOGRAPHS[0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"jitter": 1.0}, r"jitter of YoloAugment must be a number in \[0, 0.9\], got 1.0"),
        ({"hue": -0.1}, r"hue of YoloAugment must be a number in \[0, 1\]"),
        ({"saturation": 0}, r"saturation of YoloAugment must be a number in \[0.1, 10\], got 0"),
        ({"value": math.nan}, "value of YoloAugment must be a finite number"),
        ({"resample": "cubic"}, r"resample of YoloAugment must be one of \['opencv', 'pil'\], got 'cubic'"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        YoloAugment(**arguments)
