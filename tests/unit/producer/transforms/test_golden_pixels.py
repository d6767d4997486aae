"""What each declaration makes of given draws, pinned: if a hash changes, every seed means something else.

No library's version is pinned with it. Draws are chosen so that pixels are looked up at whole numbers,
where no interpolation rounds, and what is computed in floats keeps off the ties of rounding, so that a
last bit does not matter. RandomGrayscale has 16-bit pixels for that: for 8 bits OpenCV rounds its weights.

A transform with a test file of its own is pinned there: the `GOLDEN` of each file of this folder is checked.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from golden import DEEP, IMAGE, SMALL, Golden, all_golden
from like_keras import ours

from feedline.producer.transforms import compose
from feedline.transforms import (
    CenterCrop,
    CutMix,
    Flip,
    GaussianNoise,
    Letterbox,
    MixUp,
    Mosaic,
    Normalization,
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
)

GOLDEN: list[Golden] = [
    (Flip("horizontal"), [0.9], IMAGE, "6870888f74731ad6"),
    (RandomFlip("horizontal"), [0.3], IMAGE, "6870888f74731ad6"),
    (RandomRotation(0.5), [0.75], IMAGE, "f5f579d6fe3ecf67"),
    (RandomTranslation(0.4, 0.2, "wrap"), [0.75, 1.0], IMAGE, "aae9650f48d8eb27"),
    (RandomZoom((0.0, 1.0)), [1.0], IMAGE, "602e0d4ceec5a44f"),
    (RandomShear((0.0, 1.0), 1.0), [0.7, 0.5, 1.0], IMAGE, "14d506d6483bd440"),
    (RandomCrop(7, 9), [0.4, 0.8], IMAGE, "013ac9b3efc46894"),
    (CenterCrop(8, 9), [], IMAGE, "0c81bd284858a5f0"),
    (RandomBrightness(0.4), [0.7123], SMALL, "1863b8bdbe4e05a5"),
    (RandomContrast(0.8), [0.7123], SMALL, "4b270adce15546be"),
    (RandomSaturation(1.0), [0.3123], SMALL, "25704c0d186f682e"),
    (RandomHue(1.0), [0.7, 0.3123], SMALL, "8b008d0d280fe549"),
    (
        RandomColorJitter((0, 255), 0.2, 0.4, 0.9, 0.6),
        [0.2, 0.8, 0.6, 0.7, 0.3123],
        SMALL,
        "b049204f6c15d432",
    ),
    (RandomGrayscale(), [0.4], DEEP, "03ebe258f41bbd7a"),
    (RandomGaussianBlur(kernel_size=5), [0.4, 0.7123, 0.4123], SMALL, "887a5b053cafcc27"),
    (GaussianNoise(0.1), [0.3], SMALL, "1e111613afed72c8"),
    (RandomErasing(), [0.4, 0.6, 0.9, 0.3, 0.2, 0.8], SMALL, "63310d1beb6bbb74"),
    (Rescaling(1 / 127.5, -1), [], SMALL, "d9b3a3a25c2a76da"),
    (Normalization((120, 110, 100), (3600, 3300, 3200)), [], SMALL, "e42df7cc4ab45ac1"),
]


def name_of(value: Any) -> str | None:
    return type(value).__name__ if isinstance(value, Transform) else None


COMPOSED: list[tuple[Transform, list[float], str]] = [
    (RandomResizedCrop((0.2, 0.9)), [0.123, 0.4, 0.6, 0.7], "fa96ca29883f8249"),
    (Letterbox(), [], "d26d4c7c25ccfa9d"),
    (MixUp(0.4), [0.3], "c01d5dd0f96ecdc0"),
    (CutMix((1.0, 1.0)), [0.5, 0.4, 0.6, 0.7], "b398bbf505798e05"),
    (Mosaic(), [0.3, 0.6], "2898bff97d345479"),
]
"""Framings, of images that fit as they are; and mixings."""


@pytest.mark.parametrize(("transform", "draws", "expected"), COMPOSED, ids=name_of)
def test_the_pixels_of_framings_and_mixings_are_pinned(
    transform: Transform, draws: list[float], expected: str
) -> None:
    composition = compose([transform], (15, 15), 3, "uint8", "uint8")
    out = np.empty((15, 15, 3), np.uint8)
    images = iter([IMAGE, IMAGE[::-1], IMAGE[:, ::-1], 255 - IMAGE])
    composition.run(composition.prepare(np.array(draws)), images, out)
    assert sha256(out.tobytes()).hexdigest()[:16] == expected


@pytest.mark.parametrize(("transform", "draws", "image", "expected"), all_golden(), ids=name_of)
def test_the_pixels_are_pinned(
    transform: Transform, draws: list[float], image: npt.NDArray[Any], expected: str
) -> None:
    result = ours([transform], image, draws, transform.output_dtype(str(image.dtype)))
    assert not np.array_equal(result, image)
    assert sha256(result.tobytes()).hexdigest()[:16] == expected


@pytest.mark.parametrize(("transform", "draws", "image", "_"), all_golden(), ids=name_of)
def test_no_rounded_value_hangs_on_a_last_bit(
    transform: Transform, draws: list[float], image: npt.NDArray[Any], _: str
) -> None:
    """The promise of the file's first lines: before rounding no value is halfway between two."""
    if transform.output_dtype("uint8") == "float32":
        return
    exact = ours([transform], image, draws, "float32").astype(np.float64)
    assert np.abs(exact % 1.0 - 0.5).min() > 1e-6 * image.max()
