"""Print what each transform costs, for docs/transforms.md: ``python -m docs.figures.time_transforms``.

Timed is the example of each declaration, and some of them together.
"""

from __future__ import annotations

import sys
import timeit
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

from feedline.common.declarations import DECLARATIONS
from feedline.common.declarations.catalogue import output_dtype
from feedline.common.declarations.framing import Framing
from feedline.common.declarations.mixing import Mixing
from feedline.common.declarations.plugins import Foreign
from feedline.errors import ConfigurationError
from feedline.producer.transforms import Pipeline
from feedline.transforms import (
    RandomBrightness,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Transform,
)

Pixels = npt.NDArray[Any]

NUM_DRAWS = 5
"""So many images of different draws are timed together."""

TIMED: dict[str, list[Transform]] = {
    name: [declaration.example()]
    for name, declaration in DECLARATIONS.items()
    if not issubclass(declaration, Framing | Mixing | Foreign)
}
"""What makes one image of one, in a file's own size."""

TOGETHER = {
    "five look-ups, merged": [RandomFlip, RandomRotation, RandomTranslation, RandomZoom, RandomShear],
    "RandomFlip + RandomBrightness": [RandomFlip, RandomBrightness],
}

ROWS = TIMED | {name: [kind.example() for kind in kinds] for name, kinds in TOGETHER.items()}


def microseconds(transforms: list[Transform], image: Pixels) -> float | None:
    """Time one image that is changed, the best of some rounds; None if such an image cannot be taken."""
    dtype = output_dtype(transforms, "uint8")
    try:
        pipeline = Pipeline(transforms, image.shape[:2], image.shape[2], "uint8", dtype)
    except ConfigurationError:
        return None
    draws = draws_that_change(pipeline, image, dtype)
    out = np.empty(pipeline.output_shape, dtype)
    rounds = timeit.repeat(lambda: [pipeline.apply(image, own, out) for own in draws], number=1, repeat=150)
    return min(rounds) / NUM_DRAWS * 1e6


def draws_that_change(pipeline: Pipeline, image: Pixels, dtype: str) -> list[Pixels]:
    """Draws with which something is done: many transforms leave some images as they are."""
    candidates = list(np.random.default_rng(0).random((10 * NUM_DRAWS, pipeline.num_draws)))
    out = np.empty(pipeline.output_shape, dtype)

    def changes(draws: Pixels) -> bool:
        pipeline.apply(image, draws, out)
        return not np.array_equal(out, image)

    changing = [draws for draws in candidates if changes(draws)]
    return (changing + candidates)[:NUM_DRAWS]


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
