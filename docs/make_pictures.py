"""Draw the pictures of docs/transforms.md: ``python -m docs.make_pictures`` in the repository's root.

Each is one photograph, as it is, and then as five draws of one transform make it. The draws are
spread over the range instead of being random, so that a picture shows the range and is the same
each time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

from common.transforms import (
    CenterCrop,
    GaussianNoise,
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomRotation,
    RandomSaturation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Transform,
)
from producer.transforms import Pipeline

Pixels = npt.NDArray[Any]

SIDE = 112
GAP = 6
PICTURES = Path(__file__).parent / "pictures" / "transforms"

SPREAD = [0.0, 0.25, 0.5, 0.75, 0.999]
PAIRS = [[0.1, 0.1], [0.1, 0.9], [0.5, 0.5], [0.9, 0.1], [0.9, 0.9]]
EACH: dict[str, tuple[Transform, list[list[float]]]] = {
    "random_flip": (RandomFlip("horizontal"), [[draw] for draw in (0.7, 0.2, 0.9, 0.4, 0.1)]),
    "random_rotation": (RandomRotation(0.1), [[draw] for draw in SPREAD]),
    "random_translation": (RandomTranslation(0.2, 0.2), PAIRS),
    "random_zoom": (RandomZoom(0.4), [[draw] for draw in SPREAD]),
    "random_crop": (RandomCrop(72, 72), PAIRS),
    "random_brightness": (RandomBrightness(0.4), [[draw] for draw in SPREAD]),
    "random_contrast": (RandomContrast(0.7), [[draw] for draw in SPREAD]),
    "random_shear": (RandomShear(0.3, 0.3), [[0.2, down, right] for right, down in PAIRS]),
    "center_crop": (CenterCrop(72, 72), [[]]),
    "random_saturation": (RandomSaturation((0.0, 0.8)), [[draw] for draw in SPREAD]),
    "random_hue": (RandomHue(1.0), [[0.7, 0.5], [0.7, 0.2], [0.2, 0.2], [0.2, 0.5], [0.2, 0.999]]),
    "random_color_jitter": (
        RandomColorJitter((0, 255), 0.2, 0.4, (0.3, 0.7), 0.2),
        [[0.2, 0.8, 0.3, 0.2, 0.9], [0.8, 0.2, 0.9, 0.7, 0.9], *([draw] * 5 for draw in (0.1, 0.6, 0.9))],
    ),
    "random_grayscale": (RandomGrayscale(0.4), [[draw] for draw in (0.7, 0.2, 0.9, 0.4, 0.1)]),
    "random_gaussian_blur": (
        RandomGaussianBlur((0.8, 0.8), 9, 3.0),
        [[0.9, 0.0, 0.0], [0.1, 0.2, 0.2], [0.1, 0.9, 0.0], [0.1, 0.0, 0.9], [0.1, 0.9, 0.9]],
    ),
    "random_erasing": (
        RandomErasing((0.8, 0.8), (0.05, 0.3)),
        [
            [draw, *sides, 1.0 - draw, draw, draw]
            for draw, sides in zip([0.9, 0.1, 0.3, 0.5, 0.7], PAIRS, strict=True)
        ],
    ),
}


def photograph() -> Pixels:
    """Return a face, shape (SIDE, SIDE, 3), uint8, RGB."""
    return cv2.resize(skimage.data.astronaut()[:260, 90:350], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def transformed(transform: Transform, image: Pixels, draws: list[float]) -> Pixels:
    """Apply one transform with given draws."""
    pipeline = Pipeline([transform], (SIDE, SIDE), 3, "uint8", "uint8")
    out = np.empty(pipeline.output_shape, np.uint8)
    pipeline.apply(image.copy(), np.array(draws), out)
    return out


def strip(images: list[Pixels]) -> Pixels:
    """Lay images side by side on white, the first one, the original, farther from the others."""
    width = SIDE * len(images) + GAP * (len(images) + 2)
    canvas = np.full((SIDE, width, 3), 255, np.uint8)
    for place, image in enumerate(images):
        left = place * (SIDE + GAP) + (3 * GAP if place else 0)
        top = (SIDE - image.shape[0]) // 2
        canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas


def main() -> None:
    """Write one strip per transform, and others that show an argument."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    image = photograph()
    strips = {name: [transformed(t, image, d) for d in draws] for name, (t, draws) in EACH.items()}
    strips["fill_mode"] = [
        transformed(RandomRotation((0.08, 0.08), mode, fill_value=128.0), image, [0.0])
        for mode in ("constant", "nearest", "reflect", "wrap")
    ]
    strips["gaussian_noise"] = [
        transformed(GaussianNoise(stddev), image, [0.5]) for stddev in (0.02, 0.05, 0.1, 0.2)
    ]
    for name, images in strips.items():
        pixels = cv2.cvtColor(strip([image, *images]), cv2.COLOR_RGB2BGR)
        # 32 levels a channel look the same here, and make the file half as large.
        cv2.imwrite(str(PICTURES / f"{name}.png"), np.bitwise_or(pixels, 7), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
