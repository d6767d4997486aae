"""The stack of docker-compose.yml, with containers, networks and volumes as users have them."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from compose_stack import Stack, inspect, kill, logs, processes, stack, wait_for

pytestmark = pytest.mark.e2e

NUM_ROWS = 600  # as in compose.audit.yml


def test_plain_up_runs_the_demo_draws_its_pictures_and_returns(tmp_path: Path) -> None:
    """One foreground command, ended by the end of training."""
    with stack() as demo:
        demo.compose("up", timeout_s=600)

        (trainer,), (producer,) = demo.containers("trainer"), demo.containers("producer")
        assert [inspect(name)["State"]["ExitCode"] for name in (trainer, producer)] == [0, 0]
        assert [inspect(name)["RestartCount"] for name in (trainer, producer)] == [0, 0]
        subprocess.run(["docker", "cp", f"{trainer}:/out", str(tmp_path)], check=True)
        pictures = list(tmp_path.glob("out/*.png"))
        assert len(pictures) == 2, logs(trainer)
        assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)


def test_every_epoch_is_whole_whatever_happens_to_producers_and_trainer() -> None:
    """Scaled 1 -> 4 -> 2, a worker, a producer and the trainer killed, in one training."""
    with stack("tests/e2e/compose.audit.yml") as audit:
        audit.scale(1)
        train_an_epoch(audit)

        audit.scale(4)
        wait_for("four producers", lambda: len(serving(audit)) == 4)
        train_an_epoch(audit)

        kill_a_worker(serving(audit)[0])
        train_an_epoch(audit)

        kill_a_container(serving(audit)[0])
        wait_for("four producers again", lambda: len(serving(audit)) == 4)
        train_an_epoch(audit)

        audit.scale(2)
        wait_for("two producers", lambda: len(serving(audit)) == 2)
        train_an_epoch(audit)

        (trainer,) = audit.containers("trainer")
        kill_a_container(trainer)
        wait_for("the next run", lambda: len(runs(audit)) == 2)
        train_an_epoch(audit)
        train_an_epoch(audit)

        audit.compose("exec", "-T", "trainer", "touch", "/tmp/finish")
        wait_for("the end", lambda: not audit.running("trainer") and not audit.running("producer"))

        every_container = [trainer, *audit.containers("producer")]
        assert [inspect(name)["State"]["ExitCode"] for name in every_container] == [0, 0, 0]
        assert audit.events()[-1] == {"event": "end"}
        for epochs in runs(audit).values():
            assert_whole(epochs)


def train_an_epoch(audit: Stack) -> None:
    """Wait until an epoch that began after this call has ended."""
    epochs = sum(map(len, runs(audit).values()))
    wait_for("two ends of epochs", lambda: sum(map(len, runs(audit).values())) >= epochs + 2)


def runs(audit: Stack) -> dict[str, list[dict[str, Any]]]:
    """Sort the epochs that ended by the run of the trainer that they belong to."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in audit.events():
        if event["event"] == "start":
            run = found[event["run"]]
        elif event["event"] == "epoch":
            run.append(event)
    return found


def assert_whole(epochs: list[dict[str, Any]]) -> None:
    """Every row once in every epoch, each with its own picture, and no two epochs in one order."""
    assert [event["epoch"] for event in epochs] == list(range(len(epochs)))
    for event in epochs:
        assert sorted(event["rows"]) == list(range(NUM_ROWS)), event["epoch"]
        assert event["num_mismatched"] == 0, event["epoch"]
    orders = {tuple(event["rows"]) for event in epochs}
    assert len(orders) == len(epochs)
