"""How many bits a file has for a channel, by its header alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from feedline.common.formats.images import bits_of


@pytest.mark.parametrize("extension", [".png", ".tiff", ".jp2", ".pgm"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_of_a_format_that_can_have_more_than_8(extension: str, dtype: type[np.generic]) -> None:
    written, data = cv2.imencode(extension, np.full((64, 64), 200, dtype))
    assert written
    assert bits_of(data.tobytes()) == 8 * np.dtype(dtype).itemsize


@pytest.mark.parametrize("extension", [".jpg", ".webp", ".bmp", ".gif"])
def test_of_one_that_cannot(extension: str) -> None:
    written, data = cv2.imencode(extension, np.full((8, 8, 3), 200, np.uint8))
    assert written
    assert bits_of(data.tobytes()) == 8


def test_of_what_is_no_image() -> None:
    assert bits_of(b"no image at all, but words") == 8
