"""Every script in examples/ runs as its README says, and draws its picture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_S = 300
"""Two minutes are promised to one who runs nothing beside it."""

SCRIPTS = {
    "legacy_generator.py": ("legacy_generator.png", "on the validation tiles: loss "),
}
"""What each draws into ``--out``, and a part of what it says."""


def test_every_example_is_in_the_table() -> None:
    assert sorted(SCRIPTS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


def test_every_example_is_in_the_readme() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    assert all(f"| `{script}` |" in readme for script in SCRIPTS)


@pytest.mark.examples
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_runs_and_draws_its_picture(script: str, tmp_path: Path) -> None:
    picture, said = SCRIPTS[script]
    environment = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    environment["PYTHONPATH"] = str(EXAMPLES.parent)
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), "--out", "pictures"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert said in done.stdout
    pixels = cv2.imread(str(tmp_path / "pictures" / picture))
    assert pixels is not None
    assert min(pixels.shape[:2]) > 300
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
