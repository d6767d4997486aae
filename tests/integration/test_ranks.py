"""Data-parallel training: processes that share an epoch, and devices that share a batch."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from children import PATIENCE_S, wait_for
from images import write_images
from rank import BATCH_SIZE, NUM_EPOCHS, NUM_RANKS, SEED

from feedline.trainer.plan.epochs import EpochPlan

pytestmark = pytest.mark.all_backends

NUM_ROWS = 27
HERE = Path(__file__).parent


def two_free_ports() -> int:
    """A port that is free, and the one after it, too; none that a test beside this one may be given."""
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.SystemRandom().randrange(1024, first_given - 1)
        with socket.socket() as first, socket.socket() as second, suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port


def written_by(folder: Path, *commands: list[str]) -> list[Any]:
    """Run processes side by side; what each writes in its last line. The first to fail ends all."""
    environ = {name: text for name, text in os.environ.items() if name != "KERAS_BACKEND"}
    with ExitStack() as opened:
        files = [opened.enter_context((folder / f"{nth}.txt").open("w+")) for nth in range(len(commands))]
        started = []
        for command, file in zip(commands, files, strict=True):
            words = [sys.executable, *command]
            process = subprocess.Popen(words, cwd=HERE, env=environ, stdout=file, stderr=subprocess.STDOUT)
            opened.callback(process.wait)
            opened.callback(process.kill)
            started.append(process)
        codes = list[int | None]()

        def is_over() -> bool:
            codes[:] = [process.poll() for process in started]
            return None not in codes or any(codes)

        try:
            wait_for(f"{commands}", is_over, 3 * PATIENCE_S)
        finally:
            texts = [Path(file.name).read_text() for file in files]
            sys.stdout.write("\n".join(texts))
        assert not any(codes), codes
    return [json.loads(text.splitlines()[-1]) for text in texts]


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
    commands = [["rank.py", *(one.format(rank=nth) for one in command)] for nth in range(NUM_RANKS)]
    ranks, weights = zip(*written_by(tmp_path, *commands), strict=True)
    assert len({*weights}) == 1
    expected = [order_of(epoch) + order_of(epoch)[:1] for epoch in range(NUM_EPOCHS)]
    if remainder == "drop":
        expected = [order_of(epoch)[:-1] for epoch in range(NUM_EPOCHS)]
    if framework == "keras-on-jax":  # each process has the metrics of both
        assert ranks[0] == ranks[1]
        assert [Counter(rows) for rows in ranks[0]] == [Counter(rows) for rows in expected]
        return
    assert [[len(rows) for rows in rank] for rank in ranks] == [
        [len(rows) // 2 for rows in expected]
    ] * NUM_RANKS
    for epoch, rows in enumerate(expected):
        assert ranks[0][epoch] == rows[::2]
        assert ranks[1][epoch] == rows[1::2]


def test_two_devices_of_one_process_train_every_sample_once_per_epoch_on_jax(tmp_path: Path) -> None:
    """TensorFlow: see test_keras_mirrored.py. PyTorch has no such thing: a process for each is its way."""
    write_images(tmp_path, NUM_ROWS)
    (epochs,) = written_by(tmp_path, ["two_devices.py", str(tmp_path)])
    num_trained = NUM_ROWS // 4 * 4
    assert [len(rows) for rows in epochs] == [num_trained] * 3
    assert [{*rows} <= {*range(NUM_ROWS)} and len({*rows}) for rows in epochs] == [num_trained] * 3
