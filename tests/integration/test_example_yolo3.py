"""`examples/yolo3.py` trains a detector and draws a batch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.examples

REPOSITORY = Path(__file__).parents[2]


def test_the_example_learns_and_draws_a_batch_with_its_boxes(tmp_path: Path) -> None:
    command = [sys.executable, "examples/yolo3.py", "--out", str(tmp_path), "--epochs", "3"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "with objects pasted in" in done.stdout
    losses = re.search(
        r"validation loss: ([\d.]+) after the first epoch, ([\d.]+) after the last", done.stdout
    )
    assert losses is not None
    assert float(losses[2]) < float(losses[1])
    picture = cv2.imread(str(tmp_path / "yolo3" / "batch.png"))
    assert picture is not None
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000
