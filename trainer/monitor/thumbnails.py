"""Pictures of files that could not be used, as far as there is anything to be seen of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import OrderedDict

WITHIN_S = 3.0
"""What takes longer is not shown."""

MAX_KEPT = 256
"""Pictures, of some tens of kilobytes each."""


class Thumbnails:
    """Has them made one at a time, each in a process of its own, and keeps them. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def of(self, path: str) -> bytes:
        """A PNG file; empty if nothing can be shown, or the file is not here.

        Parameters
        ----------
        path : str
            What producers elsewhere call by a relative name is looked for nowhere.
        """
        if not os.path.isabs(path):  # noqa: PTH117 - it may be a name that no Path has
            return b""
        with self._lock:
            if path not in self._kept:
                self._kept[path] = _made(path)
                if len(self._kept) > MAX_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[path]


def _made(path: str) -> bytes:
    command = [sys.executable, "-P", "-m", "feedline.trainer.monitor.thumbnail", path]
    few_threads = {"OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"}
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            command,
            env=os.environ | few_threads,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WITHIN_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return b""
    return b"" if done.returncode else done.stdout
