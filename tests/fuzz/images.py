"""Fuzzing of image decoding: ``python -m fuzz.images --count 50000``, or ``--seconds 60``, in ``tests``.

Every broken file is decoded by two processes in whose memory whatever was not written looks different
(``MALLOC_PERTURB_``): what they do not agree on are pixels that nobody decoded. Neither may die, hang, take
more memory than the bound on pixels allows, or raise what is not an error of ours that begins with the file.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feedline.common.processes.children import how_it_ended

FILLINGS = ("85", "170")

HANGS_AFTER_S, MOST_CPU_S = 60.0, 10.0
"""Without a word, on a busy machine; and of work on one small file."""

MOST_GROWTH = 160 << 20
"""While one file is decoded: at most `image_decoder.MOST_PIXELS`, in several forms of up to 16 bytes."""


@dataclass
class Report:
    """What became of all files.

    Attributes
    ----------
    kinds : Counter
        How many were decoded, and refused.
    findings : list of str
        What must not be, each with the number that makes it again.
    rss : dict of str to list of int
        Bytes that each process had before each file.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    rss: dict[str, list[int]] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)
    most_grown: tuple[int, int] = (0, -1)

    def judge(self, number: int, entries: list[dict[str, Any]]) -> None:
        """Look at what both processes say of one file."""
        for filling, entry in zip(FILLINGS, entries, strict=True):
            self.kinds[entry["kind"]] += filling == FILLINGS[0]
            self.rss.setdefault(filling, []).append(entry.get("rss", 0))
            self.slowest = max(self.slowest, (entry.get("cpu_s", 0.0), number))
            self.most_grown = max(self.most_grown, (entry.get("grown", 0), number))
            if entry["kind"] in {"died", "hung", "escaped"}:
                self.findings.append(f"{number} {entry['kind']}: {entry['text']}")
            elif entry["cpu_s"] > MOST_CPU_S:
                self.findings.append(f"{number} took {entry['cpu_s']:.1f} s")
            elif entry["grown"] > MOST_GROWTH:
                self.findings.append(f"{number} took {entry['grown'] >> 20} MiB")
        first, second = entries
        pair = [(entry["kind"], entry["text"]) for entry in entries]
        if "pixels" in {first["kind"], second["kind"]} and pair[0] != pair[1]:
            self.findings.append(f"{number} is not the same twice: {pair}")

    def __str__(self) -> str:
        """A table and the findings."""
        grown = {
            filling: (max(values[-1000:]) - max(values[200:1200] or values)) >> 20
            for filling, values in self.rss.items()
        }
        lines = (
            f"{sum(self.kinds.values())} files: {dict(self.kinds)}",
            f"slowest {self.slowest[0]:.2f} s (file {self.slowest[1]})",
            f"most memory for one {self.most_grown[0] >> 20} MiB (file {self.most_grown[1]})",
            f"growth from the first thousand to the last {grown} MiB",
            f"{len(self.findings)} findings",
            *self.findings,
        )
        return "\n".join(lines)


class Decoding:
    """One process that decodes, started again where it died."""

    def __init__(self, seed: int, first: int, last: int, filling: str) -> None:
        self._seed, self._last, self._filling = seed, last, filling
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the processes
        self._start(first)

    def next(self) -> dict[str, Any]:
        """What became of the next file."""
        entry = self._line()
        if "begun" in entry:
            self._number = entry["begun"]
            entry = self._line()
        if "number" in entry:
            return entry
        self.stop()
        if entry["kind"] == "died" and self._process.returncode >= 0:
            raise RuntimeError(self._last_words())
        died = {"number": self._number, "kind": entry["kind"], "text": self._last_words()}
        self._start(self._number + 1)
        return died

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._out.close()

    def close(self) -> None:
        """End it, for good."""
        self.stop()
        self._words.close()

    def _last_words(self) -> str:
        self._words.seek(0)
        return (
            f"{how_it_ended(self._process.returncode)}: {self._words.read().decode(errors='replace')[-800:]}"
        )

    def _line(self) -> dict[str, Any]:
        while b"\n" not in self._read:
            if not select.select([self._out], [], [], HANGS_AFTER_S)[0]:
                return {"kind": "hung"}
            part = os.read(self._out.fileno(), 1 << 16)
            if not part:
                return {"kind": "died"}
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        result: dict[str, Any] = json.loads(line)
        return result

    def _start(self, first: int) -> None:
        self._number, self._read = first, b""
        self._words.truncate(0)
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "fuzz.image_decoder"]
            + [str(number) for number in (self._seed, first, self._last)],
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={**os.environ, "MALLOC_PERTURB_": self._filling, "MALLOC_MMAP_MAX_": "0"},
            cwd=Path(__file__).parents[1],
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout


def fuzz(seed: int, first: int, last: int, until: float = float("inf")) -> Report:
    """Have the files `first` to `last` of a seed decoded, or as many as there is time for.

    Parameters
    ----------
    seed, first, last : int
        Which files: see `broken_images.broken`.
    until : float
        Of the monotonic clock, in seconds.
    """
    report = Report()
    both = [Decoding(seed, first, last, filling) for filling in FILLINGS]
    try:
        for number in range(first, last):
            if time.monotonic() > until:
                break
            if number % 5000 == 4999:
                sys.stderr.write(f"{number + 1} files, {len(report.findings)} findings\n")
            report.judge(number, [one.next() for one in both])
    finally:
        for one in both:
            one.close()
    return report


def main() -> int:
    """Print the report; 1 if anything was found."""
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--first", type=int, default=0)
    command.add_argument("--count", type=int, default=1 << 40)
    command.add_argument("--seconds", type=float, default=float("inf"))
    settings = command.parse_args()
    began = time.monotonic()
    report = fuzz(
        settings.seed, settings.first, settings.first + settings.count, time.monotonic() + settings.seconds
    )
    sys.stdout.write(f"seed {settings.seed}, {time.monotonic() - began:.0f} s: {report}\n")
    return int(bool(report.findings))


if __name__ == "__main__":
    sys.exit(main())
