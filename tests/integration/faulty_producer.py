"""A real producer with a fault: ``python faulty_producer.py FAULT FLAGS --connect ...``.

hangs
    It builds its first batch, writes the file FLAGS/hung, and goes on when there is FLAGS/go: its
    heartbeats go out all the time.
answers-twice
    It sends every batch two times.
answers-out-of-order
    It keeps every second batch until the next one is built, and sends it after that; if none comes soon, then
    with its next heartbeat.
hangs-in-decoder
    The decoder that it has for the file 0001.jpg goes on when there is FLAGS/go.
dies-of-0007
    A decoder kills its process when it comes to the file 0007.png.
none
    None: it is one process without a supervisor, to be stopped from outside.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from feedline.common.wire.protocol import Batch, Heartbeat
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


def answer_out_of_order() -> None:
    """Send every second batch after the next one."""
    say, kept, count = worker.Link.say, [], itertools.count()

    def say_later(self: worker.Link, message: Any) -> None:
        if isinstance(message, Batch) and next(count) % 2 == 0:
            # Its bytes lie in memory that the next batch may overwrite.
            kept.append(replace(message, data=None if message.data is None else bytes(message.data)))
            return
        say(self, message)
        if isinstance(message, Batch | Heartbeat):
            while kept:
                say(self, kept.pop())

    worker.Link.say = say_later  # type: ignore[method-assign]  # that is the fault


def hang_in_decoder(flags: Path) -> None:
    """Let the decoding of one file take until there is another one."""
    load = samples.load_sized

    def load_or_hang(data: bytes, path: str, *arguments: Any) -> Any:
        while path == "0001.jpg" and not (flags / "go").exists():
            time.sleep(0.01)
        return load(data, path, *arguments)

    samples.load_sized = load_or_hang


def die_of_a_file() -> None:
    """Have a decoder that writes where it must not."""
    decode = samples.load_sized

    def load(data: bytes, path: str, *rest: Any) -> Any:
        if path == "0007.png":
            ctypes.string_at(0)
        return decode(data, path, *rest)

    samples.load_sized = load


FAULTS: dict[str, Callable[[Path], None]] = {
    "answers-out-of-order": lambda _: answer_out_of_order(),
    "answers-twice": lambda _: answer_twice(),
    "dies-of-0007": lambda _: die_of_a_file(),
    "hangs": hang,
    "hangs-in-decoder": hang_in_decoder,
    "none": lambda _: None,
}


if __name__ == "__main__":
    fault, folder, *arguments = sys.argv[1:]
    FAULTS[fault](Path(folder))
    sys.exit(main([*arguments, "--unsupervised", "--parent-pid", str(os.getppid())]))
