"""Print what each transform costs, for docs/transforms.md: ``python -m docs.figures.time_transforms``."""

from __future__ import annotations

import sys
import timeit
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

from feedline.common.declarations.catalogue import output_dtype
from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline
from feedline.transforms import (
    CenterCrop,
    GaussianNoise,
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
    RandomRotation,
    RandomSaturation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Rescaling,
    Transform,
)

Pixels = npt.NDArray[Any]

NUM_DRAWS = 5
"""So many images of different draws are timed together."""

LOOK_UPS: list[Transform] = [
    RandomFlip(),
    RandomRotation(0.1),
    RandomTranslation(0.1, 0.1),
    RandomZoom(0.2),
    RandomShear(0.1, 0.1),
]

ROWS: dict[str, list[Transform]] = {
    **{type(transform).__name__: [transform] for transform in LOOK_UPS},
    "all five of them, merged": LOOK_UPS,
    "RandomCrop (to 200 x 200)": [RandomCrop(200, 200)],
    "CenterCrop (to 200 x 200)": [CenterCrop(200, 200)],
    "RandomBrightness": [RandomBrightness(0.2)],
    "RandomContrast": [RandomContrast(0.2)],
    "RandomSaturation": [RandomSaturation((0.3, 0.7))],
    "RandomHue": [RandomHue(0.1)],
    "RandomColorJitter of all four": [RandomColorJitter((0, 255), 0.2, 0.2, (0.3, 0.7), 0.1)],
    "RandomGrayscale, when it applies": [RandomGrayscale(1.0)],
    "RandomGaussianBlur, when it applies": [RandomGaussianBlur((1.0, 1.0))],
    "GaussianNoise": [GaussianNoise(0.05)],
    "RandomErasing, when it applies": [RandomErasing((1.0, 1.0))],
    "Rescaling to float32": [Rescaling(1 / 255)],
    "Normalization to float32": [Normalization(127.5, 4000.0)],
    "RandomFlip + RandomBrightness": [RandomFlip(), RandomBrightness(0.2)],
}


def microseconds(transforms: list[Transform], image: Pixels) -> float | None:
    """Time one image, the best of some rounds; None if such an image cannot be taken."""
    dtype = output_dtype(transforms, "uint8")
    try:
        pipeline = Pipeline(transforms, image.shape[:2], image.shape[2], "uint8", dtype)
    except ConfigurationError:
        return None
    draws = np.random.default_rng(0).random((NUM_DRAWS, pipeline.num_draws))
    out = np.empty(pipeline.output_shape, dtype)
    rounds = timeit.repeat(lambda: [pipeline.apply(image, own, out) for own in draws], number=1, repeat=150)
    return min(rounds) / NUM_DRAWS * 1e6


def row(name: str, transforms: list[Transform], images: list[Pixels]) -> str:
    """One line of the table."""
    times = [microseconds(transforms, np.ascontiguousarray(image)) for image in images]
    cells = ["" if time is None else f"{time:.2g}" if time < 10 else f"{time:.0f}" for time in times]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print one row for each of `ROWS`, for a grey and a coloured photograph."""
    cv2.setNumThreads(0)
    grey = skimage.data.camera()[:, :, np.newaxis]
    colored = cv2.resize(skimage.data.astronaut(), (224, 224), interpolation=cv2.INTER_AREA)
    lines = [f"OpenCV {cv2.__version__}, NumPy {np.__version__}", ""]
    lines += ["| | 512 x 512 x 1 | 224 x 224 x 3 |", "| --- | ---: | ---: |"]
    lines += [row(name, transforms, [grey, colored]) for name, transforms in ROWS.items()]
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
