"""A compose project of its own for each test: brought up, looked at, and removed whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
T = TypeVar("T")

POLL_S = 0.5
"""Pause between two questions: each starts a few processes, which training would feel."""


@contextmanager
def stack(*files: str, **settings: str | Path) -> Iterator[Stack]:
    """Build, lend and remove a project; an error is given the containers' logs.

    `settings` are the variables of the environment that docker-compose.yml speaks of.
    """
    it = Stack(f"feedline-e2e-{uuid.uuid4().hex[:8]}", ("docker-compose.yml", *files), settings)
    try:
        it.compose("build", timeout_s=900)
        yield it
    except BaseException as error:
        error.add_note(it.story())
        raise
    finally:
        it.compose("down", "--volumes", "--rmi", "local", "--remove-orphans", "--timeout", "5")


class Stack:
    """One project, driven by the commands that a person would type."""

    def __init__(self, project: str, files: tuple[str, ...], settings: Mapping[str, str | Path]) -> None:
        self.project = project
        self._settings = {name: str(value) for name, value in settings.items()}
        self._compose = [*_compose_command(), "-p", project]
        for file in files:
            self._compose += ["-f", str(ROOT / file)]

    def compose(self, *args: str, timeout_s: float = 120) -> str:
        """Run `docker compose ARGS`; it must return 0."""
        return _run([*self._compose, *args], timeout_s, self._settings)

    def scale(self, num_producers: int) -> None:
        """Bring the stack up, or change the number of producers of one that runs."""
        self.compose("up", "-d", "--no-recreate", "--scale", f"producer={num_producers}")

    def containers(self, service: str, *filters: str) -> list[str]:
        """Name a service's containers, running or not."""
        labels = [
            f"label=com.docker.compose.project={self.project}",
            f"label=com.docker.compose.service={service}",
        ]
        chosen = [f"--filter={one}" for one in (*labels, *filters)]
        return sorted(_run(["docker", "ps", "--all", "--quiet", "--no-trunc", *chosen]).split())

    def running(self, service: str) -> list[str]:
        """Name a service's containers that run."""
        return self.containers(service, "status=running")

    def events(self) -> list[dict[str, Any]]:
        """Read what audit.py has said so far, over all the trainer's starts."""
        (trainer,) = self.containers("trainer")
        lines = logs(trainer).splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"event"')]

    def story(self) -> str:
        """Tell the state and the last lines of each container."""
        parts = []
        for name in self.containers("trainer") + self.containers("producer"):
            tail = "\n".join(line[:300] for line in logs(name).splitlines()[-40:])
            parts.append(f"--- {inspect(name)['Name']} {json.dumps(inspect(name)['State'])[:400]}\n{tail}")
        return "\n".join(parts)


def inspect(container: str) -> dict[str, Any]:
    """Ask the engine about one container."""
    found: dict[str, Any] = json.loads(_run(["docker", "inspect", container]))[0]
    return found


def logs(container: str) -> str:
    """Read all that a container has written."""
    return _run(["docker", "logs", container])


def processes(container: str) -> dict[int, str]:
    """List a container's processes: process id on this machine, command line."""
    _, *lines = _run(["docker", "top", container, "-eo", "pid,args"]).splitlines()
    return {int(pid): args for pid, args in (line.split(None, 1) for line in lines)}


def kill(pid: int) -> None:
    """`kill -9` from outside: `docker kill` would count as a person's wish, and restart nothing."""
    os.kill(pid, signal.SIGKILL)


def starve(container: str, victims: Iterable[int], limit: str = "256m") -> None:
    """Use up all memory that a container may have: the kernel kills the `victims`, and then who uses it up.

    Parameters
    ----------
    container : str
        Its name; it has no more than `limit` from now on, and no swap.
    victims : iterable of int
        Processes in it, as the host numbers them.
    """
    _run(["docker", "update", "--memory", limit, "--memory-swap", limit, container])
    for pid in victims:
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
    hog = "import time; taken = b'x' * (1 << 30); time.sleep(60)"
    subprocess.run(["docker", "exec", container, "python", "-c", hog], check=False, capture_output=True)


def wait_for(what: str, probe: Callable[[], T], timeout_s: float = 120) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (answer := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(POLL_S)
    return answer


@cache
def _compose_command() -> tuple[str, ...]:
    v2 = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ("docker", "compose") if v2.returncode == 0 else ("docker-compose",)


def _run(command: list[str], timeout_s: float = 60, settings: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it wrote; its errors are shown, not swallowed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if command[1] == "logs" else subprocess.PIPE,
        text=True,
        env={**os.environ, **(settings or {})},
        timeout=timeout_s,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr or ''}")
    return done.stdout
