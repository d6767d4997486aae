"""The scripts in `examples/` do what their pages say, and end well."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.examples

REPOSITORY = Path(__file__).parents[2]


def printed_by(example: str, out: Path, *options: str) -> str:
    """Run an example to its end; returns what it printed."""
    command = [sys.executable, f"examples/{example}.py", "--out", str(out), *options]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def num_colors(picture: Path) -> int:
    """Count the colours of a picture: one that shows nothing has few."""
    pixels = cv2.imread(str(picture))
    assert pixels is not None
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def test_the_legacy_generator_learns_and_writes_predictions_by_id_and_a_picture(tmp_path: Path) -> None:
    assert "on the validation tiles: loss " in printed_by("legacy_generator", tmp_path)

    files = tmp_path / "legacy_generator"
    frame = pd.read_csv(files / "predictions.csv", index_col="ID")
    validated = {path.stem for path in (files / "tiles").glob("*-validation-*.png")}
    assert len(frame) == len(validated) == len(validated & set(frame.index))
    truth = frame.index.str.partition("-").get_level_values(0)
    assert (frame.idxmax(axis=1) == truth).mean() > 0.5
    assert num_colors(files / "predictions.png") > 200


def test_rsna_trains_and_writes_a_submission_and_a_picture(tmp_path: Path) -> None:
    printed = printed_by("rsna", tmp_path, "--epochs", "2")
    assert "the haemorrhages are drawn in" in printed
    assert "weighted log loss on unseen patients" in printed

    files = tmp_path / "rsna"
    (cut_off,) = [path for path in (files / "stage_2_train").iterdir() if path.stat().st_size < 512 * 512 * 2]
    assert f"left out because pixels are missing: ['{cut_off.name}']" in printed
    rows = (files / "submission.csv").read_text().splitlines()
    assert rows[0] == "ID,Label"
    assert len(rows) == 1 + 6 * len(list((files / "stage_2_test").iterdir()))
    assert num_colors(files / "predictions.png") > 200


def test_yolo3_learns_and_draws_a_batch_with_its_boxes(tmp_path: Path) -> None:
    printed = printed_by("yolo3", tmp_path, "--epochs", "3")
    assert "with objects pasted in" in printed
    losses = re.search(r"validation loss: ([\d.]+) after the first epoch, ([\d.]+) after the last", printed)
    assert losses is not None
    assert float(losses[2]) < float(losses[1])
    assert num_colors(tmp_path / "yolo3" / "batch.png") > 1000
