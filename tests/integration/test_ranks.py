"""Data-parallel training: processes that share an epoch, and devices that share a batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from children import PATIENCE_S
from images import write_images
from rank import BATCH_SIZE, NUM_EPOCHS, NUM_RANKS, SEED

from feedline.trainer.plan.epochs import EpochPlan

pytestmark = pytest.mark.all_backends

NUM_ROWS = 27
HERE = Path(__file__).parent


def two_free_ports() -> int:
    """A port that is free, and the one after it, too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def rows_of(*commands: list[str]) -> list[list[list[int]]]:
    """Run processes side by side; what each writes: of each epoch the rows."""
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=HERE,
            env={name: text for name, text in os.environ.items() if name != "KERAS_BACKEND"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    try:
        written = [process.communicate(timeout=3 * PATIENCE_S) for process in started]
    finally:
        for process in started:
            process.kill()
            process.communicate()
    for process, (_, words) in zip(started, written, strict=True):
        assert process.returncode == 0, words
    return [json.loads(out.splitlines()[-1]) for out, _ in written]


def order_of(epoch: int) -> list[int]:
    """The rows of an epoch as one process would have them."""
    return EpochPlan(NUM_ROWS, BATCH_SIZE, shuffle=True, seed=SEED).order(epoch).tolist()


@pytest.mark.parametrize(
    ("framework", "remainder"),
    [("torch", "drop"), ("torch", "pad"), ("jax", "pad"), ("tensorflow", "pad"), ("keras-on-jax", "drop")],
)
def test_two_processes_train_disjoint_halves_of_every_epoch_in_as_many_steps(
    tmp_path: Path, framework: str, remainder: str
) -> None:
    """And both come to an end: with a step more in one of them, it would wait there for ever."""
    write_images(tmp_path, NUM_ROWS)
    port = str(two_free_ports())
    command = [framework, "{rank}", port, str(tmp_path), remainder]
    ranks = rows_of(*(["rank.py", *(one.format(rank=nth) for one in command)] for nth in range(NUM_RANKS)))
    expected = [order_of(epoch) + order_of(epoch)[:1] for epoch in range(NUM_EPOCHS)]
    if remainder == "drop":
        expected = [order_of(epoch)[:-1] for epoch in range(NUM_EPOCHS)]
    if framework == "keras-on-jax":  # each process has the metrics of both
        assert ranks[0] == ranks[1]
        assert [Counter(rows) for rows in ranks[0]] == [Counter(rows) for rows in expected]
        return
    assert [[len(rows) for rows in rank] for rank in ranks] == [[len(rows) // 2 for rows in expected]] * 2
    for epoch, rows in enumerate(expected):
        assert ranks[0][epoch] == rows[::2]
        assert ranks[1][epoch] == rows[1::2]


def test_two_devices_of_one_process_train_every_sample_once_per_epoch_on_jax(tmp_path: Path) -> None:
    """TensorFlow: see test_keras_mirrored.py. PyTorch has no such thing: a process for each is its way."""
    write_images(tmp_path, NUM_ROWS)
    (epochs,) = rows_of(["two_devices.py", str(tmp_path)])
    num_trained = NUM_ROWS // 4 * 4
    assert [len(rows) for rows in epochs] == [num_trained] * 3
    assert [{*rows} <= {*range(NUM_ROWS)} and len({*rows}) for rows in epochs] == [num_trained] * 3
