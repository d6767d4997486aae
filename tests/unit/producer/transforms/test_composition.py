"""Samples that are mixed: their images, their labels and their boxes, in equal shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline.common.draws import beta
from feedline.common.sample.companions import Role
from feedline.producer.transforms import compose
from feedline.transforms import (
    CutMix,
    MixUp,
    Mosaic,
    RandomBrightness,
    RandomCrop,
    RandomFlip,
    Rescaling,
    Transform,
)

Pixels = npt.NDArray[Any]
SIZE = (48, 64)
UNIT = st.floats(0.0, 1.0, exclude_max=True)


def plain(value: int, size: tuple[int, int] = SIZE) -> Pixels:
    return np.full((*size, 3), value, np.uint8)


def mixed(transforms: list[Transform], draws: npt.NDArray[np.float64], *images: Pixels) -> Pixels:
    composition = compose(transforms, SIZE, 3, "uint8", "uint8")
    assert composition.num_sources == len(images)
    assert composition.num_draws == len(draws)
    out = np.empty((*SIZE, 3), np.uint8)
    composition.run(composition.prepare(draws), iter(images), out)
    return out


def shares(transforms: list[Transform], draws: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return compose(transforms, SIZE, 3, "uint8", "uint8").shares(draws)


@given(UNIT)
def test_mixup_blends_pixels_in_the_shares_of_the_labels(draw: float) -> None:
    out = mixed([MixUp(0.4)], np.array([draw]), plain(200), plain(40))
    first, second = shares([MixUp(0.4)], np.array([draw]))
    assert first + second == pytest.approx(1.0)
    assert np.abs(out - (200 * first + 40 * second)).max() <= 0.51


@given(st.lists(UNIT, min_size=4, max_size=4))
def test_the_labels_of_a_cutmix_are_shared_by_area(draws: list[float]) -> None:
    out = mixed([CutMix()], np.array(draws), plain(1), plain(0))
    assert shares([CutMix()], np.array(draws))[0] == pytest.approx((out[..., 0] == 1).mean())
    rows, columns = np.nonzero(out[..., 0] == 0)
    if len(rows):
        assert (np.ptp(rows) + 1) * (np.ptp(columns) + 1) == len(rows), "it is one whole rectangle"


@given(st.lists(UNIT, min_size=2, max_size=2))
def test_a_mosaic_shows_of_each_image_the_corner_at_which_all_meet(draws: list[float]) -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.uint8)
    images = [np.dstack([np.full_like(x, index), y, x]) for index in range(4)]
    out = mixed([Mosaic()], np.array(draws), *images)
    rows, columns = (out[:, 0, 0] == 0).sum(), (out[0, :, 0] == 0).sum()
    assert 0.25 * SIZE[0] - 1 <= rows <= 0.75 * SIZE[0] + 1
    assert (out[:rows, :columns] == images[0][SIZE[0] - rows :, SIZE[1] - columns :]).all()
    assert (out[:rows, columns:] == images[1][SIZE[0] - rows :, : SIZE[1] - columns]).all()
    assert (out[rows:, :columns] == images[2][: SIZE[0] - rows, SIZE[1] - columns :]).all()
    assert (out[rows:, columns:] == images[3][: SIZE[0] - rows, : SIZE[1] - columns]).all()
    assert shares([Mosaic()], np.array(draws)) == pytest.approx(
        [(out[..., 0] == index).mean() for index in range(4)]
    )


@given(st.lists(UNIT, min_size=2, max_size=2))
def test_boxes_of_a_mosaic_are_those_of_its_masks(draws: list[float]) -> None:
    composition = compose([Mosaic()], SIZE, 1, "uint8", "uint8", Role.MASK)
    boxes = [np.array([[5 + 9 * i, 7 + 6 * i, 25 + 9 * i, 22 + 6 * i, i]], np.float32) for i in range(4)]
    masks = []
    for one in boxes:
        x1, y1, x2, y2, index = one[0].astype(int)
        masks.append(np.zeros((*SIZE, 1), np.uint8))
        masks[-1][y1:y2, x1:x2] = index + 1
    out = np.empty((*SIZE, 1), np.uint8)
    composition.run(composition.prepare(np.array(draws)), iter(masks), out)
    moved = composition.move(np.array(draws), iter((one, SIZE) for one in boxes))
    assert set(moved[:, 4] + 1) == set(np.unique(out)) - {0}
    for x1, y1, x2, y2, index in moved:
        rows, columns = np.nonzero(out[..., 0] == index + 1)
        assert (x1, y1, x2, y2) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_a_box_that_a_patch_hides_is_dropped_and_one_beside_it_stays() -> None:
    composition = compose([CutMix((1.0, 1.0))], SIZE, 3, "uint8", "uint8")
    draws = np.array([0.5, 0.4, 0.5, 0.5])
    out = mixed([CutMix((1.0, 1.0))], draws, plain(1), plain(0))
    rows, columns = np.nonzero(out[..., 0] == 0)
    hidden = (columns.min() + 1, rows.min() + 1, columns.min() + 3, rows.min() + 3, 7)
    beside = (0, 0, columns.min(), rows.min(), 8)
    under = np.array([hidden, beside], np.float32)
    moved = composition.move(draws, iter([(under, SIZE), (under[:0], SIZE)]))
    assert moved[:, 4].tolist() == [8]


def test_boxes_of_both_images_of_a_mixup_are_there() -> None:
    one, other = (np.array([[1, 2, 30, 40, index]], np.float32) for index in (3, 5))
    moved = compose([MixUp()], SIZE, 3, "uint8", "uint8").move(
        np.array([0.5]), iter([(one, SIZE), (other, SIZE)])
    )
    assert moved[:, 4].tolist() == [3, 5]


def test_what_stands_before_a_mixing_draws_for_each_image_and_what_stands_after_it_once() -> None:
    transforms = [RandomBrightness((0.0, 0.5)), MixUp(1.0), RandomFlip("horizontal")]
    ramp = np.tile(np.arange(64, dtype=np.uint8)[:, None], (48, 1, 3))
    draws = np.array([0.2, 0.6, 0.37, 0.1])
    share = beta(1.0, 0.37)
    out = mixed(transforms, draws, ramp, ramp + 10)
    expected = (ramp + round(0.1 * 255)) * share + (ramp + 10.0 + round(0.3 * 255)) * (1 - share)
    assert np.abs(out - expected[:, ::-1]).max() <= 1.01


def test_mixings_of_mixings_take_as_many_images_as_they_multiply_to() -> None:
    transforms: list[Transform] = [RandomFlip("vertical"), Mosaic(), RandomCrop(*SIZE), MixUp(1.0)]
    composition = compose(transforms, SIZE, 3, "uint8", "uint8")
    assert composition.num_sources == 8
    assert composition.num_draws == 2 * (4 * 1 + 2 + 2) + 1
    draws = np.linspace(0.05, 0.95, composition.num_draws)
    out = mixed(transforms, draws, *(plain(20 * index) for index in range(8)))
    assert composition.shares(draws).sum() == pytest.approx(1.0)
    mean = composition.shares(draws) @ (20.0 * np.arange(8))
    assert out.mean() == pytest.approx(mean, abs=1.0)


def test_floats_are_not_rounded_on_their_way_through_a_mixing() -> None:
    composition = compose([Rescaling(1 / 255), MixUp(1.0)], SIZE, 3, "uint8", "float32")
    out = np.empty((*SIZE, 3), np.float32)
    composition.run(composition.prepare(np.array([0.3])), iter([plain(255), plain(0)]), out)
    assert out == pytest.approx(beta(1.0, 0.3), abs=1e-6)


def test_numbers_from_beta_have_its_mean_and_variance() -> None:
    for alpha in (0.2, 1.0, 4.0):
        numbers = np.array([beta(alpha, draw) for draw in np.random.default_rng(5).random(4000)])
        assert numbers.mean() == pytest.approx(0.5, abs=0.03)
        assert numbers.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)
