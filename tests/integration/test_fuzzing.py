"""A short, seeded share of what `make fuzz` does: messages to a live pool and a live producer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.exhaustive
@pytest.mark.parametrize("target", ["decoder", "pool", "producer"])
def test_nothing_that_others_say_is_more_than_one_refusal(target: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "fuzz", target, "--seconds", "10", "--seed", "7"],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "nothing was found" in run.stdout
