"""Draw the pictures of docs/transforms.md: ``python -m docs.figures.make_pictures`` in the repository's root.

Each is one photograph, as it is, and then as five draws of a declaration's example make it. The draws are
spread over the range instead of being random, so that a picture shows the range and is the same
each time. Drawn is each declaration whose picture the page shows: ``pictures/transforms/random_flip.png`` is
`RandomFlip`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

from feedline.common.declarations import DECLARATIONS
from feedline.common.sample.boxes import Boxes
from feedline.producer.transforms import compose
from feedline.transforms import (
    GaussianNoise,
    Mosaic,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomZoom,
    Transform,
)

Pixels = npt.NDArray[Any]

SIDE = 112
GAP = 6
PICTURES = Path(__file__).parents[1] / "pictures" / "transforms"

PAGE = Path(__file__).parents[1] / "transforms.md"

SPREAD = [0.0, 0.25, 0.5, 0.75, 0.999]
PAIRS = [[0.1, 0.1], [0.1, 0.9], [0.5, 0.5], [0.9, 0.1], [0.9, 0.9]]
CHANCES = [[draw] for draw in (0.7, 0.2, 0.9, 0.4, 0.1)]
DRAWS: dict[str, list[list[float]]] = {
    "RandomFlip": CHANCES,
    "RandomTranslation": PAIRS,
    "RandomCrop": PAIRS,
    "RandomResizedCrop": [
        [area, ratio, *corner]
        for area, ratio, corner in zip(SPREAD, (0.5, 0.0, 0.999, 0.0, 0.5), PAIRS, strict=True)
    ],
    "RandomShear": [[0.2, down, right] for right, down in PAIRS],
    "RandomHue": [[0.7, 0.5], [0.7, 0.2], [0.2, 0.2], [0.2, 0.5], [0.2, 0.999]],
    "RandomColorJitter": [
        [0.2, 0.8, 0.3, 0.2, 0.9],
        [0.8, 0.2, 0.9, 0.7, 0.9],
        *([draw] * 5 for draw in (0.1, 0.6, 0.9)),
    ],
    "RandomGrayscale": CHANCES,
    "RandomInvert": CHANCES,
    "Solarization": [[0.5, threshold] for threshold in SPREAD],
    "RandomGaussianBlur": [
        [0.9, 0.0, 0.0],
        [0.1, 0.2, 0.2],
        [0.1, 0.9, 0.0],
        [0.1, 0.0, 0.9],
        [0.1, 0.9, 0.9],
    ],
    "RandomErasing": [
        [draw, *sides, 1.0 - draw, draw, draw]
        for draw, sides in zip([0.9, 0.1, 0.3, 0.5, 0.7], PAIRS, strict=True)
    ],
    "MixUp": [[0.7], [0.3], [0.5], [0.6]],
    "CutMix": [[0.5, 0.4, *pair] for pair in PAIRS],
    "Mosaic": PAIRS,
}
"""Draws that show more than `spread_draws`, by declaration."""


def spread_draws(num: int) -> list[list[float]]:
    """Five times `num` draws, each through its whole range, each in another order; once none."""
    if not num:
        return [[]]
    return [[SPREAD[place * (1 + draw % 4) % 5] for draw in range(num)] for place in range(5)]


def drawn() -> dict[str, Transform]:
    """Examples of all declarations that the page shows, by the name of their picture."""
    page = PAGE.read_text()
    names = {name: re.sub(r"(?<=.)(?=[A-Z])", "_", name).lower() for name in DECLARATIONS}
    return {
        picture: DECLARATIONS[name].example() for name, picture in names.items() if f"/{picture}.png)" in page
    }


def photograph() -> Pixels:
    """Return a face, shape (SIDE, SIDE, 3), uint8, RGB."""
    return cv2.resize(skimage.data.astronaut()[:260, 90:350], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def transformed(transform: Transform, images: list[Pixels], draws: list[float]) -> Pixels:
    """Apply one transform with given draws, to as many images as it takes."""
    composition = compose([transform], (SIDE, SIDE), 3, "uint8", "uint8")
    out = np.empty((*transform.output_size((SIDE, SIDE)), 3), np.uint8)
    composition.run(composition.prepare(np.array(draws)), (image.copy() for image in images), out)
    return out


def with_boxes(image: Pixels, boxes: Boxes) -> Pixels:
    """Draw boxes on an image."""
    drawn = image.copy()
    for x1, y1, x2, y2 in np.round(boxes[:, :4]).astype(int).tolist():
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), (255, 230, 0), 2)
    return drawn


def boxes_strip(image: Pixels) -> list[Pixels]:
    """A box that follows its image: none, a flip, a rotation, a zoom, a crop, a mosaic."""
    box = np.array([[26, 8, 84, 84, 0]], np.float32)
    chosen: list[tuple[list[Transform], list[float]]] = [
        ([RandomFlip("horizontal")], [0.1]),
        ([RandomRotation(0.1, "constant")], [0.9]),
        ([RandomZoom(0.4, fill_mode="constant")], [0.9]),
        ([RandomCrop(72, 72)], [0.1, 0.9]),
        ([Mosaic()], [0.4, 0.6]),
    ]
    drawn = [with_boxes(image, box)]
    for transforms, draws in chosen:
        composition = compose(transforms, (SIDE, SIDE), 3, "uint8", "uint8")
        out = np.empty((72, 72, 3) if isinstance(transforms[0], RandomCrop) else image.shape, np.uint8)
        composition.run(composition.prepare(np.array(draws)), iter([image] * 4), out)
        moved = composition.move(np.array(draws), iter([(box, (SIDE, SIDE))] * 4))
        drawn.append(with_boxes(out, moved))
    return drawn


def strip(images: list[Pixels]) -> Pixels:
    """Lay images side by side on white, the first one, the original, farther from the others."""
    width = SIDE * len(images) + GAP * (len(images) + 2)
    canvas = np.full((SIDE, width, 3), 255, np.uint8)
    for place, image in enumerate(images):
        left = place * (SIDE + GAP) + (3 * GAP if place else 0)
        top = (SIDE - image.shape[0]) // 2
        canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas


def crop_of(photo: Pixels) -> Pixels:
    """The middle of another photograph, in the size of the first."""
    side = min(photo.shape[:2])
    left = (photo.shape[1] - side) // 2
    return cv2.resize(photo[:side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def write(name: str, pixels: Pixels) -> None:
    """Write a strip; 32 levels a channel look the same here, and make the file half as large."""
    cv2.imwrite(str(PICTURES / f"{name}.png"), np.bitwise_or(pixels, 7), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main() -> None:
    """Write one strip per transform, and others that show an argument."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    image = photograph()
    photos = [crop_of(skimage.data.chelsea()), crop_of(skimage.data.coffee()), crop_of(skimage.data.rocket())]
    strips = {
        picture: [
            transformed(transform, [image, *photos], draws)
            for draws in DRAWS.get(type(transform).__name__, spread_draws(transform.num_draws))
        ]
        for picture, transform in drawn().items()
    }
    strips["fill_mode"] = [
        transformed(RandomRotation((0.08, 0.08), mode, fill_value=128.0), [image], [0.0])
        for mode in ("constant", "nearest", "reflect", "wrap")
    ]
    strips["gaussian_noise"] = [
        transformed(GaussianNoise(stddev), [image], [0.5]) for stddev in (0.02, 0.05, 0.1, 0.2)
    ]
    strips = {name: [image, *images] for name, images in strips.items()}
    strips["boxes"] = boxes_strip(image)
    for name, images in strips.items():
        write(name, cv2.cvtColor(strip(images), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
