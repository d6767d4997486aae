"""Trainings that are interrupted again and again, and killed: what `test_resuming.py` shows with one each."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from children import PATIENCE_S
from resumable_fit import Script
from resuming import (
    MakeScript,
    assert_same_training,
    determinism,
    images,
    interrupted_until_it_ends,
    script,
)

NUM_KILLS = 20
SCRIPT = Path(__file__).with_name("resumable_fit.py")

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.filterwarnings("ignore:.*ran out of data:UserWarning"),
    # NumPy 2 deprecates how Keras asks for a learning rate.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"steps_per_epoch": 3, "epochs": 7},
    {"steps_per_epoch": 20},
    {"steps_per_execution": 2},
    {"steps_per_execution": 3, "steps_per_epoch": 4, "epochs": 7},
    {"save_every": 4},
    {"save_every": "epoch", "batch_size": 10},
    {"is_polite": True, "save_every": "epoch", "steps_per_epoch": 3, "epochs": 7},
    {"swaps_ema": True},
    {"class_weight": {"0": 1.0, "1": 2.0}, "validates": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_one_that_is_interrupted_again_and_again_equals_it_too(
    options: dict[str, Any], script: MakeScript
) -> None:
    reference = script("reference", **options)
    reference.fit()
    assert_same_training(interrupted_until_it_ends(script, [2, 5, 3, 6], **options), reference)


@pytest.fixture
def places_of_the_killed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is killed leaves files to the next run, and to nobody after the last."""
    # Short: the path of a Unix socket has 107 characters at most.
    temp = tempfile.mkdtemp(prefix="fl-", dir="/tmp")
    for name in ("TMPDIR", "FEEDLINE_SHM", "FEEDLINE_CACHE_DIR"):
        monkeypatch.setenv(name, temp)
    yield
    shutil.rmtree(temp, ignore_errors=True)


def run_until_killed(script: Script, num_batches: int, delay_s: float) -> bool:
    """Run a script in a process, and kill it when it has trained so much more; whether it was killed."""
    fields = {name: value for name, value in vars(script).items() if name != "data"}
    command = [sys.executable, str(SCRIPT), json.dumps(fields)]
    file = Path(script.trained)
    goal = len(file.read_bytes().splitlines()) + num_batches if file.exists() else num_batches
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + PATIENCE_S
        while process.poll() is None and time.monotonic() < until:
            if file.exists() and len(file.read_bytes().splitlines()) >= goal:
                time.sleep(delay_s)
                break
            time.sleep(0.002)
        process.kill()
        _, said = process.communicate()
    assert process.returncode in {0, -signal.SIGKILL}, said
    return process.returncode != 0


@pytest.mark.usefixtures("places_of_the_killed")
def test_killed_at_random_points_it_trains_what_an_uninterrupted_run_does(
    script: MakeScript,
) -> None:
    """Each time it has another number of producers, and now and then a cache; the last run is let finish."""
    rng = random.Random(0)
    options = {"epochs": 20, "save_every": 2}
    reference = script("reference", **options)
    assert not run_until_killed(reference, 10**9, 0)
    for number in range(NUM_KILLS):
        cache = "disk" if number % 5 == 4 else None
        killed = script("killed", workers=1 + number % 4, cache=cache, **options)
        assert run_until_killed(killed, rng.randint(1, 6), rng.uniform(0, 0.03))
    assert not run_until_killed(killed, 10**9, 0)
    assert_same_training(killed, reference)
