"""A batch that was in work when a producer died is built in a process of its own first.

What a C decoder does to memory is then the loss of one sample. The process is a fork, which alone does what
the producer would do, to the last loaded module, and is there in milliseconds. It uses nothing that other
threads may hold: no socket, no cache, no memory that is shared; it ends without cleaning up, and with the
producer. One that stands still all the same is given up.
"""

from __future__ import annotations

import ctypes
import logging
import os
import select
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NoReturn

from feedline.common.errors import DecodeError
from feedline.common.job.images import Job
from feedline.common.job.kinds import AnyJob
from feedline.common.job.sizes import SizesJob
from feedline.common.processes.children import how_it_ended
from feedline.common.stages import Stage
from feedline.common.wire.protocol import BadFile, FailureKind, Sample, Ticket
from feedline.producer.building.bad_files import BadFilesError
from feedline.producer.building.batches import CancelledBuildError
from feedline.producer.building.builders import Workshop
from feedline.producer.building.stage_clock import VERBS, StageClock
from feedline.producer.cache.folder import CacheSettings

logger = logging.getLogger(__name__)

MAX_DEATHS = 3
"""So many deaths at the same sample make it bad."""

STILL_S = 60.0
"""A trial that is at the same file for so long tells nothing: the batch is built without it."""

MAX_WORDS = 4000
"""Characters of stderr that are told."""

LOOK_S = 0.2
"""Pause between two looks at whether the batch is still wanted."""

PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""


class TellingClock(StageClock):
    """Writes what begins to a pipe, before it does.

    Parameters
    ----------
    pipe : int
        Descriptor to write to.
    """

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self._pipe = pipe

    def begin(self, stage: Stage, name: str) -> None:
        """See `StageClock`."""
        os.write(self._pipe, f"{int(stage)} {name}\n".encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True)
class Death:
    """How a process ended.

    Attributes
    ----------
    item : int
        Which of the ticket's it was at.
    stage : Stage
        What it did.
    path : str
        With which file.
    how : str
        In words that follow its name.
    last_words : str
        What it wrote to stderr.
    """

    item: int
    stage: Stage
    path: str
    how: str
    last_words: str


class DeathError(Exception):
    """What is told of a death where other errors have a traceback."""


@dataclass(slots=True)
class Trial:
    """Builds a ticket in processes of their own until one of them comes through.

    Attributes
    ----------
    job : AnyJob
        Whose ticket it is.
    ticket : Ticket
        What to build; samples that are bad lose their paths.
    shop : Workshop
        What the producer works with.
    is_cancelled : callable
        Asked several times a second.
    """

    job: AnyJob
    ticket: Ticket
    shop: Workshop
    is_cancelled: Callable[[], bool]
    _num_deaths: Counter[tuple[int, str]] = field(default_factory=Counter)
    _bad: dict[BadFile, Death] = field(default_factory=dict)

    def run(self) -> None:
        """Find out which samples kill.

        Raises
        ------
        BadFilesError
            These do.
        CancelledBuildError
            `is_cancelled` said so.
        """
        while (death := self._death()) is not None:
            self._num_deaths[death.item, death.path] += 1
            if self._num_deaths[death.item, death.path] == MAX_DEATHS:
                self._blame(death)
        if self._bad:
            first = next(iter(self._bad.values()))
            errors = [DecodeError(death.path, bad.reason) for bad, death in self._bad.items()]
            error = BadFilesError(list(self._bad), errors)
            if first.stage is Stage.TRANSFORM:
                # Code of a user's, perhaps: whoever does without no sample is to read where that was.
                error.kind = FailureKind.BUILD
            raise error from DeathError(f"a process {first.how}\n{first.last_words}")

    def _death(self) -> Death | None:
        """Build once; how that was fatal, or None if it was not."""
        reads, writes = os.pipe()
        try:
            with os.fdopen(os.memfd_create("stderr"), "w+b") as stderr:
                pid = _fork()
                if pid == 0:
                    self._build(writes, stderr.fileno())
                os.close(writes)
                at = self._follow(pid, reads)
                status = _end(pid)
                stderr.seek(0)
                last_words = stderr.read().decode(errors="replace")[-MAX_WORDS:]
        finally:
            os.close(reads)
        return None if at is None or status == 0 else Death(*at, how_it_ended(status), last_words)

    def _build(self, pipe: int, stderr: int) -> NoReturn:
        """All that the other process does: build, and tell what it is at."""
        status = 1
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.dup2(stderr, 2)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            shop = replace(self.shop, cache=CacheSettings(None, 0), clock=TellingClock(pipe))

            def tell() -> bool:
                os.write(pipe, b"item\n")
                return False

            shop.builder_of(self.job).build(self.ticket, tell)
            status = 0
        except Exception:  # noqa: BLE001 - the producer itself will meet it, and tell it
            status = 0
        finally:
            # Nothing of the producer's may be ended or written twice.
            os._exit(status)

    def _follow(self, pid: int, pipe: int) -> tuple[int, Stage, str] | None:
        """Read what a process is at until it ends; returns the last of it. None if there was nothing."""
        item, at, rest = -1, None, b""
        for part in self._parts(pid, pipe):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if line == b"item":
                    item += 1
                else:
                    stage, _, path = line.decode("utf-8", "surrogateescape").partition(" ")
                    at = item, Stage(int(stage)), path
                    self.shop.clock.begin(*at[1:])
        return at

    def _parts(self, pid: int, pipe: int) -> Iterator[bytes]:
        """What comes through a pipe until its other end is closed; ends the process if it stands still."""
        heard_at = time.monotonic()
        while time.monotonic() - heard_at < STILL_S:
            if self.is_cancelled():
                _kill(pid)
                _end(pid)
                raise CancelledBuildError
            if select.select([pipe], [], [], LOOK_S)[0]:
                part = os.read(pipe, 1 << 16)
                if not part:
                    return
                heard_at = time.monotonic()
                yield part
        _kill(pid)

    def _blame(self, death: Death) -> None:
        """A sample is bad: it is left out of further trials, and so are those before it, which are not."""
        num, samples = self.job.num_sources, self.ticket.samples
        own = range(death.item * num, (death.item + 1) * num)
        place = next((place for place in own if death.path in samples[place].paths), own[0])
        paths = samples[place].paths
        file = paths.index(death.path) if death.path in paths else 0
        doing = VERBS[death.stage]
        reason = f"kills who uses it: {MAX_DEATHS} times, a process that was {doing} it {death.how}"
        self._bad[BadFile(place, file, FailureKind.DECODE, reason)] = death
        self.ticket = replace(self.ticket, samples=_without_first(samples, own.stop))


def try_out(job: AnyJob | str, ticket: Ticket, shop: Workshop, is_cancelled: Callable[[], bool]) -> None:
    """Have a ticket built elsewhere first, if it is one of images; see `Trial.run`."""
    if not isinstance(job, Job | SizesJob):
        return
    try:
        Trial(job, ticket, shop, is_cancelled).run()
    except OSError as error:
        logger.warning(f"a batch at which a producer died is built without being tried apart: {error}")


def _without_first(samples: tuple[Sample, ...], num: int) -> tuple[Sample, ...]:
    return tuple(one._replace(paths=()) for one in samples[:num]) + samples[num:]


def _fork() -> int:
    with warnings.catch_warnings():
        # Of threads in a process that forks: see the top of the file.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _end(pid: int) -> int:
    """Wait for the end of a process, which is near; its status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
