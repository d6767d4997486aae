"""Further images of a sample: what they are decoded to beside ``x``, and what goes with which transforms."""

from __future__ import annotations

from typing import Any

import pytest

from feedline.common.job.images import Job
from feedline.common.sample.companions import Companion, ImageOptions, Role
from feedline.common.sample.image import Fit, ImageSpec
from feedline.errors import ConfigurationError
from feedline.transforms import (
    CenterCrop,
    CutMix,
    Letterbox,
    RandomBrightness,
    RandomFlip,
    RandomHue,
    Rescaling,
    Resizing,
    Transform,
)

DEPTH = ImageOptions(color_mode="grayscale", dtype="uint16")
X = ImageSpec(32, 48)


def job(*transforms: Transform, own: ImageOptions = DEPTH, role: str = "target", **changes: Any) -> Job:
    settings: dict[str, Any] = {
        "job_id": 1,
        "seed": 3,
        "batch_size": 4,
        "image": X,
        "dtype": "uint8",
        **changes,
    }
    companions = (Companion("c", role, own),)
    return Job(transforms=transforms, targets=(), companions=companions, **settings | changes)


def test_what_is_not_said_is_as_of_x() -> None:
    assert Companion("c", "target").image(X) == X
    assert Companion("c", "target", ImageOptions()).treated_as is Role.TARGET


@pytest.mark.parametrize(
    ("own", "dtype", "channels", "size"),
    [
        (DEPTH, "uint16", 1, (32, 48)),
        (ImageOptions(color_mode="rgba"), "uint8", 4, (32, 48)),
        (ImageOptions(dtype="float32"), "float32", 3, (32, 48)),
        (ImageOptions(image_size=(16, 24)), "uint8", 3, (16, 24)),
    ],
)
@pytest.mark.parametrize("role", ["input", "target"])
def test_an_image_has_a_dtype_colours_and_a_size_of_its_own(
    role: str, own: ImageOptions, dtype: str, channels: int, size: tuple[int, int]
) -> None:
    made = job(RandomFlip(), own=own, role=role)
    array = {spec.name: spec for spec in made.arrays}["c"]
    assert (array.dtype, array.shape) == (dtype, (*size, channels))
    assert made.x.shape == (32, 48, 3)
    assert Job.from_wire(made.to_wire()) == made


def test_a_dtype_of_its_own_is_not_changed_by_what_makes_floats_of_x() -> None:
    made = job(RandomFlip(), RandomBrightness(0.2), Rescaling(1 / 255))
    assert [spec.dtype for spec in made.arrays] == ["float32", "uint16"]


def test_a_mask_may_be_deep_beside_images_of_8_bits() -> None:
    made = job(own=ImageOptions(dtype="uint16"), role="mask")
    assert [spec.dtype for spec in made.arrays] == ["uint8", "uint16"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"color_mode": "hounsfield"}, r"color_mode must be one of \['grayscale', 'rgb', 'rgba'\]"),
        ({"dtype": "int16"}, r"dtype must be one of \('uint8', 'uint16', 'float32'\), got 'int16'"),
        ({"image_size": 32}, r"image_size must be \(height, width\), got 32"),
        ({"image_size": (0, 3)}, "height of image_size must be a whole number of pixels, at least 1, got 0"),
        ({"interpolation": "cubic"}, "interpolation must be one of"),
    ],
)
def test_options_that_cannot_work_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        ImageOptions(**arguments)


HALF = ImageOptions(image_size=(16, 24))


@pytest.mark.parametrize(
    ("transforms", "arguments", "text"),
    [
        ([], {"own": DEPTH, "role": "mask"}, "a mask has one whole number a pixel"),
        (
            [CenterCrop(8, 8)],
            {"own": HALF},
            r"c cannot have image_size=.* for a transform changes sizes",
        ),
        ([CenterCrop(8, 12), Resizing(32, 48)], {"own": HALF}, "for a transform changes sizes"),
        ([CutMix()], {"own": HALF}, "for samples are mixed"),
        (
            [RandomFlip()],
            {"own": ImageOptions(image_size=(16, 16))},
            "sides of x, .* have another",
        ),
        (
            [],
            {"own": ImageOptions(image_size=(16, 16)), "image": ImageSpec(32, 48, fit=Fit.CROP)},
            "have another ratio",
        ),
        (
            [Letterbox("pil")],
            {"image": ImageSpec(32, 48, fit=Fit.FRAMED)},
            "8 bits, got uint16",
        ),
        ([RandomHue(0.1)], {"own": ImageOptions(color_mode="grayscale"), "role": "input"}, "have none"),
    ],
)
def test_what_cannot_be_done_to_a_further_image_is_refused(
    transforms: list[Transform], arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        job(*transforms, **arguments)
