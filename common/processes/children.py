"""Child processes: how a producer is started, how many, and when one that died is started again."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

KEPT_BYTES = 1 << 30
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(KEPT_BYTES), "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES)}
"""For glibc's malloc; whoever starts a producer with other values is obeyed."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's mallopt, see malloc.h."""

ONE_FOR_ALL = {"PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": "-1"}
"""For code of users: sets of texts have one order in every producer, and the GPUs are the trainer's."""


PACKAGE_FOLDER = str(Path(__file__).parents[3])
"""Where the package `feedline` lies, installed or not."""


def usable_cores() -> int:
    """Cores that this process may use, which in a container or under taskset are not all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_RUN = """\
import os, sys
folder, path = sys.argv.pop(1), os.environ.pop("FEEDLINE_PYTHONPATH", "")
sys.path += [folder, *filter(None, path.split(os.pathsep))]
if path: os.environ["PYTHONPATH"] = path
from feedline.producer.__main__ import main
sys.exit(main())
"""
"""``python -m feedline.producer``, but for where modules are looked for: PYTHONPATH comes last."""


def start_producer(arguments: Sequence[str], **popen: Any) -> subprocess.Popen[bytes]:
    """Start one producer as a child of this process; it ends when this process is gone.

    No file of a user's folder shadows a module: -P leaves the current folder out, and what PYTHONPATH names
    is looked at after the standard library and the installed packages. malloc keeps what a decoder frees: the
    next image finds its pages mapped, which is worth a tenth of the time of a 512 x 512 PNG.
    """
    command = [
        sys.executable,
        "-P",
        "-c",
        _RUN,
        PACKAGE_FOLDER,
        "--unsupervised",
        "--parent-pid",
        str(os.getpid()),
    ]
    environment = KEEP_MEMORY | os.environ | ONE_FOR_ALL
    environment["FEEDLINE_PYTHONPATH"] = environment.pop("PYTHONPATH", "")
    return subprocess.Popen([*command, *arguments], env=environment, **popen)  # noqa: S603 - our own command line


@cache
def keep_memory() -> None:
    """As `KEEP_MEMORY` for this process, from now on; if its environment does not say something else.

    Does nothing where malloc is not glibc's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and not KEEP_MEMORY.keys() & os.environ.keys():
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


_CAUSES = {
    signal.SIGKILL: "most often the kernel does that for want of memory (dmesg says so): fewer producers,"
    " smaller batches or a smaller memory_budget need less",
    signal.SIGBUS: "most often shared memory is full: give /dev/shm more, or batches less",
}
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


def how_it_ended(status: int) -> str:
    """How a process ended, and what that mostly means, in words that follow its name.

    Parameters
    ----------
    status : int
        Its exit status; of a signal the negative, as `subprocess` has it.
    """
    if status >= 0 or -status not in {one.value for one in signal.Signals}:
        return f"ended with status {status}"
    killer = signal.Signals(-status)
    if killer in _CRASHES:
        cause = "it crashed in code that is not Python's: a decoder, or a library that code of yours uses"
    else:
        cause = _CAUSES.get(killer, "")
    return f"was ended by {killer.name} (status {status})" + (f": {cause}" if cause else "")


MOST_DOUBLINGS = 32
"""Of a pause, which is at its longest by then; after a thousand there is no such float."""


@dataclass(slots=True)
class Restarts:
    """Counts the deaths of processes that do the same, and doubles the pause between them.

    One that could not even be started counts as one that died.

    Attributes
    ----------
    limit : int
        So many deaths in a row, with no proof in between that a process can live, are a crash loop.
    first_pause_s, longest_pause_s : float
        The first death is answered at once, the second after `first_pause_s`, the next after twice
        that, and so on.
    num_deaths : int
        Deaths since the last proof.
    start_at : float
        None is started before this moment, on the clock of whoever counts.
    """

    limit: int = 5
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0
    num_deaths: int = 0
    start_at: float = 0.0

    @property
    def is_hopeless(self) -> bool:
        """Whether so many died in a row that the next one would, too."""
        return self.num_deaths >= self.limit

    def proved(self) -> None:
        """A process has shown that it can live: it was welcomed, or ran for a while."""
        self.num_deaths = 0

    def died(self, now: float) -> float:
        """Put the next start off; returns the seconds until then."""
        self.num_deaths += 1
        pause_s = self._pause_s
        self.start_at = now + pause_s
        return pause_s

    @property
    def _pause_s(self) -> float:
        if self.num_deaths == 1:
            return 0.0
        doubled: float = self.first_pause_s * 2.0 ** min(self.num_deaths - 2, MOST_DOUBLINGS)
        return min(doubled, self.longest_pause_s)
