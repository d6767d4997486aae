"""One bad file as a small picture: what a process does that is started for this alone, and may crash.

Loads neither Keras nor TensorFlow.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from feedline.common.formats.images import Size, stored_size_of, too_large
from feedline.common.formats.names import format_of
from feedline.common.regular import open_regular
from feedline.trainer.monitor.glimpses import SIDE
from feedline.trainer.monitor.mending import mended

MOST_FILE_BYTES = 1 << 27
"""No larger file is shown."""

MOST_PNG_BYTES = 1 << 20
"""Less than this can be printed; a picture of `SIDE` pixels has a twentieth."""

HEADROOM_BYTES = 1 << 29
"""Of memory, beyond what libraries have taken."""

CPU_S = 3
"""Whatever takes longer is not waited for."""

Pixels = npt.NDArray[np.uint8]


def main(path: bytes) -> int:
    """Print a file's picture as PNG; returns 1, and prints nothing, if there is none."""
    restrict()
    png = thumbnail(path)
    if png is None:
        return 1
    sys.stdout.buffer.write(png)
    return 0


def restrict() -> None:
    """Let this process take little, and be the first to go where memory is short."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    # Threads map memory that they do not use, more of it than is allowed here where there are many cores.
    cv2.setNumThreads(1)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: mapped + HEADROOM_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: MOST_PNG_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        allowed = resource.getrlimit(limit)[1]
        least = value if allowed == resource.RLIM_INFINITY else min(value, allowed)
        resource.setrlimit(limit, (least, least))


def thumbnail(path: bytes) -> bytes | None:
    """What can be seen of a file, its longer side `SIDE` pixels or less, as PNG; None if nothing can.

    Raises
    ------
    OSError, MemoryError, cv2.error
        As whatever is wrong with the file has it.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(MOST_FILE_BYTES + 1)
    size = stored_size_of(data)
    if size is None or too_large(size) or len(data) > MOST_FILE_BYTES:
        return None
    pixels = _decoded(data, size)
    if pixels is None:
        pixels = _decoded(mended(data, size), size)
    if pixels is None:
        return None
    written, png = cv2.imencode(".png", _small(pixels))
    return bytes(png) if written else None


def _decoded(data: bytes, size: Size) -> Pixels | None:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _flag(data, size))
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _flag(data: bytes, size: Size) -> int:
    """How OpenCV is to decode it: a JPEG costs less where it is reduced meanwhile."""
    flags = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
    fitting = (flag for by, flag in flags.items() if format_of(data) == "JPEG" and max(size) >= by * SIDE)
    return next(fitting, int(cv2.IMREAD_COLOR))


def _small(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
