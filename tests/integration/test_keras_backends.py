"""The tests of `fit`, `evaluate` and `predict` once more, on Keras' other backends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.all_backends

HERE = Path(__file__).parent
FILES = (
    "test_feed_monitor.py",
    "test_keras_fit.py",
    "test_keras_shuffle.py",
    "test_loops.py",
    "test_named_models.py",
    "test_resuming.py",
    "test_samplers_and_views.py",
)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_everything_that_keras_does_with_a_sequence_works_on(backend: str) -> None:
    """In a process of its own, because a process has one backend for life."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES]
    command += ["-m", "not (exhaustive or all_seeds)"]
    # NumPy 2 deprecates how Keras asks a torch tensor for its values.
    command += ["-W", "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"]
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run(
        command, cwd=HERE, env=environment, check=False, capture_output=True, encoding="utf-8", timeout=1200
    )
    assert run.returncode == 0, run.stdout + run.stderr
    nothing_skipped = r"^\d+ passed(, \d+ deselected)? in"
    assert re.search(nothing_skipped, run.stdout, re.MULTILINE), run.stdout
