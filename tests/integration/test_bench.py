"""The bench from its command line, small and short; and simulated producers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from feedline.trainer.bench.simulate import Simulation, simulate
from feedline.trainer.bench.sizing import HEADINGS, LOADS, Scale, compare, to_json


def bench(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "feedline", "bench", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """40 small noisy JPEG files."""
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(7)
    for number in range(40):
        cv2.imwrite(str(folder / f"{number}.jpg"), noise.integers(0, 255, (48, 64, 3), np.uint8))
    return folder


@pytest.mark.exhaustive
def test_feedline_and_the_limit_do_the_same_work_and_both_are_in_the_table(photos: Path) -> None:
    out, picture = photos.parent / "out.json", photos.parent / "out.png"
    work = ("--corpus", photos, "--against", "limit", "--batch-size", "8", "--image-size", "32")
    done = bench("--quick", *work, "--json", out, "--plot", picture)
    assert done.returncode == 0, done.stderr
    results = {result["name"]: result for result in json.loads(out.read_text())["results"]}
    assert results["feedline"]["difference"] == 0
    assert all(result["rounds"][0]["images_per_s"] > 0 for result in results.values())
    assert "Feedline" in done.stdout
    assert "hand-over" in done.stdout
    assert "Feedline is " in done.stdout
    assert picture.stat().st_size > 1000
    report = bench("--report", out)
    assert report.stdout.startswith(tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
    assert "| Feedline |" in report.stdout
    assert "Feedline is " in report.stdout


@pytest.mark.parametrize("link", ["tcp", "tcp-checksums", "tcp-curve"])
@pytest.mark.exhaustive
def test_producers_over_tcp_do_the_same_work(photos: Path, link: str) -> None:
    work = ("--corpus", photos, "--against", "limit", "--batch-size", "8", "--image-size", "32")
    done = bench("--quick", *work, "--over", link, "--json", photos.parent / "out.json")
    assert done.returncode == 0, done.stderr
    (mine,) = [
        one
        for one in json.loads((photos.parent / "out.json").read_text())["results"]
        if one["name"] == "feedline"
    ]
    assert (mine["error"], mine["difference"]) == ("", 0)
    assert mine["rounds"][0]["images_per_s"] > 0


@pytest.mark.parametrize("transport", ["auto", "frames"])
def test_eight_simulated_producers_lose_and_double_nothing(transport: str) -> None:
    load = simulate(Simulation(num_producers=8, num_steps=300, batch_size=4, transport=transport))
    assert (load.num_lost, load.num_doubled) == (0, 0)
    assert load.tickets_per_s > 0


@pytest.mark.exhaustive
def test_hundreds_of_producers_that_come_at_once_are_all_let_in(caplog: pytest.LogCaptureFixture) -> None:
    load = simulate(Simulation(num_producers=300, num_steps=900, batch_size=4))
    assert (load.num_lost, load.num_doubled) == (0, 0)
    assert "left" not in caplog.text
    assert "refused" not in caplog.text


@pytest.mark.exhaustive
def test_an_automatic_number_is_compared_with_fixed_ones_on_each_load() -> None:
    said: list[str] = []
    sized = compare(Scale((1, 2), 0.1, 0.3, 0.1), said.append)
    assert [one["load"] for one in to_json(sized)] == [load.name for load in LOADS]
    assert all(one.fixed.keys() == {1, 2} and one.ratio > 0 for one in sized)
    assert all(len(one.row) == len(HEADINGS) for one in sized)
    assert len(said) >= 2 * len(LOADS)
