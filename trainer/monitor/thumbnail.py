"""One file as a small picture: ``python -P -m feedline.trainer.monitor.thumbnail FILE`` writes a PNG file.

What is shown was found broken, and a decoder may crash on it, hang, or ask for all memory there is. So it
runs in this process, which has little of all of that, and not in the trainer.
"""

from __future__ import annotations

import os
import resource
import sys

import cv2
import numpy as np

from feedline.common.regular import open_regular
from feedline.trainer.monitor.glimpses import SIDE

MAX_FILE_BYTES = 64 << 20
"""Larger ones are not looked at."""

JPEG_BEGINS, JPEG_ENDS = b"\xff\xd8", b"\xff\xd9"
"""OpenCV shows the upper part of a JPEG that was cut off, if somebody puts an end to it."""

LIMITS = {resource.RLIMIT_AS: 2 << 30, resource.RLIMIT_CPU: 3, resource.RLIMIT_CORE: 0}
"""Bytes of memory, seconds, and nothing that is left behind by a crash."""


def main(path: str) -> int:
    """Write it to standard output; 1 if there is nothing to be seen."""
    for limit, most in LIMITS.items():
        resource.setrlimit(limit, (most, most))
    os.nice(10)  # whoever trains comes first
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if not data or len(data) > MAX_FILE_BYTES:
        return 1
    if data.startswith(JPEG_BEGINS):
        data += JPEG_ENDS
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return 1
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    written, png = cv2.imencode(".png", cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    sys.stdout.buffer.write(bytes(png))
    return int(not written)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    sys.exit(main(sys.argv[1]))
