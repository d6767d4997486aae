"""Names of the arrays that the producer's functions hand to each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
"""An image, (height, width, channels), in whatever dtype it has between two steps."""

MOST_PADDED_PIXELS = 1 << 26
"""An image that would have more once it is padded, 67 million, is resized first."""

Draws = npt.NDArray[np.float64]
"""The uniforms in [0, 1) of one sample and one transform."""

Matrix = npt.NDArray[np.float64]
"""(3, 3), acts on homogeneous (x, y, 1) in pixels."""


def as_opencv(image: Pixels) -> Pixels:
    """The same pixels, of one channel with two axes."""
    return image[:, :, 0] if image.shape[2] == 1 else image
