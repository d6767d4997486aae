"""Bottlenecks, planted: files, transforms, lines and trainers that are slow on purpose."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np

from feedline import BatchSequence, ImageDataset
from feedline.trainer.verdict.report import Report
from feedline.transforms import PythonTransform

Size = tuple[int, int]

CHUNK_BYTES = 1 << 14

BURST_S = 0.02
"""What a narrow line catches up with when whoever pumps was late."""


def napping(seconds: float) -> PythonTransform:
    """The transform that sleeps for each image."""
    return PythonTransform("user_code:nap", {"seconds": seconds})


def pictures(
    folder: Path, num_rows: int, extension: str, size: tuple[int, int], fill: int = 0
) -> ImageDataset:
    """Rows over eight files, each with `fill` bytes behind the picture that only reading minds."""
    coarse = np.random.default_rng(0).integers(0, 256, (8, 60, 80, 3), np.uint8)
    names = [f"{nth}.{extension}" for nth in range(8)]
    for name, small in zip(names, coarse, strict=True):
        picture = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / name), picture)
        os.truncate(folder / name, (folder / name).stat().st_size + fill)
    rows = [names[row % 8] for row in range(num_rows)]
    return ImageDataset.from_lists(rows, np.arange(num_rows), directory=folder)


def broken_pictures(folder: Path, size: Size) -> tuple[ImageDataset, tuple[int, int, int]]:
    """Rows over six whole files, one that is cut off and one of words; and the colour (BGR) of its rest."""
    colour = (200, 120, 40)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    noise[:200] = colour
    names = [f"{nth}.jpg" for nth in range(6)]
    for name in names:
        assert cv2.imwrite(str(folder / name), cv2.resize(noise, size[::-1]))
    written, data = cv2.imencode(".jpg", noise)
    assert written
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2].tobytes())
    (folder / "words.jpg").write_text("no picture, but words")
    names += ["cut.jpg", "words.jpg"]
    return ImageDataset.from_lists(names, np.arange(len(names)), directory=folder), colour


def train(sequence: BatchSequence, step_s: float) -> float:
    """One epoch by hand whose steps take so long; returns images per second."""
    num, began = 0, 0.0
    for x, _ in sequence:
        num += len(x) if began else 0
        began = began or time.perf_counter()
        if step_s:
            time.sleep(step_s)
    return num / (time.perf_counter() - began)


def report_of(sequence: BatchSequence, step_s: float, is_as_wanted: Callable[[Report], bool]) -> Report:
    """Train until an epoch looks as it should, at most six: this machine has other things to do, too."""
    for _ in range(6):
        train(sequence, step_s)
        report = sequence.report()
        assert report is not None
        if is_as_wanted(report):
            break
    return report


class NarrowLine:
    """A TCP line on which so many bytes per second go towards the trainer, of all connections together."""

    def __init__(self, endpoint: str, bytes_per_s: float) -> None:
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        self._target = host, int(port)
        self._bytes_per_s = bytes_per_s
        self._lock, self._free_at = threading.Lock(), 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def endpoint(self) -> str:
        """Where producers connect."""
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """End all connections."""
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in list(self._threads):
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                # What lies in large buffers has not gone through the narrow line.
                for one in (near, far):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * CHUNK_BYTES)
                self._sockets += [near, far]
                self._pump(near, far, self._wait_turn)
                self._pump(far, near, lambda _: None)

    def _pump(self, source: socket.socket, target: socket.socket, wait: Callable[[int], None]) -> None:
        def run() -> None:
            with suppress(OSError):
                while data := source.recv(CHUNK_BYTES):
                    wait(len(data))
                    target.sendall(data)
                target.shutdown(socket.SHUT_RDWR)

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def _wait_turn(self, num_bytes: int) -> None:
        with self._lock:
            now = time.monotonic()
            self._free_at = max(now - BURST_S, self._free_at) + num_bytes / self._bytes_per_s
            until = self._free_at
        time.sleep(max(0.0, until - now))


@contextmanager
def narrow_line(endpoint: str, bytes_per_s: float) -> Iterator[str]:
    """Where producers connect to have a narrow line to `endpoint`."""
    line = NarrowLine(endpoint, bytes_per_s)
    try:
        yield line.endpoint
    finally:
        line.close()
