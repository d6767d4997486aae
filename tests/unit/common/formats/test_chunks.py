"""Chunks of a PNG: what it says of itself ends with its end."""

from __future__ import annotations

import cv2
import numpy as np

from feedline.common.formats.chunks import chunks


def test_what_comes_after_the_end_of_a_png_is_not_looked_at() -> None:
    png = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()
    names = [name for name, _, _ in chunks(png)]
    assert names[-1] == b"IEND"
    assert [name for name, _, _ in chunks(png + bytes(10_000))] == names
