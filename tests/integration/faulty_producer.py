"""A real producer with a fault: ``python faulty_producer.py FAULT FLAGS --connect ...``.

hangs
    It builds its first batch, writes the file FLAGS/hung, and goes on when there is FLAGS/go: its
    heartbeats go out all the time.
answers-twice
    It sends every batch two times.
dies-of-0007
    A decoder kills its process when it comes to the file 0007.png.
none
    None: it is one process without a supervisor, to be stopped from outside.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

from feedline.common.wire.protocol import Batch
from feedline.producer.__main__ import main
from feedline.producer.building import samples
from feedline.producer.building.batches import BatchBuilder
from feedline.producer.serving import worker


def hang(flags: Path) -> None:
    """Let the first batch take until there is a file."""
    build = BatchBuilder.build

    def slow_build(self: BatchBuilder, *arguments: Any) -> Any:
        batch = build(self, *arguments)
        (flags / "hung").touch()
        while not (flags / "go").exists():
            time.sleep(0.01)
        return batch

    BatchBuilder.build = slow_build  # type: ignore[method-assign]  # that is the fault


def answer_twice() -> None:
    """Send every batch two times."""
    say = worker.Link.say

    def say_twice(self: worker.Link, message: Any) -> None:
        for _ in range(2 if isinstance(message, Batch) else 1):
            say(self, message)

    worker.Link.say = say_twice  # type: ignore[method-assign]  # that is the fault


def die_of_a_file() -> None:
    """Have a decoder that writes where it must not."""
    decode = samples.load_sized

    def load(data: bytes, path: str, *rest: Any) -> Any:
        if path == "0007.png":
            ctypes.string_at(0)
        return decode(data, path, *rest)

    samples.load_sized = load


if __name__ == "__main__":
    fault, folder, *arguments = sys.argv[1:]
    if fault == "hangs":
        hang(Path(folder))
    elif fault == "answers-twice":
        answer_twice()
    elif fault == "dies-of-0007":
        die_of_a_file()
    sys.exit(main([*arguments, "--unsupervised", "--parent-pid", str(os.getppid())]))
