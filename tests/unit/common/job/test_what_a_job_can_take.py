"""What transforms cannot take is refused when a job is declared: for `x` and for every further image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.base import Transform
from feedline.common.declarations.catalogue import applied_to
from feedline.common.declarations.mixing import Mixing
from feedline.common.declarations.plugins import Foreign
from feedline.common.job.images import Job
from feedline.common.sample.companions import Companion, Role
from feedline.common.sample.ct import CTWindows
from feedline.common.sample.image import ImageSpec
from feedline.errors import ConfigurationError
from feedline.producer.plugins import NO_PLUGINS
from feedline.producer.transforms import Pipeline
from feedline.producer.transforms.steps import MovingStep, steps_of
from feedline.transforms import (
    GaussianNoise,
    Letterbox,
    MixUp,
    Normalization,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomFlip,
    RandomGrayscale,
    RandomHue,
    RandomRotation,
    RandomSaturation,
    Rescaling,
    YoloAugment,
)

FOUR = CTWindows(["brain", "subdural", "soft", "bone"])


def job_of(transforms: list[Transform], **image: Any) -> Job:
    fit = "framed" if isinstance(transforms[0], Letterbox | YoloAugment) else "stretch"
    companions = image.pop("companions", ())
    spec = ImageSpec(8, 8, fit=fit, **image)
    return Job(1, 0, 4, spec, tuple(transforms), spec.dtype, (), companions=companions)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize(
    "transform",
    [
        RandomColorJitter(brightness_factor=0.1),
        RandomColorJitter(saturation_factor=0.1),
        RandomGrayscale(),
        RandomHue(0.1),
        RandomSaturation(0.1),
        YoloAugment(),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_windows_of_a_ct_are_not_taken_for_colours(transform: Transform, count: int) -> None:
    windows = CTWindows(FOUR.windows[:count])
    name = type(transform).__name__
    with pytest.raises(
        ConfigurationError, match=f"{name} takes .* the {count} of x are windows of a CT.*Random"
    ):
        job_of([transform], color_mode=windows)


def test_what_means_nothing_by_channels_takes_windows_and_a_grey_image_has_no_colour_to_lose() -> None:
    tones = [RandomBrightness(0.1), RandomContrast(0.1), GaussianNoise(0.1), RandomRotation(0.1)]
    assert job_of(tones, color_mode=FOUR).x.shape == (8, 8, 4)
    assert job_of([RandomGrayscale()], color_mode=CTWindows(["brain"])).x.shape == (8, 8, 1)
    assert job_of(
        [RandomGrayscale(), RandomColorJitter(brightness_factor=0.1)], color_mode="rgba"
    ).x.shape == (8, 8, 4)


def test_slices_of_a_stack_are_asked_one_by_one() -> None:
    with pytest.raises(ConfigurationError, match="the 3 of x are windows"):
        job_of([RandomGrayscale()], color_mode=CTWindows(FOUR.windows[:3]), slices=3)


@pytest.mark.parametrize(
    "transform", [RandomRotation(0.1, "constant", fill_value=(1, 2)), Letterbox(fill_value=(1, 2))]
)
def test_fill_values_are_one_or_one_for_each_channel(transform: Transform) -> None:
    with pytest.raises(ConfigurationError, match=r"fill_value of .* one for each of 3 channels, got 2"):
        job_of([transform])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_masks_go_wherever_the_framing_puts_their_image(dtype: str) -> None:
    """They were refused by the producer, at the first batch."""
    mask = Companion("mask0", Role.MASK, fill=255)
    for transform in (YoloAugment(), Letterbox("pil")):
        job = job_of([transform], companions=(mask,))
        image = mask.image(job.image)
        pipeline = Pipeline(applied_to(job.transforms, Role.MASK), (8, 8), 1, dtype, dtype, Role.MASK)
        out = np.empty((8, 8, image.channels), dtype)
        pipeline.apply(np.full((20, 30, 1), 7, dtype), np.full(transform.num_draws, 0.4), out)
        assert set(np.unique(out)) <= {0, 7, 128}


def test_images_to_predict_keep_the_colours_that_augmentation_changes() -> None:
    (of_target,) = applied_to([YoloAugment(jitter=0.1)], Role.TARGET)
    assert of_target == YoloAugment(jitter=0.1, hue=0, saturation=1, value=1)
    assert of_target.num_draws == YoloAugment().num_draws


def test_what_each_role_goes_through_is_what_producers_do() -> None:
    declared = [
        RandomFlip(),
        MixUp(),
        RandomBrightness(0.1),
        Rescaling(0.1),
        Normalization(1.0, 2.0),
        Letterbox(),
    ]
    names = {role: [type(t).__name__ for t in applied_to(declared, role)] for role in Role}
    assert names == {
        Role.INPUT: ["RandomFlip", "MixUp", "RandomBrightness", "Rescaling", "Normalization", "Letterbox"],
        Role.TARGET: ["RandomFlip", "MixUp", "Rescaling", "Normalization", "Letterbox"],
        Role.MASK: ["RandomFlip", "MixUp", "Letterbox"],
        Role.VALUES: ["RandomFlip", "MixUp", "Letterbox"],
    }


def test_a_declaration_says_that_it_moves_pixels_if_its_step_does() -> None:
    for declaration in DECLARATIONS.values():
        example = declaration.example()
        if not isinstance(example, Mixing | Foreign):
            (step,) = steps_of([example], (96, 96), NO_PLUGINS)
            assert example.moves == isinstance(step, MovingStep), declaration
