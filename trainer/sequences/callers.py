"""Who asks a sequence: the loop that a request comes from, if it is one that lives in a generator.

Keras sweeps a sequence in a generator of its own, which reads ``num_batches`` and then asks for one index
after the other, in whatever thread it is run. So the frame of that generator tells its requests from all
others, exactly, where indices cannot: TensorFlow reads ahead while a callback sweeps the same sequence.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Hashable
from types import FrameType

NEARBY = 3
"""Callers looked at: a sequence that wraps or extends another stands between it and Keras' generator.

Farther away may be a generator of the user's, from which ``fit`` is called.
"""


def generators_asking() -> list[Hashable]:
    """Name the generators among the nearest callers of the method that calls this, the nearest first.

    A name is good until its generator is gone. Another may get it then, but only one that runs the same code,
    and reads ``num_batches`` first as well.
    """
    found: list[Hashable] = []
    # Not `inspect.currentframe`: a frame that knows itself keeps all of its callers' arrays until the next
    # collection of garbage, and their slots with them.
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's frame
    for _ in range(NEARBY):
        frame = frame and frame.f_back
        if frame is not None and frame.f_code.co_flags & inspect.CO_GENERATOR:
            found.append((id(frame), frame.f_code))
    return found
