"""`examples/rsna.py` goes from files to a submission."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.examples

REPOSITORY = Path(__file__).parents[2]


def test_the_example_trains_and_writes_a_submission_and_a_picture(tmp_path: Path) -> None:
    command = [sys.executable, "examples/rsna.py", "--out", str(tmp_path), "--epochs", "2"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "the haemorrhages are drawn in" in done.stdout
    assert "weighted log loss on unseen patients" in done.stdout

    files = tmp_path / "rsna"
    (cut_off,) = [path for path in (files / "stage_2_train").iterdir() if path.stat().st_size < 512 * 512 * 2]
    assert f"left out because pixels are missing: ['{cut_off.name}']" in done.stdout
    rows = (files / "submission.csv").read_text().splitlines()
    assert rows[0] == "ID,Label"
    assert len(rows) == 1 + 6 * len(list((files / "stage_2_test").iterdir()))
    picture = cv2.imread(str(files / "predictions.png"))
    assert picture is not None
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 200
