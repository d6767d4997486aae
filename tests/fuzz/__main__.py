"""All fuzzing: ``python -m fuzz [TARGET...] [--seconds 60] [--seed 0]`` in ``tests``, or ``make fuzz``.

Each target has its share of the time, and is a process of its own; 1 if anything was found.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parents[1]

TARGETS = tuple(name for name in ("decoder", "pool", "producer", "images") if find_spec(f"fuzz.{name}"))
"""Modules of this folder, each of which takes --seconds and --seed."""


def main() -> int:
    """Fuzz one target after the other."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    command.add_argument("--seconds", type=float, default=240.0)
    command.add_argument("--seed", type=int, default=0)
    settings = command.parse_args()
    chosen = settings.targets or TARGETS
    if unknown := set(chosen) - set(TARGETS):
        command.error(f"no target {', '.join(unknown)}: choose from {', '.join(TARGETS)}")
    failed = [name for name in chosen if not _fuzz(name, settings.seconds / len(chosen), settings.seed)]
    print(f"failed: {', '.join(failed)}" if failed else "nothing was found")
    return int(bool(failed))


def _fuzz(name: str, seconds: float, seed: int) -> bool:
    """Fuzz a target; whether it held."""
    began = time.monotonic()
    path = os.pathsep.join([str(HERE), str(HERE / "integration"), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-m", f"fuzz.{name}", "--seconds", str(seconds), "--seed", str(seed)]
    run = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    print(f"--- {name}, seed {seed}, {time.monotonic() - began:.0f} s\n{run.stdout.rstrip()}", flush=True)
    if run.returncode:
        print(run.stderr[-5000:], flush=True)
    return run.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
