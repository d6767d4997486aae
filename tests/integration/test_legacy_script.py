"""docs/migrating.md: an old script runs with two lines changed, and comes to what it would have come to."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage.data

PAGE = Path(__file__).parents[2] / "docs" / "migrating.md"
BEFORE, AFTER = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[:2]
NUM_TRAIN, NUM_VAL, NUM_TEST = 40, 16, 11


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    """The folder that the script is run in: train.csv, test.csv and images/."""
    (tmp_path / "images").mkdir()
    camera = skimage.data.camera()
    names = [f"ID_{number:03x}" for number in range(NUM_TRAIN + NUM_VAL + NUM_TEST)]
    rng = np.random.default_rng(7)
    for name in names:
        top, left = rng.integers(0, 480, 2)
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), camera[top : top + 32, left : left + 32])
    labelled, unlabelled = names[:-NUM_TEST], names[-NUM_TEST:]
    targets = {"any": rng.integers(0, 2, len(labelled)), "subdural": rng.integers(0, 2, len(labelled))}
    pd.DataFrame({"ID": labelled} | targets).to_csv(tmp_path / "train.csv", index=False)
    pd.DataFrame({"ID": unlabelled}).to_csv(tmp_path / "test.csv", index=False)
    return tmp_path


def submission_of(script: str, folder: Path) -> pd.DataFrame:
    """Run a script; what it predicts, by ID."""
    (folder / "script.py").write_text(script)
    environment = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    environment["PYTHONPATH"] = str(PAGE.parents[1])
    command = [sys.executable, "script.py"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return pd.read_csv(folder / "submission.csv", index_col="ID")


def test_two_lines_differ() -> None:
    changes = [line for line in difflib.ndiff(BEFORE.splitlines(), AFTER.splitlines()) if line[0] in "+-"]
    assert changes == [
        "- from data_generator import DataGenerator",
        "+ from feedline.legacy import DataGenerator, install",
        "+ install()",
    ]
    assert len(BEFORE.splitlines()) >= 40


@pytest.mark.exhaustive
def test_the_script_trains_and_predicts_every_id(competition: Path) -> None:
    submission = submission_of(AFTER, competition)
    assert submission.index.tolist() == pd.read_csv(competition / "test.csv")["ID"].tolist()
    assert submission.columns.tolist() == ["any", "subdural"]
    assert submission.nunique().tolist() == [NUM_TEST, NUM_TEST]


@pytest.mark.examples
def test_it_comes_to_what_the_old_script_comes_to(competition: Path) -> None:
    """In an order that both have; the usual class fills the last batch of predictions up."""
    shutil.copy(Path(__file__).with_name("usual_generator.py"), competition / "data_generator.py")
    old = "from feedline.legacy import install\ninstall()\n" + BEFORE
    old = old.replace("predictions, index", f"predictions[:{NUM_TEST}], index")
    submissions = []
    for script in (old, AFTER):
        in_order = script.replace("shuffle=True", "shuffle=False")
        in_order = in_order.replace("    epochs=2,", "    epochs=2, shuffle=False,")
        assert in_order.count("shuffle=False") == 4
        submissions.append(submission_of(in_order, competition))
    pd.testing.assert_frame_equal(*submissions, rtol=1e-5)
