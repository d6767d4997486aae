"""A transform that sleeps, so that N producers are N times as fast, however few cores there are."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt


def nap(image: npt.NDArray[Any], _: np.random.Generator, dark_s: float, bright_s: float) -> npt.NDArray[Any]:
    """Change nothing, in so many seconds for a dark image and so many for a bright one."""
    time.sleep(bright_s if image.mean() > 127 else dark_s)
    return image
