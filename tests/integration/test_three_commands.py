"""The commands of docs/security.md, as they stand there, make an encrypted pair of hosts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from images import write_images

ROOT = Path(__file__).parents[2]
NUM_ROWS = 8
BLOCK = re.compile(r"^```sh\n(feedline keygen .*?)^```", re.MULTILINE | re.DOTALL)

TRAIN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from bare_trainer import BareTrainer, names_in
from feedline import ProducerPool

with ProducerPool("tcp://0.0.0.0:5555", keys="keys") as pool:
    trainer = BareTrainer(pool, Path(sys.argv[2]), names_in(Path(sys.argv[2])))
    print([row for step in range(trainer.num_steps) for row in trainer.fetch(step, timeout_s=120)])
"""

SCP = '#!/bin/sh\ncp -r "$2" "$WORKER/${3#worker:}"\n'
SSH = '#!/bin/sh\nshift\ncd "$WORKER" && FEEDLINE_SHM="$WORKER/shm" exec $ON_WORKER "$@"\n'


@dataclass(frozen=True)
class Host:
    """Where commands run: a network namespace, or, without a name, this machine."""

    name: str
    address: str

    @property
    def prefix(self) -> list[str]:
        """What makes a command run there."""
        return ["ip", "netns", "exec", self.name] if self.name else []


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts with a cable between them; where nobody may make any, this machine is both."""
    mark = os.getpid() % 10_000
    pair = Host(f"fl-trainer-{mark}", "10.203.0.1"), Host(f"fl-worker-{mark}", "10.203.0.2")
    try:
        connect(pair)
    except (OSError, subprocess.CalledProcessError):
        yield Host("", "127.0.0.1"), Host("", "127.0.0.1")
    else:
        yield pair
    for host in pair if shutil.which("ip") else ():
        subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)


def connect(pair: tuple[Host, Host]) -> None:
    """Make the namespaces, and the cable."""
    for host in pair:
        ip("netns", "add", host.name)
    ends = [("netns", host.name) for host in pair]
    ip("link", "add", "cable", *ends[0], "type", "veth", "peer", "cable", *ends[1])
    for host in pair:
        ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "cable")
        for device in ("lo", "cable"):
            ip("-n", host.name, "link", "set", device, "up")


def page_commands() -> list[str]:
    (block,) = BLOCK.findall((ROOT / "docs/security.md").read_text())
    return [line.partition("  #")[0] for line in block.splitlines()]


def test_three_commands_make_an_encrypted_pair_of_hosts(tmp_path: Path, hosts: tuple[Host, Host]) -> None:
    trainer, worker = hosts
    trainers, workers, images, tools = (tmp_path / name for name in ("trainer", "worker", "images", "bin"))
    for folder in (trainers, workers, images, tools, workers / "shm"):
        folder.mkdir()
    write_images(images, NUM_ROWS)
    for name, script in (("scp", SCP), ("ssh", SSH)):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(tools), str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "WORKER": str(workers),
        "ON_WORKER": " ".join(worker.prefix),
    }
    *make, serve = page_commands()
    assert len(make) == 2
    for command in make:
        subprocess.run(["sh", "-c", command], cwd=trainers, env=environment, check=True)
    for text, here in (("tcp://trainer:", f"tcp://{trainer.address}:"), ("/data/images", str(images))):
        assert text in serve
        serve = serve.replace(text, here)
    with subprocess.Popen(["sh", "-c", f"exec {serve}"], cwd=trainers, env=environment) as producer:
        try:
            done = subprocess.run(
                [*trainer.prefix, sys.executable, "-c", TRAIN, str(Path(__file__).parent), str(images)],
                cwd=trainers,
                env=environment,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
        finally:
            producer.terminate()
    assert done.stdout == f"{[*range(NUM_ROWS)]}\n", done.stderr
    assert (workers / "keys/producer.key_secret").exists()
    assert not list(workers.rglob("trainer.key_secret"))
