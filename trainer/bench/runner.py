"""Runs contenders against each other: each in its process, in turns, so that all see the same machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import feedline
from feedline.common.errors import FeedlineError
from feedline.trainer.bench.case import Case
from feedline.trainer.bench.contenders import TITLES

NUM_COMPARED = 16
TOLERANCE = {"keras": 0, "keras-mp": 0, "torch": 0, "grain": 0, "feedline": 0}
DEFAULT_TOLERANCE = 12
"""Decoders and resizers other than OpenCV's round otherwise, at hard edges by a few steps of 255."""

SCALED_TOLERANCE = 255
"""``jpeg_scaling`` is another way to make an image smaller, and shows other pixels."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure.

    Attributes
    ----------
    seconds : float
        Of one measurement, without its warm-up.
    repeat : int
        Rounds; in each all contenders have a turn.
    step_s : float
        Emulated device step after each batch.
    step_factor : float
        Or so many times what a batch took without a step, measured just before.
    """

    seconds: float = 2.0
    repeat: int = 3
    step_s: float = 0.0
    step_factor: float = 0.0


@dataclass(slots=True)
class Result:
    """What one contender did with one case.

    Attributes
    ----------
    rounds : list of dict
        `Measured.to_json`, one a round.
    difference : int or None
        Largest difference of a pixel from the limit's, in the part without chance.
    error : str
        Why it is out of the race.
    """

    name: str
    case: Case
    rounds: list[dict[str, Any]] = field(default_factory=list)
    difference: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    open_s: float = 0.0
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "case": json.loads(self.case.to_json()),
            "rounds": self.rounds,
            "difference": self.difference,
            "versions": self.versions,
            "open_s": self.open_s,
            "error": self.error,
        }


class ContenderProcess:
    """A contender at work elsewhere.

    Parameters
    ----------
    name : str
        Of `CONTENDERS`.
    case : Case
        Its work.
    """

    def __init__(self, name: str, case: Case) -> None:
        self.result = Result(name, case)
        self._process = start_module("feedline.trainer.bench.child", name, case.to_json(), text=True)
        self._take(self._answer())

    def do(self, **order: Any) -> dict[str, Any]:
        """Give an order and wait for the answer; a contender that failed once is asked no more."""
        if self.result.error or self._process.stdin is None:
            return {}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.result.error = answer.get("error", "")
        return answer

    def end(self) -> None:
        """Let it go."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _take(self, answer: dict[str, Any]) -> None:
        self.result.error = answer.get("error", "")
        self.result.versions = answer.get("versions", {})
        self.result.open_s = answer.get("open_s", 0.0)

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            return {"error": f"its process ended with status {self._process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer


def start_module(module: str, *arguments: str, **popen: Any) -> subprocess.Popen[Any]:
    """Start one of our modules as a process that we talk to by pipes."""
    root = str(Path(feedline.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # TensorFlow's notes would be written over what is said of the progress.
        env={"TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ | {"PYTHONPATH": path},
        **popen,
    )


def run(cases: Sequence[tuple[str, Case]], plan: Plan, say: Say) -> list[Result]:
    """Measure contenders in turns.

    Parameters
    ----------
    cases : sequence of (contender, case)
        Who does what; one contender may come several times.
    plan : Plan
        How often and how long.
    say : callable
        Told what is going on.
    """
    with ExitStack() as stack:
        children = [stack.enter_context(_contender(name, case, say)) for name, case in cases]
        _compare(children, say)
        for number in range(plan.repeat):
            say(f"round {number + 1} of {plan.repeat}")
            for child in children:
                _measure(child, plan)
    for child in children:
        if child.result.error:
            say(f"{TITLES[child.result.name]} failed: {child.result.error.rstrip().rpartition(chr(10))[2]}")
    return [child.result for child in children]


@contextmanager
def _contender(name: str, case: Case, say: Say) -> Iterator[ContenderProcess]:
    say(f"starting {TITLES[name]} for {case.name}")
    child = ContenderProcess(name, case)
    try:
        child.do(do="settle")
        yield child
    finally:
        child.end()


def _measure(child: ContenderProcess, plan: Plan) -> None:
    step_s = plan.step_s
    if plan.step_factor:
        free = child.do(do="measure", seconds=plan.seconds, step_s=0.0)
        child.do(do="settle")
        step_s = plan.step_factor * free["seconds"] / free["num_batches"] if free.get("num_batches") else 0.0
    measured = child.do(do="measure", seconds=plan.seconds, step_s=step_s)
    if "seconds" in measured:
        child.result.rounds.append(measured)
    child.do(do="settle")


def _compare(children: Sequence[ContenderProcess], say: Say) -> None:
    """Refuse to compare work that is not the same."""
    expected: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for child in children:
            pixels = _plain(child, Path(folder, "plain.npy"))
            if pixels is None:
                continue
            reference = expected.setdefault(child.result.case.name, pixels)
            child.result.difference = int(np.abs(pixels.astype(int) - reference).max())
            _judge(child.result, say)


def _plain(child: ContenderProcess, path: Path) -> Any:
    path.unlink(missing_ok=True)
    child.do(do="plain", num=NUM_COMPARED, to=str(path))
    return np.load(path) if path.exists() else None


def _judge(result: Result, say: Say) -> None:
    allowed = SCALED_TOLERANCE if result.case.jpeg_scaling else TOLERANCE.get(result.name, DEFAULT_TOLERANCE)
    if (result.difference or 0) > allowed:
        raise FeedlineError(
            f"{TITLES[result.name]} does other work than bare OpenCV: pixels of {result.case.name} differ by"
            f" up to {result.difference}, expected {allowed} at most"
        )
    if result.difference:
        say(f"{TITLES[result.name]}: pixels differ from bare OpenCV's by up to {result.difference} of 255")
