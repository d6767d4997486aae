"""Code of a user that waits for the test, for producers that are to be in the midst of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from feedline.transforms import PythonTransform


def gated(folder: Path) -> PythonTransform:
    """The declaration of it."""
    return PythonTransform("gates:wait_at_gate", {"folder": str(folder)})


def wait_at_gate(image: npt.NDArray[Any], rng: np.random.Generator, folder: str) -> npt.NDArray[Any]:  # noqa: ARG001
    """Change nothing, but wait for the other end of the named pipe ``gate-ROW``, if there is one.

    `image` is one of `images.write_images`, which say their row.
    """
    gate = Path(folder) / f"gate-{image[0, 0] // 16 @ [256, 16, 1]}"
    if gate.exists():
        gate.read_bytes()
    return image
