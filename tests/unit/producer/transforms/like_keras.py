"""What the tests against Keras' layers share: photographs, and both ways to transform them.

A Keras layer whose range is one point draws that point, so the layers are used through their public
face: ``keras.layers.RandomRotation((a, a))`` rotates by a.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import skimage.data

from feedline.producer.transforms import Pipeline
from feedline.transforms import Transform

Array = npt.NDArray[Any]

# Odd sizes, so that centres lie on pixels and between them.
PHOTOS: dict[str, Array] = {
    "astronaut": skimage.data.astronaut()[:301, :400],
    "camera": skimage.data.camera()[:333, :257, np.newaxis],
    "coffee with alpha": np.dstack([skimage.data.coffee()[:200, :211], skimage.data.camera()[:200, :211]]),
}


def ours(
    transforms: Sequence[Transform], image: Array, draws: Sequence[float], dtype: str | None = None
) -> Array:
    dtype = dtype or str(image.dtype)
    pipeline = Pipeline(transforms, image.shape[:2], image.shape[2], str(image.dtype), dtype)
    out = np.empty(pipeline.output_shape, dtype)
    pipeline.apply(image.copy(), np.array(draws), out)
    return out


def theirs(layer: Callable[..., Any], image: Array) -> Array:
    return np.asarray(layer(image[np.newaxis].astype(np.float32), training=True))[0]


def point(value: float) -> tuple[float, float]:
    return value, value


def assert_alike(result: Array, expected: Array, where: Array | None = None) -> None:
    """Check that only rounding to whole numbers is between them, in all but 1 % of pixels."""
    difference = np.abs(result.astype(np.float64) - expected)
    if where is not None:
        difference = difference[where]
    assert difference.mean() <= 0.5
    assert np.mean(difference <= 0.51) >= 0.99
