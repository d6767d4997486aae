"""What the tests that pin pixels share: images, and the rows that each test file has in its `GOLDEN`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.transforms import Transform

Golden: TypeAlias = tuple[Transform, list[float], npt.NDArray[Any], str]
"""A declaration, its draws, an image, and how the SHA-256 of what becomes of it begins (16 digits)."""

# Odd and square, so that a quarter turn and a zoom by two find whole pixels.
IMAGE = (np.arange(15 * 15 * 3, dtype=np.uint32) * 97 % 251).astype(np.uint8).reshape(15, 15, 3)
SMALL = IMAGE[4:9, 3:10]
DEEP = SMALL.astype(np.uint16) * 16


def all_golden() -> list[Golden]:
    """The rows of all test files in this folder that have a `GOLDEN`."""
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    named = [file.stem for file in files if "\nGOLDEN: " in file.read_text()]
    return [row for name in named for row in import_module(name).GOLDEN]
