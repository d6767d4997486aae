"""`examples/legacy_generator.py` trains, evaluates, predicts and draws."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.examples

REPOSITORY = Path(__file__).parents[2]


def test_the_example_learns_and_writes_predictions_by_id_and_a_picture(tmp_path: Path) -> None:
    command = [sys.executable, "examples/legacy_generator.py", "--out", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "on the validation tiles: loss " in done.stdout

    files = tmp_path / "legacy_generator"
    frame = pd.read_csv(files / "predictions.csv", index_col="ID")
    validated = {path.stem for path in (files / "tiles").glob("*-validation-*.png")}
    assert len(frame) == len(validated) == len(validated & set(frame.index))
    truth = frame.index.str.partition("-").get_level_values(0)
    assert (frame.idxmax(axis=1) == truth).mean() > 0.5
    picture = cv2.imread(str(files / "predictions.png"))
    assert picture is not None
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 200
