"""Code of a user that takes longer in some producers than in others: those whose environment says so."""

from __future__ import annotations

import os
import time

import numpy as np


def slow(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Change nothing, in so many seconds."""
    time.sleep(float(os.environ.get("SLOW_SAMPLE_S", "0")))
    return image
