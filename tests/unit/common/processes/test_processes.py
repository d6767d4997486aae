"""How producers are started, and when those that died are started again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import feedline
from feedline.common.processes import children
from feedline.common.processes.children import Restarts, how_it_ended, start_producer, usable_cores


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


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            r"SIGKILL \(status -9\): most .* memory",
        ),
        ("import os; os.abort()", r"SIGABRT \(status -6\): it crashed in code that is not Python's"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV .*it crashed in code"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", "SIGBUS .*shared memory is full"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", r"was ended by SIGTERM \(status -15\)$"),
        ("import sys; sys.exit(3)", "^ended with status 3$"),
    ],
)
def test_how_a_process_ended_is_said_in_words(code: str, words: str) -> None:
    status = subprocess.run([sys.executable, "-c", code], check=False).returncode
    assert re.search(words, how_it_ended(status))


# --- memory -------------------------------------------------------------------------------------

FAULTS = """
import ctypes, resource
from feedline.common.processes.children import keep_memory
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
    assert command[:3] == [sys.executable, "-P", "-c"]
    assert "from feedline.producer.__main__ import main" in command[3]
    assert command[4:7] == [str(Path(feedline.__file__).parents[1]), "--unsupervised", "--parent-pid"]
    assert command[7:] == [str(os.getpid()), "--connect", "ipc://x"]
    assert started["bufsize"] == 0


def test_a_users_pythonpath_is_searched_last_and_is_there_for_what_a_producer_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("argparse", "numpy", "feedline"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user has this file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SOME_SETTING", "kept")
    monkeypatch.setattr(children, "_RUN", children._RUN.replace("sys.exit(main())", _REPORT))
    with start_producer([], stdout=subprocess.PIPE, cwd=tmp_path) as child:
        said, _ = child.communicate()
    path, last, setting, numpy = said.decode().splitlines()
    assert (path, last, setting) == (str(tmp_path), str(tmp_path), "kept")
    assert not numpy.startswith(str(tmp_path))


_REPORT = """
import numpy
print(os.environ["PYTHONPATH"], sys.path[-1], os.environ["SOME_SETTING"], numpy.__file__, sep="\\n")
"""


# --- restarts -----------------------------------------------------------------------------------


def test_the_first_death_is_answered_at_once_and_the_next_ones_ever_later() -> None:
    restarts = Restarts(limit=6, first_pause_s=0.1)
    assert [restarts.died(10.0) for _ in range(5)] == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.8])
    assert restarts.start_at == pytest.approx(10.8)


def test_so_many_deaths_in_a_row_are_hopeless_and_stay_so() -> None:
    restarts = Restarts(limit=3)
    hopeless = []
    for _ in range(4):
        restarts.died(0.0)
        hopeless.append(restarts.is_hopeless)
    assert hopeless == [False, False, True, True]


def test_a_pause_has_a_limit() -> None:
    restarts = Restarts(limit=100, first_pause_s=1.0, longest_pause_s=3.0)
    assert [restarts.died(0.0) for _ in range(6)] == [0.0, 1.0, 2.0, 3.0, 3.0, 3.0]
    assert {restarts.died(0.0) for _ in range(2000)} == {3.0}


def test_a_process_that_lived_clears_the_count() -> None:
    restarts = Restarts(limit=3)
    for _ in range(10):
        assert restarts.died(0.0) == 0.0
        restarts.died(0.0)
        assert not restarts.is_hopeless
        restarts.proved()
