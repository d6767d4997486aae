"""Embedded producers: the same ``python -m feedline.producer``, as child processes of the trainer.

They read with the trainer's own rights (``--data-root /``), import what it names from where it would
(``--allow-any``, ``--import-path``), talk over a socket in a folder that only its user can enter, run in a
session of their own so that Ctrl-C reaches the trainer alone, and end when the trainer does, however that
ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from feedline.common.errors import ConfigurationError, ProducerCrashError
from feedline.common.processes.children import Restarts, how_it_ended, start_producer, usable_cores
from feedline.common.wire.endpoints import MAX_IPC_BYTES

logger = logging.getLogger(__name__)

TERMINATE_AFTER_S, KILL_AFTER_S = 2.0, 4.0
"""How long after the goodbye a child is told to stop, and killed."""

POLL_S = 0.005
"""Pause between two looks at children that are leaving."""

STARTING_PER_CORE, MIN_STARTING = 2, 8
"""So many producers may be on their way at a time: a thousand at once, and none would say hello in time."""

LAST_WORDS = 30
"""Lines of a child's stderr that are kept for the error it may become."""

ABANDONED_AFTER_S = 60.0
"""A folder without a lock file is being made, unless it is older than this."""


class PrivateFolder:
    """A folder of mode 0700 for the socket, locked for as long as its maker lives.

    Those that a killed trainer left behind are known by their free lock, and removed.
    """

    def __init__(self) -> None:
        self._prefix = f"feedline-{os.getuid()}-"
        try:
            self._parent = self._short_parent()
            self._sweep()
            self.path = Path(tempfile.mkdtemp(prefix=self._prefix, dir=self._parent))
            self._lock = (self.path / "lock.new").open("w")
        except OSError as error:
            raise ConfigurationError(
                f"no folder for the socket of embedded producers: {error}; set TMPDIR to one that exists"
            ) from error
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # It gets its name when it is locked: nobody may find it free.
        (self.path / "lock.new").rename(self.path / "lock")

    @property
    def endpoint(self) -> str:
        """The socket in it."""
        return f"ipc://{self.path}/pool"

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()

    def _short_parent(self) -> Path:
        """The folder for temporary files, unless its name is too long for a socket's."""
        parent = tempfile.gettempdir()
        longest = os.fsencode(f"{parent}/{self._prefix}12345678/pool")
        return Path(parent if len(longest) <= MAX_IPC_BYTES else "/tmp")  # noqa: S108 - ours is of mode 0700

    def _sweep(self) -> None:
        for folder in self._parent.glob(f"{self._prefix}*"):
            if self._is_abandoned(folder):
                logger.info(f"removing {folder}, which a killed trainer left behind")
                shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _is_abandoned(folder: Path) -> bool:
        try:
            with (folder / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                return time.time() - folder.stat().st_mtime > ABANDONED_AFTER_S
            return False
        except OSError:
            return False
        return True


@dataclass(slots=True, eq=False)
class Child:
    """One producer process.

    Attributes
    ----------
    process : Popen
        Its stderr is a pipe that the pool's thread reads.
    last_words : deque of str
        The end of what it wrote there.
    begun_line : bytes
        What came of a line whose end has not come yet.
    welcomed : bool
        It said hello: it can live.
    wanted : bool
        False once it was told to leave.
    """

    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_WORDS))
    begun_line: bytes = b""
    welcomed: bool = False
    wanted: bool = True

    def read_stderr(self, *, is_over: bool = False) -> None:
        """Take in the lines that it wrote, and the rest if nothing more comes; never blocks."""
        with suppress(BlockingIOError):
            while text := self.stderr.read(65536):
                self.begun_line += text
        *lines, self.begun_line = self.begun_line.split(b"\n")
        if is_over and self.begun_line:
            lines.append(self.begun_line)
        for line in lines:
            words = line.decode(errors="replace").rstrip()
            self.last_words.append(words)
            logger.info(f"[{self.process.pid}] {words}")

    @property
    def epitaph(self) -> str:
        """How it ended, a line that is logged without the others; then its last words, if there are any."""
        words = ["it wrote:", *self.last_words] if self.last_words else ["(it wrote nothing)"]
        return "\n".join([f"process {self.process.pid} {how_it_ended(self.process.returncode)}", *words])


class EmbeddedProducers:
    """Keeps a number of producers running. Used by the pool's thread alone.

    Parameters
    ----------
    endpoint : str
        The pool's socket.

    Attributes
    ----------
    num_wanted : int
        How many there are to be; 0 once they could not live.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.num_wanted = 0
        self._restarts = Restarts()
        self._num_started = 0
        self._most = max(MIN_STARTING, STARTING_PER_CORE * usable_cores())
        self.children: list[Child] = []

    def resize(self, num: int, now: float) -> None:
        """Want `num` producers from now on: start some, or tell the youngest to leave."""
        self.num_wanted = num
        # Who asks anew has done something about it; those that are still dying do not count for all of them.
        self._restarts.proved()
        for child in self._wanted[num:]:
            self._terminate(child)
        self._fill(now)

    def has(self, pid: int) -> bool:
        """Whether a process is one of these."""
        return any(child.process.pid == pid for child in self.children)

    def welcomed(self, pid: int) -> None:
        """A producer said hello."""
        for child in self.children:
            if child.process.pid == pid:
                child.welcomed = True
                self._restarts.proved()

    def watch(self, now: float) -> Iterator[Child]:
        """Yield each child that ended since the last call, then start others for them.

        Raises
        ------
        ProducerCrashError
            They die faster than they say hello, and none is left.
        """
        for child in list(self.children):
            child.read_stderr()
            if child.process.poll() is not None:
                child.read_stderr(is_over=True)
                child.stderr.close()
                self.children.remove(child)
                self._bury(child, now)
                yield child
        self._fill(now)

    def stop(self) -> None:
        """Wait until all have left, with growing insistence. They were told goodbye, if they had come."""
        for child in self.children:
            if not child.welcomed:
                self._terminate(child)
        began = time.monotonic()
        while any(child.process.poll() is None for child in self.children):
            waited = time.monotonic() - began
            for child in self.children:
                child.read_stderr()
                self._insist(child, waited)
            time.sleep(POLL_S)
        for child in self.children:
            child.read_stderr(is_over=True)
            child.stderr.close()
        self.children.clear()

    @property
    def _wanted(self) -> list[Child]:
        return [child for child in self.children if child.wanted]

    @property
    def _lacks_one(self) -> bool:
        """Whether one more is wanted, and few enough are on their way."""
        num_starting = sum(not child.welcomed for child in self._wanted)
        return len(self._wanted) < self.num_wanted and num_starting < self._most

    def _insist(self, child: Child, waited_s: float) -> None:
        if waited_s > KILL_AFTER_S:
            child.process.kill()
        elif waited_s > TERMINATE_AFTER_S:
            self._terminate(child)

    @staticmethod
    def _terminate(child: Child) -> None:
        if child.wanted:
            child.wanted = False
            child.process.terminate()

    def _bury(self, child: Child, now: float) -> None:
        """Decide when another one takes its place."""
        if not child.wanted:
            return
        if child.welcomed:
            self._restarts.proved()
        pause_s = self._pause(child.epitaph, now)
        logger.warning(
            f"embedded producer {child.process.pid} {how_it_ended(child.process.returncode)};"
            f" another one starts in {pause_s:g} s"
        )

    def _pause(self, epitaph: str, now: float) -> float:
        """Put the next start off, unless it is hopeless and none is there; returns the seconds until then."""
        pause_s = self._restarts.died(now)
        has_some = any(child.welcomed for child in self._wanted)
        if self._restarts.is_hopeless and not has_some:
            self.num_wanted = 0
            raise ProducerCrashError(
                f"embedded producers die as soon as they start, {self._restarts.limit} in a row; {epitaph}"
            )
        return pause_s

    def _fill(self, now: float) -> None:
        """Start those that are missing, but no more at once than cores have to do with: others wait."""
        while self._lacks_one and now >= self._restarts.start_at:
            try:
                self.children.append(self._start())
            except OSError as error:
                logger.warning(f"no embedded producer could be started: {error}")
                self._pause(f"the last one could not be started: {error}", now)

    def _start(self) -> Child:
        self._num_started += 1
        name = f"embedded/{self._num_started}"
        process = start_producer(
            [
                *("--connect", self._endpoint, "--data-root", "/", "--exit-with-trainer", "--name", name),
                *("--allow-any", *_import_paths()),
            ],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        stderr = process.stderr
        if stderr is None:
            raise ProducerCrashError("a child process has no stderr, though a pipe was asked for")
        os.set_blocking(stderr.fileno(), False)
        return Child(process, stderr)


def _import_paths() -> list[str]:
    """Where this process looks for modules; the current folder may be among it as an empty text."""
    folders = [folder or str(Path.cwd()) for folder in sys.path]
    return [word for folder in folders if Path(folder).exists() for word in ("--import-path", folder)]
