"""A value_range that is far from the pixels' own is seen when transforms are declared."""

from __future__ import annotations

import pytest

from feedline.common.declarations.ranges import misjudged, range_of
from feedline.transforms import (
    GaussianNoise,
    Normalization,
    Pipeline,
    RandAugment,
    RandomApply,
    RandomBrightness,
    RandomChoice,
    RandomFlip,
    RandomHue,
    Rescaling,
    Transform,
)

IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229**2, 0.224**2, 0.225**2))
"""In [0, 1]; of torchvision."""


@pytest.mark.parametrize(
    ("transforms", "dtype", "words"),
    [
        (
            [RandomBrightness(0.2, (0, 1))],
            "uint8",
            "from 0 to 255, of which nearly all are cut off",
        ),
        ([RandomHue(0.2, (0, 1))], "uint16", "from 0 to 65535, of which nearly all are cut off"),
        ([Rescaling(1 / 255), GaussianNoise(0.1)], "uint8", "pixels from 0 to 1, and does 255 times as much"),
        ([Rescaling(1 / 127.5, -1), RandomBrightness(0.1)], "uint8", "from -1 to 1, and does 128 times"),
        ([Normalization(127.5, 4000), RandomFlip(), GaussianNoise(0.1)], "uint8", "and does 63 times"),
        (
            [Rescaling(1 / 255), Rescaling(1 / 255)],
            "uint8",
            "and makes them nearly alike, 0 to 0.00392: they",
        ),
        ([Rescaling(1 / 255), Normalization(127.5, 4000)], "uint8", "nearly alike, -2.02 to -2: they"),
        (
            [IMAGENET],
            "uint8",
            "but its mean and variance are those of pixels up to 1.2: put",
        ),
        ([Normalization(0.5, 0.25)], "uint8", "pixels up to 2: put a Rescaling before it"),
    ],
)
def test_a_range_that_is_far_off_is_told_with_what_comes_of_it(
    transforms: list[Transform], dtype: str, words: str
) -> None:
    (text,) = misjudged(transforms, range_of(dtype))
    assert words in text
    assert text.startswith(type(transforms[-1]).__name__)


def test_what_is_inside_of_others_is_looked_at_where_it_stands() -> None:
    inside = RandomChoice((RandomFlip(), [RandomBrightness(0.2, (0, 1)), RandomApply((GaussianNoise(0.1),))]))
    assert [text.partition("(")[0] for text in misjudged([inside], range_of("uint8"))] == ["RandomBrightness"]
    scaled = [Pipeline((Rescaling(1 / 255),)), inside]
    assert [text.partition("(")[0] for text in misjudged(scaled, range_of("uint8"))] == ["GaussianNoise"]
    (text,) = misjudged([RandAugment((0, 1))], range_of("uint8"))
    assert text.startswith("RandAugment")


@pytest.mark.parametrize(
    ("transforms", "dtype"),
    [
        ([RandomBrightness(0.2), GaussianNoise(0.1)], "uint8"),
        ([RandomBrightness(0.2, (0, 4095))], "uint16"),
        ([RandomBrightness(0.2, (-1000, 1000))], "int16"),
        ([Rescaling(1 / 255), GaussianNoise(0.1, (0, 1))], "uint8"),
        ([Rescaling(1 / 255), GaussianNoise(0.1, (-0.5, 1.5))], "uint8"),
        ([GaussianNoise(0.1), Rescaling(1 / 255)], "uint8"),
        ([Rescaling(1 / 255), IMAGENET], "uint8"),
        ([Rescaling(1 / 127.5, -1), Normalization(0.0, 1.0)], "uint8"),
        ([Normalization((120, 110, 100), (3600, 3300, 3200))], "uint8"),
        ([Normalization(300.0, 128.0**2)], "uint16"),
        ([Normalization(-500.0, 400.0**2)], "int16"),
        ([Normalization(0.0, 1.0)], "uint8"),
        ([Rescaling(1 / 65535)], "uint16"),
    ],
)
def test_one_that_may_be_meant_is_not(transforms: list[Transform], dtype: str) -> None:
    assert list(misjudged(transforms, range_of(dtype))) == []
