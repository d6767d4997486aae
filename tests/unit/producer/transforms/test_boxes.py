"""Boxes go where the pixels under them go: compared with the boxes of masks that are warped the same way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedline.common.declarations.base import FillMode
from feedline.common.declarations.catalogue import is_framed
from feedline.common.declarations.filling import settled
from feedline.common.sample.boxes import NO_BOX, BoxSpec, pack, unpack
from feedline.common.sample.companions import Role
from feedline.common.sample.image import ImageSpec
from feedline.errors import ConfigurationError, RemoteProtocolError
from feedline.producer.reading.fitting import fit, matrix_of_fit
from feedline.producer.transforms import Pipeline
from feedline.producer.transforms.boxes import dropped_below, moved_into
from feedline.transforms import (
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Transform,
)

SIZE = (90, 120)
UNIT = st.floats(0.0, 1.0, exclude_max=True)
MOVING: list[Transform] = [
    RandomFlip("horizontal"),
    RandomFlip("vertical"),
    RandomRotation(0.5, "constant"),
    RandomRotation((0.0, 0.1), "constant", "nearest"),
    RandomTranslation(0.4, 0.4, "constant"),
    RandomZoom((-0.4, 0.8), fill_mode="constant"),
    RandomZoom(0.3, 0.3, "constant"),
    RandomCrop(64, 70),
]


def boxes_of(*corners: tuple[float, float, float, float]) -> npt.NDArray[np.float32]:
    return np.array([(*box, index) for index, box in enumerate(corners)], np.float32).reshape(-1, 5)


def mask_of(box: npt.NDArray[Any], size: tuple[int, int] = SIZE) -> npt.NDArray[np.uint8]:
    """Ones where a box of whole pixels is."""
    x1, y1, x2, y2 = box[:4].astype(int)
    mask = np.zeros((*size, 1), np.uint8)
    mask[y1:y2, x1:x2] = 1
    return mask


def box_around(mask: npt.NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    rows, columns = np.nonzero(mask[:, :, 0])
    if not len(rows):
        return None
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@st.composite
def whole_box(draw: st.DrawFn) -> npt.NDArray[np.float32]:
    x1, y1 = draw(st.integers(0, 100)), draw(st.integers(0, 70))
    return boxes_of((x1, y1, draw(st.integers(x1 + 8, 120)), draw(st.integers(y1 + 8, 90))))


@given(whole_box(), st.sampled_from(MOVING), st.lists(UNIT, min_size=2, max_size=2))
def test_a_box_is_that_of_its_warped_mask(
    box: npt.NDArray[np.float32], transform: Transform, draws: list[float]
) -> None:
    """Looked up pixel by pixel, a mask ends up to a pixel beside the true edge of its box."""
    pipeline = Pipeline([transform], SIZE, 1, "uint8", "uint8", Role.MASK)
    own = np.array(draws[: pipeline.num_draws])
    warped = np.empty(pipeline.output_shape, np.uint8)
    pipeline.apply(mask_of(box[0]), own, warped)
    seen, moved = box_around(warped), pipeline.move(box, own, SIZE)
    if seen is None:
        assert not len(dropped_below(moved, 1.5))
    else:
        assert len(moved) == 1
        outside = (moved[0, :4] - seen) * (-1, -1, 1, 1)
        assert outside.min() >= -1.5
        # What the image's edge leaves of a turned box can end in a tip that holds no pixel's centre.
        is_cut = (moved[0, :2] == 0).any() or (moved[0, 2:4] == SIZE[::-1]).any()
        assert outside.max() <= 1.5 or (is_cut and isinstance(transform, RandomRotation))


@given(
    whole_box(),
    st.lists(st.sampled_from(MOVING[:-1]), min_size=1, max_size=4),
    st.lists(UNIT, min_size=8, max_size=8),
)
def test_after_any_list_a_box_holds_all_that_is_left_of_its_mask(
    box: npt.NDArray[np.float32], transforms: list[Transform], draws: list[float]
) -> None:
    pipeline = Pipeline(transforms, SIZE, 1, "uint8", "uint8", Role.MASK)
    own = np.array(draws[: pipeline.num_draws])
    warped = np.empty(pipeline.output_shape, np.uint8)
    pipeline.apply(mask_of(box[0]), own, warped)
    seen, moved = box_around(warped), pipeline.move(box, own, SIZE)
    assert (moved[:, :4] >= 0).all()
    assert (moved[:, 2:4] <= (SIZE[1], SIZE[0])).all()
    if seen is not None:
        x1, y1, x2, y2 = moved[0, :4]
        # Each step that does not merge with its neighbour may round by a pixel.
        slack = len(transforms)
        assert x1 - slack <= seen[0] <= seen[2] <= x2 + slack
        assert y1 - slack <= seen[1] <= seen[3] <= y2 + slack


def test_flips_of_boxes_are_exact() -> None:
    boxes = boxes_of((0, 0, 10, 20), (100.5, 80.25, 120, 90))
    flipped = Pipeline([RandomFlip()], SIZE, 3, "uint8", "uint8").move(boxes, np.array([0.1]), SIZE)
    assert flipped[:, :4].tolist() == [[110, 70, 120, 90], [0, 0, 19.5, 9.75]]
    assert flipped[:, 4].tolist() == [0, 1]


def test_a_box_outside_the_crop_is_dropped_and_others_keep_their_classes() -> None:
    boxes = boxes_of((0, 0, 5, 5), (60, 40, 70, 50), (30, 20, 200, 200))
    moved = Pipeline([RandomCrop(30, 30)], SIZE, 3, "uint8", "uint8").move(boxes, np.array([0.6, 0.6]), SIZE)
    assert moved[:, 4].tolist() == [1, 2]
    assert moved[0].tolist() == [60 - 54, 40 - 36, 70 - 54, 50 - 36, 1]
    assert moved[1].tolist() == [0, 0, 30, 30, 2]


def test_a_turned_box_that_is_cut_off_is_no_larger_than_what_is_seen_of_it() -> None:
    """A square on its corner, of which only the lower tip is in the window."""
    half = np.sqrt(0.5)
    turn = np.array([[half, -half, 0.0], [half, half, -12.0], [0.0, 0.0, 1.0]])
    moved = moved_into(boxes_of((0, 0, 10, 10)), turn, (-50, 0, 50, 50))
    tip = 10 * np.sqrt(2) - 12
    assert np.allclose(moved[0, :4], [-tip, 0, tip, tip], atol=1e-5)


@pytest.mark.parametrize("policy", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(90, 120), (301, 200), (64, 64), (33, 190)])
def test_the_resize_moves_boxes_as_it_moves_pixels(policy: str, size: tuple[int, int]) -> None:
    spec = ImageSpec(128, 96, "grayscale", "nearest", policy)
    box = np.array([[size[1] // 3, size[0] // 4, size[1] // 2 + 9, size[0] // 2 + 9, 0]], np.float32)
    moved = moved_into(box, matrix_of_fit(size, spec), (0, 0, 96, 128))
    seen = box_around(fit(mask_of(box[0], size), spec))
    assert seen is not None
    assert np.abs(moved[0, :4] - seen).max() <= 1.0


@given(whole_box(), st.lists(UNIT, min_size=4, max_size=4))
def test_a_framing_moves_boxes_as_it_moves_masks(box: npt.NDArray[np.float32], draws: list[float]) -> None:
    transforms = [RandomResizedCrop((0.3, 1.0))]
    assert is_framed(transforms)
    pipeline = Pipeline(transforms, (100, 80), 1, "uint8", "uint8", Role.MASK)
    framed = np.empty(pipeline.output_shape, np.uint8)
    pipeline.apply(mask_of(box[0]), np.array(draws), framed)
    of_images = Pipeline(transforms, (100, 80), 1, "uint8", "uint8")
    seen, moved = box_around(framed), of_images.move(box, np.array(draws), SIZE)
    if seen is None:
        assert not len(dropped_below(moved, 2.5))
    else:
        assert np.abs(moved[0, :4] - seen).max() <= 1.5


def test_colour_does_not_reach_masks_and_bilinear_transforms_make_no_new_classes() -> None:
    mask = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((45, 40), np.uint8))[..., None]
    declared = [
        RandomRotation(0.4, FillMode.CONSTANT, fill_value=77.0),
        RandomZoom(0.4, fill_mode="constant"),
    ]
    transforms = settled(declared, ImageSpec(*SIZE, "classes"))
    out = np.empty_like(mask)
    Pipeline(transforms, SIZE, 1, "uint8", "uint8", Role.MASK).apply(mask, np.array([0.9, 0.2]), out)
    assert set(np.unique(out)) <= set(range(0, 240, 40))


def test_boxes_below_the_smallest_side_are_dropped_and_the_rest_of_the_array_says_no_box() -> None:
    spec = BoxSpec(3, 2.0)
    boxes = boxes_of((0, 0, 1.9, 9), (0, 0, 2, 2), (5, 5, 9, 6))
    out = np.zeros((3, 5), np.float32)
    spec.write(dropped_below(boxes, spec.min_side), out)
    assert out.tolist() == [[0, 0, 2, 2, 1], [NO_BOX] * 5, [NO_BOX] * 5]
    spec.write(np.tile(boxes, (2, 1)), out)
    assert out.tolist() == boxes.tolist(), "boxes beyond max_boxes are left out"


def test_boxes_travel_and_come_back_equal_also_none() -> None:
    several = [boxes_of((1, 2, 3, 4)), boxes_of(), boxes_of((5, 6, 7, 8), (0, 0, 1, 1))]
    assert [one.tolist() for one in unpack(pack(several), 3)] == [one.tolist() for one in several]
    assert [len(one) for one in unpack(pack([boxes_of()]), 1)] == [0]


@pytest.mark.parametrize(
    "buffers", [(), (b"",), (b"123", b""), (b"\1\0\0\0", b""), (b"", b""), (b"\0" * 8, b"")]
)
def test_buffers_that_are_not_boxes_are_refused(buffers: tuple[bytes, ...]) -> None:
    with pytest.raises(RemoteProtocolError, match="boxes"):
        unpack(buffers, 1)


@pytest.mark.parametrize(("max_boxes", "min_side"), [(0, 1.0), (1.5, 1.0), (True, 1.0), (4, -1.0), (4, "1")])
def test_a_box_spec_that_cannot_work_is_refused(max_boxes: Any, min_side: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"max_boxes|min_box_side"):
        BoxSpec(max_boxes, min_side)
