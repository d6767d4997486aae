"""The supervisor: made-up processes on a made-up clock."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from feedline.producer.serving import supervisor as module
from feedline.producer.serving.supervisor import PROVED_S, WATCH_S, Supervisor

TOO_LATE = 1000.0
"""On the made-up clock."""


@dataclass
class FakeProcess:
    """Runs until it is told to end."""

    pid: int
    status: int | None = None
    was_told_to_stop: bool = False

    def poll(self) -> int | None:
        """As of `subprocess.Popen`."""
        return self.status

    def terminate(self) -> None:
        """It obeys at once."""
        self.was_told_to_stop = True
        self.status = 0

    def wait(self, _timeout: float) -> None:
        """There is nothing to wait for."""
        assert self.status is not None


@dataclass
class Machine:
    """Starts made-up processes, except at the moments when it cannot.

    Attributes
    ----------
    now : float
        Its clock; sleeping moves it on.
    can_start : callable
        Whether there is memory for one more at this moment.
    at_each_look : callable
        What happens while the supervisor sleeps.
    """

    now: float = 100.0
    can_start: Callable[[float], bool] = lambda _: True
    at_each_look: Callable[[], None] = lambda: None
    processes: list[FakeProcess] = field(default_factory=list)
    tried_at: list[float] = field(default_factory=list)

    def start(self, _: Sequence[str]) -> FakeProcess:
        """In the place of `start_producer`."""
        self.tried_at.append(self.now)
        if not self.can_start(self.now):
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        self.processes.append(FakeProcess(len(self.processes)))
        return self.processes[-1]

    def sleep(self, seconds: float) -> None:
        """In the place of `time.sleep`."""
        self.now += seconds
        assert self.now < TOO_LATE, "it goes on for ever"
        self.at_each_look()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(module, "start_producer", machine.start)
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=machine.sleep, monotonic=lambda: machine.now))
    return machine


def stopped_at(machine: Machine, supervisor: Supervisor, end: float) -> Callable[[], None]:
    return lambda: supervisor.stop() if machine.now >= end else None


def test_one_that_cannot_be_started_is_tried_again_and_those_that_run_are_watched(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor([["a"], ["b"]])
    machine.can_start = lambda now: not machine.processes or now >= 160.0
    machine.at_each_look = stopped_at(machine, supervisor, 180.0)
    assert supervisor.run() == 0
    assert len(machine.processes) == 2
    assert all(process.was_told_to_stop for process in machine.processes)
    pauses = [later - one for one, later in zip(machine.tried_at[1:], machine.tried_at[2:], strict=False)]
    assert pauses[0] <= WATCH_S * 1.001
    assert 5.0 <= pauses[-1] <= 5.0 + 2 * WATCH_S
    assert "no producer could be started ([Errno 11] Resource temporarily unavailable)" in caplog.text
    assert "another one starts in 5 s" in caplog.text


def test_it_is_given_up_when_none_at_all_can_be_started(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.can_start = lambda _: False
    assert Supervisor([["a"]] * 8).run() == 1
    assert len(machine.tried_at) == 5
    assert machine.now > 100.5
    assert "5 in a row could not live" in caplog.text


def test_producers_that_ran_for_a_while_and_are_killed_together_are_no_crash_loop(machine: Machine) -> None:
    supervisor = Supervisor([["a"]] * 8)
    stop = stopped_at(machine, supervisor, 110.0 + PROVED_S)

    def kill_all_once() -> None:
        if machine.now > 101.0 + PROVED_S and len(machine.processes) == 8:
            for process in machine.processes:
                process.status = -9
        stop()

    machine.at_each_look = kill_all_once
    assert supervisor.run() == 0
    assert len(machine.processes) == 16


def test_producers_that_die_before_they_have_proved_anything_are_a_crash_loop(machine: Machine) -> None:
    def kill() -> None:
        machine.processes[-1].status = 1

    machine.at_each_look = kill
    assert Supervisor([["a"]]).run() == 1
    assert len(machine.processes) == 5


def test_whatever_ends_it_its_producers_are_stopped(machine: Machine) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    machine.at_each_look = fail
    with pytest.raises(ZeroDivisionError):
        Supervisor([["a"], ["b"]]).run()
    assert [process.was_told_to_stop for process in machine.processes] == [True, True]
