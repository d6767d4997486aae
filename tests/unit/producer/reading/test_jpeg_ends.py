"""A JPEG that lacks only its end mark is taken; one that lacks a byte of a scan is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

from feedline.errors import DecodeError
from feedline.producer.reading.decoders import decode

PHOTO: npt.NDArray[Any] = np.ascontiguousarray(skimage.data.astronaut()[100:140, 200:264])
KINDS: dict[str, dict[str, Any]] = {
    "sequential": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 2},
    "restarts by rows": {"restart_marker_rows": 1},
    "progressive with restarts": {"progressive": True, "restart_marker_blocks": 3},
    "own tables": {"optimize": True, "quality": 20},
    "fine": {"quality": 95, "subsampling": 0},
}
TAILS = [b"", b"\xff", bytes(50), b"\xff" * 9]


def jpeg(**options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PHOTO).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
def test_a_jpeg_that_lacks_only_its_end_mark_is_decoded(kind: str, tail: bytes, color_mode: str) -> None:
    data = jpeg(**KINDS[kind])
    whole = decode(data, "a", color_mode, "uint8")
    np.testing.assert_array_equal(decode(data[:-2] + tail, "a", color_mode, "uint8"), whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", TAILS)
def test_one_byte_less_of_a_scan_is_refused(kind: str, tail: bytes) -> None:
    data = jpeg(**KINDS[kind])
    for length in range(data.index(b"\xff\xda"), len(data) - 2, 1 if tail == b"" else 5):
        with pytest.raises(DecodeError, match="no end-of-image mark"):
            decode(data[:length] + tail, "a", "rgb", "uint8")


def test_scans_that_are_missing_altogether_are_missed() -> None:
    data = jpeg(progressive=True)
    starts = [at for at in range(len(data)) if data.startswith(b"\xff\xda", at)]
    assert len(starts) > 5
    for start in starts:
        with pytest.raises(DecodeError, match="no end-of-image mark"):
            decode(data[:start], "a", "rgb", "uint8")
