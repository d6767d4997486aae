"""What a compound does is what the list does that it comes to, to images and to all that follows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
from golden import SMALL, Golden
from hypothesis import given
from hypothesis import strategies as st
from like_keras import PHOTOS, Array, assert_alike, ours, point, theirs

from feedline import from_keras_layers
from feedline.common.declarations.catalogue import num_draws
from feedline.common.sample.companions import Role
from feedline.producer.transforms import Pipeline as Prepared
from feedline.producer.transforms import compose
from feedline.transforms import (
    CenterCrop,
    CutMix,
    Pipeline,
    RandomApply,
    RandomBrightness,
    RandomChoice,
    RandomContrast,
    RandomCrop,
    RandomElasticTransform,
    RandomErasing,
    RandomFlip,
    RandomPerspective,
    RandomPosterization,
    RandomRotation,
    RandomTranslation,
    Rescaling,
    Transform,
)

GOLDEN: list[Golden] = [
    (Pipeline((RandomFlip("horizontal"), RandomBrightness(0.4))), [0.3, 0.7123], SMALL, "65f168bc5df1d6aa"),
    (
        RandomChoice((RandomFlip("horizontal"), RandomBrightness(0.4))),
        [0.6, 0.3, 0.7123],
        SMALL,
        "1863b8bdbe4e05a5",
    ),
    (RandomApply((RandomBrightness(0.4),)), [0.4, 0.7123], SMALL, "1863b8bdbe4e05a5"),
]

PHOTO = PHOTOS["astronaut"]
SIZE = PHOTO.shape[:2]
CLASSES = (PHOTO[:, :, :1] // 8).copy()
BOXES = np.array([[10, 20, 110, 90, 3], [200, 100, 390, 290, 1]], np.float32)

BRANCHES: list[tuple[Transform, ...]] = [
    (RandomRotation(0.1, "constant"), RandomFlip(), RandomBrightness(0.4)),
    (RandomContrast(0.5),),
    (RandomTranslation(0.3, 0.3, "constant"),),
    (RandomPerspective.example(), RandomElasticTransform.example()),
    (),
]
SIZES: list[tuple[Transform, ...]] = [(RandomCrop(100, 120),), (RandomFlip(), CenterCrop(100, 120))]


def draws_of_branch(branches: Sequence[Sequence[Transform]], index: int, own: Sequence[float]) -> list[float]:
    """Draws by which a choice takes one of its branches, which draws `own`."""
    draws = [(index + 0.5) / len(branches)]
    for place, branch in enumerate(branches):
        draws += own if place == index else [0.123] * num_draws(branch)
    return draws


def moved(transforms: Sequence[Transform], draws: Sequence[float]) -> Array:
    prepared = Prepared(transforms, SIZE, 3, "uint8", "float32")
    return prepared.move(BOXES, np.array(draws), SIZE)


def seen_as(role: Role, image: Array, transforms: Sequence[Transform], draws: Sequence[float]) -> Array:
    out_dtype = "uint8" if role is Role.MASK else "float32"
    prepared = Prepared(transforms, SIZE, image.shape[2], "uint8", out_dtype, role)
    out = np.empty(prepared.output_shape, out_dtype)
    prepared.apply(image, np.array(draws), out)
    return out


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("name", PHOTOS)
def test_a_pipeline_in_a_list_is_what_its_parts_are_there(name: str, dtype: str) -> None:
    parts = [RandomRotation(0.1), RandomTranslation(0.2, 0.2), RandomContrast(0.4)]
    nested = [parts[0], Pipeline((Pipeline((parts[1],)), parts[2]))]
    draws = [0.9, 0.1, 0.8, 0.7]
    np.testing.assert_array_equal(
        ours(nested, PHOTOS[name], draws, dtype), ours(parts, PHOTOS[name], draws, dtype)
    )


def test_a_pipeline_does_what_the_keras_layer_of_its_name_does() -> None:
    layer = keras.layers.Pipeline([
        keras.layers.RandomRotation(point(0.1)), keras.layers.RandomBrightness(point(0.2))
    ])  # fmt: skip
    declared = Pipeline((RandomRotation(point(0.1)), RandomBrightness(point(0.2))))
    assert from_keras_layers([layer]) == declared.transforms
    assert_alike(ours([declared], PHOTO, [0.5, 0.5]), theirs(layer, PHOTO))


@pytest.mark.parametrize("branches", [BRANCHES, SIZES], ids=["of one size", "to another size"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_choice_does_one_of_its_lists_and_nothing_else(
    branches: list[tuple[Transform, ...]], dtype: str
) -> None:
    for index, branch in enumerate(branches):
        own = np.random.default_rng(index).random(num_draws(branch)).tolist()
        choice = RandomChoice(branches)
        draws = draws_of_branch(branches, index, own)
        np.testing.assert_array_equal(
            ours([choice], PHOTO, draws, dtype), ours(branch, PHOTO, own, dtype), str(branch)
        )


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_in_the_middle_of_a_list_a_choice_hands_on_what_its_list_has_made(dtype: str) -> None:
    before, after = RandomContrast(0.2), RandomErasing()
    draws_after = [0.4, 0.6, 0.9, 0.3, 0.2, 0.8]
    for index, branch in enumerate(BRANCHES):
        own = np.random.default_rng(index).random(num_draws(branch)).tolist()
        choice = RandomChoice(BRANCHES)
        draws = draws_of_branch(BRANCHES, index, own)
        np.testing.assert_array_equal(
            ours([before, choice, after], PHOTO, [0.4, *draws, *draws_after], dtype),
            ours([before, *branch, after], PHOTO, [0.4, *own, *draws_after], dtype),
            str(branch),
        )


@pytest.mark.parametrize("branches", [BRANCHES, SIZES], ids=["of one size", "to another size"])
def test_boxes_and_masks_go_where_the_pixels_of_the_chosen_list_go(
    branches: list[tuple[Transform, ...]],
) -> None:
    for index, branch in enumerate(branches):
        own = np.random.default_rng(index).random(num_draws(branch)).tolist()
        # A crop, because a flip would become one look-up with what comes after it.
        before = RandomCrop(250, 350)
        transforms, plain = [before, RandomChoice(branches)], [before, *branch]
        draws, own = [0.1, 0.8, *draws_of_branch(branches, index, own)], [0.1, 0.8, *own]
        np.testing.assert_array_equal(moved(transforms, draws), moved(plain, own))
        np.testing.assert_array_equal(
            seen_as(Role.MASK, CLASSES, transforms, draws), seen_as(Role.MASK, CLASSES, plain, own)
        )


def test_an_image_to_predict_goes_where_pixels_go_and_is_not_changed_by_chance() -> None:
    branch = (RandomFlip("horizontal"), RandomBrightness((0.4, 0.4)), RandomPosterization(2))
    choice, draws = RandomApply(branch, 1.0), [0.0, 0.1, 0.5, 0.5]
    np.testing.assert_array_equal(seen_as(Role.TARGET, PHOTO, [choice], draws), PHOTO[:, ::-1])
    scaled = seen_as(Role.TARGET, PHOTO, [choice, Pipeline((Rescaling(2.0),))], draws)
    np.testing.assert_array_equal(scaled, 2.0 * PHOTO[:, ::-1])
    rescaled = RandomChoice((Rescaling(2.0), Pipeline((Rescaling(3.0), CenterCrop(*SIZE)))))
    np.testing.assert_array_equal(seen_as(Role.TARGET, PHOTO, [rescaled], [0.7]), PHOTO)
    np.testing.assert_array_equal(seen_as(Role.INPUT, PHOTO, [rescaled], [0.7]), 3.0 * PHOTO)


@pytest.mark.parametrize("draw", [0.1, 0.5])
def test_floats_are_made_of_each_image_where_one_list_makes_some(draw: float) -> None:
    choice = RandomChoice((CenterCrop(*SIZE), Pipeline(()), RandomContrast(0.3)))
    transforms = [choice, RandomRotation(0.1)]
    # Looked up in floats, between pixels nothing is rounded.
    expected = ours([Rescaling(1.0), RandomRotation(0.1)], PHOTO, [0.7], "float32")
    np.testing.assert_array_equal(ours(transforms, PHOTO, [draw, 0.5, 0.7], "float32"), expected)


def test_a_choice_within_a_choice_has_draws_of_its_own() -> None:
    inner = RandomApply((RandomBrightness(0.4),))
    outer = RandomChoice((RandomFlip(), inner, RandomContrast(0.3)))
    assert outer.num_draws == 1 + 1 + (1 + 1) + 1
    brightened = ours([RandomBrightness(0.4)], PHOTO, [0.9])
    np.testing.assert_array_equal(ours([outer], PHOTO, [0.5, 0.0, 0.2, 0.9, 0.0]), brightened)
    np.testing.assert_array_equal(ours([outer], PHOTO, [0.5, 0.0, 0.7, 0.9, 0.0]), PHOTO)


@given(st.data())
def test_what_one_part_draws_changes_no_other(data: st.DataObject) -> None:
    choice = RandomChoice((RandomRotation(0.1), RandomBrightness(0.4), RandomContrast(0.4)))
    image = PHOTO[:20, :20]
    draws = data.draw(st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4))
    chosen = 1 + int(draws[0] * 3)
    others = [draw if place in {0, chosen} else 0.5 for place, draw in enumerate(draws)]
    np.testing.assert_array_equal(ours([choice], image, draws), ours([choice], image, others))


def test_lists_inside_keep_nothing_of_an_image_and_only_read_it() -> None:
    choice = RandomChoice(((RandomRotation(0.1), RandomContrast(0.2)), (), RandomTranslation(0.1, 0.1)))
    prepared = Prepared([choice, RandomBrightness(0.1)], SIZE, 3, "uint8", "float32")
    photo = PHOTO.copy()
    photo.setflags(write=False)
    out, again = np.empty((2, *PHOTO.shape), np.float32)
    for draw in (0.1, 0.5, 0.9):
        draws = np.array([draw, 0.8, 0.7, 0.6, 0.5, 0.4])
        prepared.apply(photo, draws, out)
        prepared.apply(255 - photo, draws, again)
        prepared.apply(photo, draws, again)
        np.testing.assert_array_equal(out, again)


def test_a_mixing_takes_what_a_choice_has_made() -> None:
    transforms = [RandomApply((RandomBrightness((0.2, 0.2)),)), CutMix()]
    composition = compose(transforms, SIZE, 3, "uint8", "float32")
    out = np.empty(PHOTO.shape, np.float32)
    draws = np.array([0.1, 0.5, 0.9, 0.5, 0.5, 0.4, 0.6, 0.6])
    composition.run(composition.prepare(draws), iter([PHOTO, PHOTO]), out)
    changed = np.unique(out - PHOTO).tolist()
    assert 0.0 in changed
    assert 51.0 in changed


@pytest.mark.parametrize("num", [1, 2, 3, 7])
def test_each_of_several_is_chosen_alike(num: int) -> None:
    choice = RandomChoice(tuple(RandomFlip() for _ in range(num)))
    draws: list[Any] = [[(index + 0.5) / (100 * num)] for index in range(100 * num)]
    assert np.bincount([choice.branch(draw) for draw in draws]).tolist() == [100] * num


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0])
def test_a_factor_is_the_share_of_images(factor: float) -> None:
    apply = RandomApply((RandomFlip(),), factor)
    assert sum(apply.branch([index / 1000]) for index in range(1000)) == 1000 * factor
