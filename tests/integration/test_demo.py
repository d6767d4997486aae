"""`feedline demo` from its command line, on a small folder of class folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

CHANNELS = ("blue", "green", "red")
TINY = ("--epochs", "2", "--image-size", "16", "--batch-size", "8", "--workers", "2")


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """24 noisy images for each of three colours, which the folders are named after."""
    noise = np.random.default_rng(7)
    for channel, colour in enumerate(CHANNELS):
        folder = tmp_path / "flowers" / colour
        folder.mkdir(parents=True)
        for number in range(24):
            pixels = noise.integers(0, 90, (40, 52, 3), np.uint8)
            pixels[:, :, channel] += 150
            cv2.imwrite(str(folder / f"{number}.jpg"), pixels)
    return tmp_path / "flowers"


def demo(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "feedline", "demo", *map(str, words)]
    # The package is installed; PYTHONPATH is for a checkout that is not. TensorFlow, imported in this
    # process by other tests, has set variables that would make another one of it talk.
    environment = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=180, check=False
    )


@pytest.mark.exhaustive
def test_a_training_ends_with_a_summary_and_two_pictures(flowers: Path, tmp_path: Path) -> None:
    done = demo("--directory", flowers, "--out", "pictures", *TINY, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "58 images to train on, 14 to validate, 3 classes" in done.stdout
    for said in ("epoch  2/2", "images per second", "waiting for batches", "validation accuracy"):
        assert said in done.stdout
    for name in ("training.png", "batches.png"):
        picture = Path("pictures", name)
        assert str(picture) in done.stdout
        assert_drawn(tmp_path / picture)


@pytest.mark.exhaustive
def test_a_broken_image_ends_it_with_a_sentence_that_names_the_file(flowers: Path, tmp_path: Path) -> None:
    broken = flowers / "red" / "3.jpg"
    broken.write_bytes(broken.read_bytes()[:300])

    done = demo("--directory", flowers, *TINY, cwd=tmp_path)

    assert done.returncode == 1
    # Alone: Keras' and TensorFlow's own account of it would bury the sentence.
    (line,) = done.stderr.splitlines()
    assert line.startswith("feedline demo: ")
    assert str(broken) in line
    assert list((tmp_path / "demo").iterdir()) == []


def assert_drawn(file: Path) -> None:
    picture = cv2.imread(str(file))
    assert picture is not None, file
    height, width, _ = picture.shape
    assert min(height, width) > 300
    num_colours = len(np.unique(picture.reshape(-1, 3), axis=0))
    assert num_colours > 100, file
