"""The wall clock of a machine jumps back and forth: nobody looks at it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from children import PATIENCE_S
from images import write_images

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

FAKE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static time_t shift(void) {  /* a day back, as soon as there is a file of this name */
    const char *flag = getenv("CLOCK_SET_BACK");
    return flag && access(flag, F_OK) == 0 ? -86400 : 0;
}
int clock_gettime(clockid_t id, struct timespec *when) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, when);
    if (id == CLOCK_REALTIME) when->tv_sec += shift();
    return result;
}
int gettimeofday(struct timeval *when, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(when, zone);
    when->tv_sec += shift();
    return result;
}
time_t time(time_t *when) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (when) *when = now.tv_sec;
    return now.tv_sec;
}
"""
"""Replaces the C library's functions, in the trainer and in its producers."""

WALL_CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "today")}
MAY_LOOK = {
    "trainer/pool/embedded.py": 1,  # how old an abandoned folder is: what is younger stays
}
"""So often, in these files; not for what anybody waits for."""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """The library that does so."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    (tmp_path / "fake.c").write_text(FAKE)
    command = ["cc", "-shared", "-fPIC", "-o", "fake.so", "fake.c", "-ldl"]
    subprocess.run(command, check=True, cwd=tmp_path)
    return tmp_path / "fake.so"


def test_a_clock_that_is_set_back_by_a_day_in_the_midst_of_an_epoch_is_not_noticed(
    fake: Path, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    write_images(tmp_path / "images", 8)
    flag = tmp_path / "back"
    environment = {**os.environ, "LD_PRELOAD": str(fake), "CLOCK_SET_BACK": str(flag)}
    environment["PYTHONPATH"] = f"{ROOT}:{HERE}"
    command = [sys.executable, str(HERE / "bare_trainer.py"), "2", str(tmp_path / "images"), "*.png"]
    epoch = [[0, 1], [2, 3], [4, 5], [6, 7]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **pipes, env=environment) as trainer:
        assert trainer.stdout is not None
        lines = [trainer.stdout.readline() for _ in range(2)]
        flag.touch()
        lines += [trainer.stdout.readline() for _ in range(200)]
        flag.unlink()
        lines += [trainer.stdout.readline() for _ in range(200)]
        trainer.stdout.close()  # it ends when it has nobody to write to
        trainer.wait(PATIENCE_S)
    assert [ast.literal_eval(line) for line in lines] == (epoch * 101)[: len(lines)]


def test_the_library_really_sets_the_clock_back(fake: Path, tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    environment = {**os.environ, "LD_PRELOAD": str(fake), "CLOCK_SET_BACK": str(tmp_path)}
    command = [sys.executable, "-c", "import time; print(time.time())"]
    told = [
        float(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
        for env in (os.environ, environment)
    ]
    assert told[1] < told[0] - 80_000


def looks_at_wall_clock(source: str) -> int:
    """How often a module calls a clock that people may set."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [
        (call.value.id, call.attr)
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)
    ]
    return sum(name in WALL_CLOCKS for name in named)


def test_nothing_that_serves_batches_looks_at_a_clock_that_people_may_set() -> None:
    rooms = ("common", "producer", "trainer/dispatch", "trainer/plan", "trainer/pool", "trainer/sequences")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 100
    found = {str(path.relative_to(ROOT)): looks_at_wall_clock(path.read_text()) for path in files}
    assert {name: num for name, num in found.items() if num} == MAY_LOOK
