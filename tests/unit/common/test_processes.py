"""How producers are started, and when those that died are started again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import common
from common.processes import Restarts, start_producer, usable_cores


def test_usable_cores_are_those_this_process_may_run_on() -> None:
    allowed = os.sched_getaffinity(0)
    assert usable_cores() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_without_affinity_all_cores_are_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores() == 6


# --- memory -------------------------------------------------------------------------------------

FAULTS = """
import ctypes, resource
from common.processes import keep_memory
if {keep}:
    keep_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
def use():
    blocks = [libc.malloc(ctypes.c_size_t(8 << 20)) for _ in range(6)]
    for block in blocks:
        ctypes.memset(block, 1, 8 << 20)
    for block in blocks:
        libc.free(ctypes.c_void_p(block))
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*, keep: bool, **environment: str) -> int:
    """Of using 48 MiB a second time."""
    command = [sys.executable, "-c", FAULTS.format(keep=keep)]
    return int(subprocess.check_output(command, env=os.environ | environment, text=True))


def test_freed_memory_is_kept_mapped() -> None:
    assert page_faults(keep=False) > 1000
    assert page_faults(keep=True) < 100


def test_whoever_has_told_malloc_otherwise_is_obeyed() -> None:
    assert page_faults(keep=True, MALLOC_TRIM_THRESHOLD_="131072") > 1000


# --- start_producer -----------------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `Popen` was asked for."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(subprocess, "Popen", lambda command, **popen: asked.update(popen, command=command))
    return asked


def test_a_producer_is_this_python_without_the_current_folder(started: dict[str, Any]) -> None:
    start_producer(["--connect", "ipc://x"], bufsize=0)
    command = started["command"]
    assert command[:5] == [sys.executable, "-P", "-m", "producer", "--unsupervised"]
    assert command[command.index("--parent-pid") + 1] == str(os.getpid())
    assert command[-2:] == ["--connect", "ipc://x"]
    assert started["bufsize"] == 0


@pytest.mark.parametrize("theirs", ["", "/their/modules:/more"])
def test_a_producer_finds_our_packages_before_a_users(
    started: dict[str, Any], monkeypatch: pytest.MonkeyPatch, theirs: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", theirs)
    monkeypatch.setenv("SOME_SETTING", "kept")
    start_producer([])
    assert common.__file__ is not None
    ours = str(Path(common.__file__).parent.parent)
    # An empty part of PYTHONPATH would mean the current folder.
    assert started["env"]["PYTHONPATH"] == (f"{ours}:{theirs}" if theirs else ours)
    assert started["env"]["SOME_SETTING"] == "kept"


# --- restarts -----------------------------------------------------------------------------------


def test_the_first_death_is_answered_at_once_and_the_next_ones_ever_later() -> None:
    restarts = Restarts(limit=6, first_pause_s=0.1)
    assert [restarts.died() for _ in range(5)] == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.8])


def test_so_many_deaths_in_a_row_are_hopeless_and_stay_so() -> None:
    restarts = Restarts(limit=3)
    assert [restarts.died() is None for _ in range(4)] == [False, False, True, True]


def test_a_pause_has_a_limit() -> None:
    restarts = Restarts(limit=100, first_pause_s=1.0, longest_pause_s=3.0)
    assert [restarts.died() for _ in range(6)] == [0.0, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_a_process_that_lived_clears_the_count() -> None:
    restarts = Restarts(limit=3)
    for _ in range(10):
        assert restarts.died() == 0.0
        assert restarts.died() is not None
        restarts.proved()
