"""Starts producers, watches them, and starts those anew that die."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from feedline.common.processes.children import Restarts, how_it_ended, start_producer

logger = logging.getLogger(__name__)

WATCH_S = 0.2
"""Pause between two looks at the producers."""

PROVED_S = 5.0
"""A producer that has run for so long can live."""

STOP_S = 30.0
"""A producer that was asked to stop may finish a batch for so long; then it is killed."""


@dataclass(slots=True)
class Seat:
    """One of the N producers, through all its processes.

    Attributes
    ----------
    arguments : sequence of str
        Its command line.
    process : Popen or None
        The present one; None between two.
    started_at : float
        When it was started.
    proved, left : bool
        The present process has run long enough; the last one ended as it was meant to.
    """

    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    proved: bool = False
    left: bool = False


@dataclass(slots=True)
class Supervisor:
    """Runs one process for each command line until they leave by themselves, or `stop` is called.

    Attributes
    ----------
    command_lines : sequence of sequence of str
        The arguments of each producer.
    restarts : Restarts
        Shared by all: when none can live, it is given up.
    """

    command_lines: Sequence[Sequence[str]]
    restarts: Restarts = field(default_factory=Restarts)
    _hopeless: bool = False
    _stopping: bool = False
    _seats: list[Seat] = field(default_factory=list)

    def run(self) -> int:
        """Watch until the end; returns the exit status: 0, or 1 for a crash loop."""
        self._seats = [Seat(arguments) for arguments in self.command_lines]
        try:
            while not self._stopping and not all(seat.left for seat in self._seats):
                for seat in self._seats:
                    self._watch(seat, time.monotonic())
                time.sleep(WATCH_S)
        finally:
            self._stop_all()
        return int(self._hopeless)

    def stop(self) -> None:
        """End all producers after the batch in hand. Called from a signal handler, so it takes no lock."""
        self._stopping = True

    def _watch(self, seat: Seat, now: float) -> None:
        """Do what one seat needs now."""
        if seat.process is None:
            if not seat.left and now >= self.restarts.start_at:
                self._start(seat, now)
            return
        status = seat.process.poll()
        if status is not None:
            self._bury(seat, seat.process.pid, status, now)
        elif not seat.proved and now - seat.started_at > PROVED_S:
            seat.proved = True
            self.restarts.proved()

    def _start(self, seat: Seat, now: float) -> None:
        """Start a producer, or try again later: those that run are not given up for want of one more."""
        try:
            seat.process, seat.started_at, seat.proved = start_producer(seat.arguments), now, False
        except OSError as error:
            is_alone = all(other.process is None for other in self._seats)
            self._put_off(f"no producer could be started ({error})", now, may_give_up=is_alone)

    def _bury(self, seat: Seat, pid: int, status: int, now: float) -> None:
        """A producer ended: because it was to, or it is to be started anew, or there is no hope."""
        seat.process, seat.left = None, status == 0
        if seat.left:
            return
        if seat.proved:
            self.restarts.proved()
        self._put_off(f"producer {pid} {how_it_ended(status)}", now)

    def _put_off(self, why: str, now: float, *, may_give_up: bool = True) -> None:
        pause_s = self.restarts.died(now)
        if may_give_up and self.restarts.is_hopeless:
            logger.error(f"{why}: {self.restarts.num_deaths} in a row could not live")
            self._hopeless = self._stopping = True
            return
        logger.warning(f"{why}; another one starts in {pause_s:g} s")

    def _stop_all(self) -> None:
        processes = [seat.process for seat in self._seats if seat.process is not None]
        for process in processes:
            process.terminate()
        if processes:
            logger.info("stopping: producers finish the batch in hand")
        until = time.monotonic() + STOP_S
        for process in processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
