"""What lies beyond the edges: air in a CT, the class asked for in masks, as Keras and YOLO in pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.base import Transform
from feedline.common.declarations.catalogue import num_draws
from feedline.common.declarations.filling import settled
from feedline.common.sample.companions import Companion, Role
from feedline.common.sample.ct import CTWindows
from feedline.common.sample.image import ImageSpec
from feedline.common.sample.mask_values import MaskValues
from feedline.errors import ConfigurationError
from feedline.producer.reading.decoders import fit
from feedline.producer.transforms import Pipeline as Prepared
from feedline.transforms import (
    Letterbox,
    Normalization,
    Pipeline,
    RandomApply,
    RandomChoice,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Resizing,
    YoloAugment,
)

SIDE = 24
RED = MaskValues.of({(255, 0, 0): 1})
LUNG = CTWindows([(40, 80), (-600, 1500)])
AIR_SEEN_BY_LUNG = round(255 * (-1000 - (-600 - 750)) / 1500)

IMAGES = {
    "hounsfield": (ImageSpec(SIDE, SIDE, "hounsfield", dtype="int16"), (-1000,)),
    "windows": (ImageSpec(SIDE, SIDE, LUNG), (0, AIR_SEEN_BY_LUNG)),
    "mask": (Companion("mask0", Role.MASK, fill=255).image(ImageSpec(SIDE, SIDE)), (255,)),
    "mask of values": (Companion("mask0", Role.MASK, values=RED, fill=7).image(ImageSpec(SIDE, SIDE)), (7,)),
}
EDGES: dict[str, Transform] = {
    "rotation": RandomRotation((0.125, 0.125), fill_mode="constant", interpolation="nearest"),
    "translation": RandomTranslation((0.4, 0.4), (0.4, 0.4), fill_mode="constant"),
    "zoom": RandomZoom((0.5, 0.5), fill_mode="constant"),
    "shear": RandomShear((0.9, 0.9), fill_mode="constant"),
    "letterbox": Letterbox(),
    "resizing": Resizing(SIDE // 2, SIDE, pad_to_aspect_ratio=True),
    "one inside of others": RandomChoice(
        (RandomApply((Pipeline((RandomTranslation((0.4, 0.4), (0.4, 0.4), fill_mode="constant"),)),), 1.0),)
    ),
}


def made(image: ImageSpec, transforms: list[Transform], value: float, size: tuple[int, int]) -> Any:
    """One image of one value after its transforms."""
    dtype = "float32" if any(isinstance(t, Rescaling | Normalization) for t in transforms) else image.dtype
    role = Role.MASK if image.is_mask else Role.INPUT
    ready = settled(transforms, image)
    pipeline = Prepared(ready, image.size, image.channels, image.dtype, dtype, role)
    out = np.empty(pipeline.output_shape, dtype)
    pipeline.apply(np.full((*size, image.channels), value, image.dtype), np.full(num_draws(ready), 0.3), out)
    return out


def around(pixels: npt.NDArray[Any], value: float) -> set[tuple[float, ...]]:
    """What is seen beside an image of one value."""
    return {tuple(pixel) for pixel in pixels.reshape(-1, pixels.shape[2]).tolist()} - {
        (value,) * pixels.shape[2]
    }


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("kind", IMAGES)
def test_a_ct_lies_in_air_and_a_mask_in_the_class_that_was_asked_for(kind: str, edge: str) -> None:
    image, fill = IMAGES[kind]
    size = (SIDE, SIDE // 2) if edge == "letterbox" else (SIDE, SIDE)
    seen = around(made(image, [EDGES[edge]], 100, size), 100)
    assert fill in seen
    if image.is_mask:
        assert seen == {fill}, "no class is computed"


def test_padding_is_what_lies_around() -> None:
    for image, fill in IMAGES.values():
        padded = ImageSpec(SIDE, SIDE, image.color_mode, fit="pad", dtype=image.dtype, fill=image.fill)
        pixels = fit(np.full((SIDE, SIDE // 2, image.channels), 100, image.dtype), padded)
        assert around(pixels, 100) == {fill}


def test_every_declaration_with_a_fill_value_of_its_own_is_settled_or_takes_none_for_noise() -> None:
    for name, declaration in DECLARATIONS.items():
        example = declaration.example()
        if hasattr(example, "fill_value") and name != "RandomErasing":
            assert example.fill_value is None, name
            (one,) = settled([example], IMAGES["hounsfield"][0])
            assert one.fill_value == -1000, name  # type: ignore[attr-defined]
    assert settled([RandomErasing()], IMAGES["hounsfield"][0]) == (RandomErasing(),)


def test_pictures_have_what_keras_and_yolo_have() -> None:
    declared = [Letterbox(), YoloAugment(), RandomRotation(0.1), RandomFlip()]
    filled = settled(declared, ImageSpec(SIDE, SIDE))
    assert [getattr(one, "fill_value", None) for one in filled] == [128, 128, 0, None]
    assert around(made(ImageSpec(SIDE, SIDE), [Letterbox()], 9, (SIDE, SIDE // 2)), 9) == {(128,) * 3}


def test_a_fill_value_that_is_given_is_taken_but_not_by_masks() -> None:
    for explicit in (RandomRotation(0.1, "constant", fill_value=7), Letterbox(fill_value=7)):
        assert settled([explicit], IMAGES["hounsfield"][0]) == (explicit,)
        for image, fill in (IMAGES["mask"], IMAGES["mask of values"]):
            (of_mask,) = settled([explicit], image)
            assert (of_mask.fill_value,) == fill  # type: ignore[attr-defined]
    each = RandomTranslation((0.4, 0.4), (0.4, 0.4), "constant", fill_value=(1, 2, 3))
    assert around(made(ImageSpec(SIDE, SIDE), [each], 9, (SIDE, SIDE)), 9) >= {(1, 2, 3)}


def test_a_mask_of_a_yolo_canvas_has_its_class() -> None:
    seen = around(made(IMAGES["mask"][0], [YoloAugment(jitter=0.1)], 100, (SIDE, SIDE)), 100)
    assert seen <= {(255,)}


def test_air_goes_through_what_changes_all_values() -> None:
    image = IMAGES["hounsfield"][0]
    turned = RandomRotation((0.125, 0.125), fill_mode="constant")
    assert settled([Rescaling(0.001, 0.5), turned], image)[1].fill_value == -0.5  # type: ignore[attr-defined]
    assert settled([Normalization(-1000.0, 4.0), turned], image)[1].fill_value == 0  # type: ignore[attr-defined]
    pixels = made(image, [Rescaling(0.001), turned], -1000, (SIDE, SIDE))
    assert np.ptp(pixels) == 0, "air turned in air is air"


def test_air_goes_through_what_stands_inside_of_others() -> None:
    image = IMAGES["hounsfield"][0]
    turned = RandomRotation((0.125, 0.125), fill_mode="constant")
    nested = [Pipeline((Rescaling(0.001), RandomApply((turned,), 1.0))), RandomChoice((turned,))]
    first, second = settled(nested, image)
    inner = first.inside[1].inside[1].inside[0]  # type: ignore[attr-defined]
    assert inner.fill_value == second.inside[0].inside[0].fill_value == -1.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["hounsfield", "windows"])
def test_a_blur_at_the_edge_of_air_leaves_air(kind: str) -> None:
    image, fill = IMAGES[kind]
    blur = RandomGaussianBlur((1, 1), 7, (2, 2), value_range=(-1024, 3071))
    pixels = np.full((SIDE, SIDE, image.channels), fill, image.dtype)
    pipeline = Prepared(settled([blur], image), image.size, image.channels, image.dtype, image.dtype)
    out = np.empty_like(pixels)
    pipeline.apply(pixels, np.full(3, 0.5), out)
    assert np.array_equal(out, pixels)


@pytest.mark.parametrize("fill", [-1, 256, 1.5, "255"])
def test_a_class_beyond_the_edge_must_be_one_that_masks_hold(fill: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"mask_fill must be .*, got {fill!r}"):
        Companion("mask0", Role.MASK, fill=fill).image(ImageSpec(8, 8))
