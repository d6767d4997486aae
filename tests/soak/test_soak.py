"""A short soak, and whether it would see what it looks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from growth import QUANTITIES, Line, Watch

HERE = Path(__file__).parent


@pytest.mark.exhaustive
def test_a_minute_of_troubles_loses_nothing_and_nothing_grows() -> None:
    command = [sys.executable, str(HERE / "soak.py"), "--minutes", "1", "--seed", "3"]
    run = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=400)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("all is well\n")
    assert re.search(r"\d+ kills, .*\d+ stops", run.stdout)


def watch_of(name: str, values: np.ndarray) -> Watch:
    """One that has measured this, and that all else stays as it is."""
    watch = Watch(list(np.arange(len(values), dtype=float)))
    watch.values = {other: [1.0] * len(values) for other in QUANTITIES} | {name: values.tolist()}
    return watch


@pytest.mark.parametrize("name", QUANTITIES)
def test_what_grows_is_seen_and_what_goes_up_and_down_is_not(name: str) -> None:
    times, rng = np.arange(600), np.random.default_rng(1)
    noise = rng.normal(0, 1, 600)
    enough = 3 * QUANTITIES[name][1]
    assert watch_of(name, 50 + noise + enough * times / 600).grown == [name]
    assert watch_of(name, 50 + noise).grown == []
    assert watch_of(name, 50 + 5 * np.sin(times / 30) + noise).grown == []


def test_a_line_has_the_slope_of_what_it_goes_through() -> None:
    times = np.arange(100.0)
    line = Line.through(times, 3 + 0.5 * times)
    assert line.growth == pytest.approx(0.5 * 99)
    assert line.error == pytest.approx(0, abs=1e-9)
