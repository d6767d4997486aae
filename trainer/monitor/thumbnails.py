"""Thumbnails of bad files, each made by a process of its own, which a file may crash, stop or fill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import OrderedDict
from contextlib import suppress

from feedline.common.formats.names import PNG_SIGNATURE
from feedline.common.processes.children import PACKAGE_FOLDER
from feedline.trainer.monitor.thumbnail import MOST_PNG_BYTES

KEPT = 100
"""So many of the last ones are kept, twice as many as the page shows: 5 MB at the most."""

LIMIT_S = 8.0
"""A process may take so long. It gives way to all others: where these are many it is slow to start."""

REAPED_S = 0.5
"""One that was killed may take so long to go, where a file system hangs."""

_RUN = """\
import os, sys
sys.path.append(sys.argv[1])
from feedline.trainer.monitor.thumbnail import main
sys.exit(main(os.fsencode(sys.argv[2])))
"""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


class BusyError(Exception):
    """Another thumbnail is being made: ask again."""


class Thumbnails:
    """Makes thumbnails one at a time, and keeps the last ones. Any thread may call."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes | None] = OrderedDict()
        self._making, self._lock = threading.Lock(), threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def take(self, path: str) -> bytes | None:
        """The thumbnail of a file, as PNG; None if nothing of it can be shown, which is kept, too.

        Parameters
        ----------
        path : str
            Nothing is shown of one that is not absolute: it is for others, under a folder of theirs.

        Raises
        ------
        BusyError
            Another one is being made: nobody waits in line.
        """
        with self._lock:
            if path in self._kept:
                self._kept.move_to_end(path)
                return self._kept[path]
        if not self._making.acquire(blocking=False):
            raise BusyError
        try:
            png = self._made(path)
        finally:
            self._making.release()
        with self._lock:
            self._kept[path] = png
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return png

    def close(self) -> None:
        """End what is being made, and make no more."""
        with self._lock:
            self._is_closed = True
            if self._process is not None:
                self._process.kill()

    def _made(self, path: str) -> bytes | None:
        if not path.startswith("/"):
            return None
        # Neither a pipe nor a folder: it waits for nobody, and has room for no more than is allowed.
        try:
            with os.fdopen(os.memfd_create("feedline-thumbnail"), "r+b", buffering=0) as file:
                status = self._run(path, file.fileno())
                png = os.pread(file.fileno(), MOST_PNG_BYTES, 0)
        except (OSError, ValueError):
            return None
        is_whole = status == 0 and len(png) < MOST_PNG_BYTES
        return png if is_whole and png.startswith(PNG_SIGNATURE) else None

    def _run(self, path: str, file: int) -> int | None:
        """Start a process that prints into `file`, and wait for it; returns its status."""
        command: list[str | bytes] = [sys.executable, "-P", "-c", _RUN, PACKAGE_FOLDER, os.fsencode(path)]
        with self._lock:
            if self._is_closed:
                return None
            process = subprocess.Popen(  # noqa: S603 - our own command line
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=os.environ | _ONE_THREAD,
            )
            self._process = process
        try:
            return process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(REAPED_S)
            return None
        finally:
            with self._lock:
                self._process = None
