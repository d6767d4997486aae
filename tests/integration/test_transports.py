"""The invariants once more, over every way that batches travel and every place where samples are kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.all_transports

HERE = Path(__file__).parent
FILES = ("test_exactly_once.py", "test_same_bytes.py", "test_kept_arrays.py", "test_sequence_by_hand.py")


@pytest.mark.parametrize(
    ("transport", "cache"),
    # Without a cache, in shared memory, is what `make test` runs them with.
    [("frames", None), ("auto", "memory"), ("frames", "memory"), ("auto", "disk"), ("frames", "disk")],
)
def test_the_invariants_hold_over(transport: str, cache: str | None, tmp_path: Path) -> None:
    """In a process of its own, in which the arguments have other defaults: see conftest.py."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES]
    environment = os.environ | {"FEEDLINE_TEST_TRANSPORT": transport, "XDG_CACHE_HOME": str(tmp_path)}
    if cache is not None:
        environment["FEEDLINE_TEST_CACHE"] = cache
    run = subprocess.run(
        command, cwd=HERE, env=environment, check=False, capture_output=True, encoding="utf-8", timeout=1200
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^\d+ passed in", run.stdout, re.MULTILINE), run.stdout  # and nothing skipped
    if cache == "disk":
        assert list(tmp_path.rglob("*")), "nothing was kept"
