"""The stack of docker-compose.yml, with containers, networks and volumes as users have them."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import pytest
from compose_stack import Stack, inspect, kill, logs, processes, stack, starve, wait_for

pytestmark = pytest.mark.e2e

NUM_ROWS = 400  # as in compose.audit.yml


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
        assert_keys_are_where_they_belong(demo)


def assert_keys_are_where_they_belong(demo: Stack) -> None:
    """Each side only reads its own volume, and no image has a key."""
    for service, other in (("trainer", "producer"), ("producer", "trainer")):
        (container,) = demo.containers(service)
        mounts = {mount["Destination"]: mount["RW"] for mount in inspect(container)["Mounts"]}
        assert mounts[f"/keys/{service}"] is False
        assert f"/keys/{other}" not in mounts
        look = ["docker", "run", "--rm", "--user", "0", "--entrypoint", "find", inspect(container)["Image"]]
        found = subprocess.run([*look, "/", "-xdev", "-name", "*.key*"], capture_output=True, check=False)
        assert b".key_secret" not in found.stdout
        assert b"producers/" not in found.stdout


SCRIPT = """
import pandas as pd
from feedline import BatchSequence, ImageDataset
from settings import SIZE

frame = pd.read_csv("/project/labels.csv")
data = ImageDataset.from_dataframe(frame, "/data", y_col="value", class_mode="raw")
sequence = BatchSequence(data, batch_size=4, image_size=SIZE, shuffle=False, workers=7)
pixels = [int(value) for x, _ in sequence for value in x[:, 0, 0, 0]]
with open("result.txt", "w") as file:
    print(pixels, len(sequence.pool.producers), file=file)
"""


@pytest.fixture
def project(tmp_path: Path) -> dict[str, Path]:
    """A folder of images, a script with a module of its own, and where the results are to go."""
    places = {name: tmp_path / name.lower() for name in ("DATA_DIR", "PROJECT_DIR", "OUT_DIR")}
    for place in places.values():
        place.mkdir()
    rows = ["filename,value"]
    for value in range(10):
        cv2.imwrite(str(places["DATA_DIR"] / f"{value}.png"), np.full((8, 8, 3), value, np.uint8))
        rows.append(f"{value}.png,{value}")
    (places["PROJECT_DIR"] / "labels.csv").write_text("\n".join(rows))
    (places["PROJECT_DIR"] / "settings.py").write_text("SIZE = (8, 8)\n")
    (places["PROJECT_DIR"] / "train.py").write_text(SCRIPT)
    return {**places, "TRAIN_SCRIPT": places["PROJECT_DIR"] / "train.py"}


def test_a_script_and_images_of_ones_own_are_two_settings_and_results_are_the_callers(
    project: dict[str, Path],
) -> None:
    """The script says nothing of containers; the user is one that the images do not know."""
    project["OUT_DIR"].chmod(0o777)
    with stack(**project, FEEDLINE_USER="4321:4321") as mine:
        mine.compose("up", timeout_s=300)
        (trainer,) = mine.containers("trainer")
        result = project["OUT_DIR"] / "result.txt"
        assert result.read_text() == f"{[*range(10)]} 1\n", logs(trainer)
        assert (result.stat().st_uid, result.stat().st_gid) == (4321, 4321)


def test_a_training_that_fails_before_it_begins_ends_up_with_an_error_at_once(
    project: dict[str, Path],
) -> None:
    project["TRAIN_SCRIPT"].write_text("raise SystemExit('a fault of the script')")
    with stack(**project) as mine:
        with pytest.raises(RuntimeError, match="dependency failed to start"):
            mine.compose("up", timeout_s=120)
        (trainer,) = mine.containers("trainer")
        assert "a fault of the script" in logs(trainer)
        assert inspect(trainer)["RestartCount"] == 0


WATCHED = """
from pathlib import Path
from feedline import BatchSequence, ImageDataset

data = ImageDataset.from_lists([f"{value}.png" for value in range(10)], directory="/data")
sequence = BatchSequence(data, batch_size=4, image_size=(8, 8))
while not Path("seen").exists():
    for _ in sequence:
        pass
"""


def test_who_has_the_token_sees_the_training_in_a_browser_of_this_machine(project: dict[str, Path]) -> None:
    project["OUT_DIR"].chmod(0o777)
    project["TRAIN_SCRIPT"].write_text(WATCHED)
    token, port = "0123456789abcdef", free_port()
    secret = {"FEEDLINE_MONITOR_TOKEN": token, "MONITOR_PORT": str(port), "COMPOSE_PROFILES": "monitor"}
    with stack(**project, **secret) as mine:
        mine.compose("up", "-d", timeout_s=300)
        wait_for("images", lambda: (view(port, token) or {"totals": {"images": 0}})["totals"]["images"] > 0)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            view(port, "")
        (producer,) = view(port, token)["producers"]
        assert producer["images_per_s"] is not None
        (project["OUT_DIR"] / "seen").touch()
        (trainer,) = mine.containers("trainer")
        wait_for("the end", lambda: inspect(trainer)["State"]["Status"] == "exited")
        assert inspect(trainer)["State"]["ExitCode"] == 0


def view(port: int, token: str) -> Any:
    """What the page shows; None while nobody listens, or the training is not there yet."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/view")
    request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise
    except OSError:
        pass
    return None


def free_port() -> int:
    """One that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_every_epoch_is_whole_whatever_happens_to_producers_and_trainer() -> None:
    """Scaled 1 -> 4 -> 2, a worker, a producer and the trainer killed, in one training."""
    with stack("tests/e2e/compose.audit.yml") as audit:
        audit.scale(1)
        train_an_epoch(audit, num_producers=1)
        wait_for("health", lambda: health(audit) == {"healthy"})
        audit.scale(4)
        train_an_epoch(audit, num_producers=4)

        kill_the_worker_in(audit.running("producer")[0])
        train_an_epoch(audit, num_producers=4)
        kill_the_container(audit.running("producer")[1])
        train_an_epoch(audit, num_producers=4)

        audit.scale(2)
        train_an_epoch(audit, num_producers=2)
        kill_the_container(*audit.running("trainer"))
        wait_for("the next run", lambda: len(runs(audit)) == 2)
        train_an_epoch(audit, num_producers=2)

        audit.compose("exec", "-T", "trainer", "touch", "/tmp/finish")
        wait_for("the end", lambda: not audit.running("trainer") and not audit.running("producer"))
        ended = audit.containers("trainer") + audit.containers("producer")
        assert [inspect(name)["State"]["ExitCode"] for name in ended] == [0, 0, 0]
        assert audit.events()[-1] == {"event": "end"}
        before, after = runs(audit)
        assert_whole(before)
        assert_whole(after)
        both = min(len(before), len(after))
        assert [e["rows"] for e in before[:both]] == [e["rows"] for e in after[:both]]  # one seed, one order


def test_producers_that_the_kernel_kills_for_want_of_memory_cost_no_sample() -> None:
    """A container's limit, and a neighbour of the worker in it who wants more."""
    with stack("tests/e2e/compose.audit.yml") as audit:
        audit.scale(2)
        train_an_epoch(audit, num_producers=2)
        starved = audit.running("producer")[0]
        before = workers(starved)
        starve(starved, before)
        wait_for("another worker", lambda: workers(starved) and not before & workers(starved))
        assert "SIGKILL" in logs(starved)
        train_an_epoch(audit, num_producers=2)
        audit.compose("exec", "-T", "trainer", "touch", "/tmp/finish")
        wait_for("the end", lambda: not audit.running("trainer"))
        assert len(runs(audit)) == 1
        assert_whole(runs(audit)[0])


def train_an_epoch(audit: Stack, num_producers: int) -> None:
    """Wait for the end of an epoch that began after this call, and that exactly these producers serve."""
    num_before = sum(map(len, runs(audit)))

    def is_over() -> bool:
        team = sorted(f"{name[:12]}/0" for name in audit.running("producer"))
        epochs = [epoch for run in runs(audit) for epoch in run]
        return (
            len(team) == num_producers
            and len(epochs) >= num_before + 2
            and sorted(epochs[-1]["producers"]) == team
        )

    wait_for(f"an epoch with {num_producers} producers", is_over)


def health(audit: Stack) -> set[str]:
    """Ask what the health checks found."""
    names = audit.running("trainer") + audit.running("producer")
    return {inspect(name)["State"]["Health"]["Status"] for name in names}


def kill_the_worker_in(producer: str) -> None:
    """`kill -9` the process that builds batches; its supervisor starts another one."""
    before = workers(producer)
    assert before
    for pid in before:
        kill(pid)
    wait_for("another worker", lambda: len(workers(producer) - before) == len(before))


def workers(producer: str) -> set[int]:
    """Find the processes that build batches."""
    return {pid for pid, args in processes(producer).items() if "--unsupervised" in args}


def kill_the_container(name: str) -> None:
    """`kill -9` its first process, and all others with it; the restart policy starts it again."""
    before = inspect(name)
    kill(before["State"]["Pid"])

    def is_back() -> bool:
        now = inspect(name)
        return bool(now["State"]["Running"] and now["RestartCount"] > before["RestartCount"])

    wait_for("the container's restart", is_back)


def runs(audit: Stack) -> list[list[dict[str, Any]]]:
    """Read the epochs that ended, for each start of the trainer."""
    found: list[list[dict[str, Any]]] = []
    for event in audit.events():
        if event["event"] == "start":
            found.append([])
        elif event["event"] == "epoch":
            found[-1].append(event)
    return found


def assert_whole(epochs: list[dict[str, Any]]) -> None:
    """Every row once in every epoch, each with its own picture, and no two epochs in one order."""
    assert [event["epoch"] for event in epochs] == list(range(len(epochs)))
    for event in epochs:
        assert sorted(event["rows"]) == list(range(NUM_ROWS)), event["epoch"]
        assert event["num_mismatched"] == 0, event["epoch"]
    assert len({tuple(event["rows"]) for event in epochs}) == len(epochs)
    # producers are the slow side, so those that were killed had work in hand
    assert median(later["wait_s"] - earlier["wait_s"] for earlier, later in pairwise(epochs)) > 0.1
