"""`make bench`: all that the design promises, in one run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from feedline.common.errors import FeedlineError
from feedline.trainer.bench.case import LINKS, Case
from feedline.trainer.bench.checks import Check, at_least, at_most, case_checks, step_checks
from feedline.trainer.bench.corpora import RECIPES, corpus_folder
from feedline.trainer.bench.figures import Figure, ratio
from feedline.trainer.bench.runner import Plan, Result, Say, run, start_module
from feedline.trainer.bench.simulate import Simulation, simulate
from feedline.trainer.bench.sockets import bare_gb_per_s

STEP_FACTOR = 1.15
FRAME_SIDE = 512


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything.

    Attributes
    ----------
    num_images, num_large : int
        Of the corpora, and of the one of large photographs.
    plan : Plan
        Of each case.
    simulation : Simulation
        Of the load.
    """

    num_images: int
    num_large: int
    plan: Plan
    simulation: Simulation
    num_frames: int


FULL = Scale(1024, 192, Plan(seconds=2.0, repeat=3), Simulation(num_steps=10_000), 700)
QUICK = Scale(96, 64, Plan(seconds=0.3, repeat=1), Simulation(num_producers=8, num_steps=400), 20)


@dataclass(slots=True)
class Suite:
    """One run of everything.

    Parameters
    ----------
    cache_dir : Path
        Where corpora are kept.
    peers : sequence of str
        Who takes part beside the limit and Feedline.
    options : set of str
        Which of Feedline's newer options there are: ``cache``, ``jpeg_scaling``.
    say : callable
        Told what is going on.
    """

    cache_dir: Path
    scale: Scale
    workers: int
    peers: Sequence[str]
    options: set[str]
    say: Say
    results: list[Result] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def run(self) -> None:
        """Do it all."""
        png, jpeg, large = (
            self._case("png", "rsna"),
            self._case("jpeg", "photos"),
            self._case("large", "large"),
        )
        own = [("feedline", png.with_(fast=False))] if self.is_fast else []
        self._run([*self._against(png, self.peers), *own, *self._cached(png)])
        self._run(self._against(jpeg, [peer for peer in self.peers if peer == "torch"]))
        self._run([("feedline", jpeg.with_(over=link)) for link in LINKS if link != "embedded"])
        if find_spec("pydicom") is not None:
            dicom = self._case("dicom", "dicom")
            self._run([("limit", dicom), ("feedline", dicom)])
        if "jpeg_scaling" in self.options:
            mine = large.with_(jpeg_scaling=True)
            self._run([("limit", large), ("limit-fresh", large), ("feedline", mine)])
        self.checks += case_checks([result.to_json() for result in self.results], fast=self.is_fast)
        decoders = {"OpenCV": png.with_(fast=False), "Wuffs": png} if self.is_fast else {"OpenCV": png}
        for decoder, case in decoders.items():
            self._device(f"PNG by {decoder}", case)
        self._single_figures(png)
        self._load()

    @property
    def is_fast(self) -> bool:
        """Whether Feedline's extra ``fast`` is installed."""
        return find_spec("pywuffs") is not None

    def _case(self, name: str, corpus: str) -> Case:
        recipe = RECIPES[corpus]
        num = self.scale.num_large if corpus == "large" else self.scale.num_images
        folder = str(corpus_folder(self.cache_dir, recipe, num))
        side = 512 if corpus in {"rsna", "dicom"} else 224
        return Case(name, folder, height=side, width=side, color_mode=recipe.color_mode, workers=self.workers)

    @staticmethod
    def _against(case: Case, peers: Sequence[str]) -> list[tuple[str, Case]]:
        bare = [("limit", case), ("limit-fresh", case)]
        own = [("feedline", case), ("feedline", case.with_(through="fit"))]
        return [*bare, *own, *((peer, case) for peer in peers)]

    def _cached(self, case: Case) -> list[tuple[str, Case]]:
        caches = ("memory", "disk") if "cache" in self.options else ()
        return [("feedline", case.with_(cache=cache)) for cache in caches]

    def _run(self, cases: Sequence[tuple[str, Case]]) -> None:
        self.results += run(cases, self.scale.plan, self.say)

    def _device(self, what: str, case: Case) -> None:
        """Emulate a device that is a little slower than the producers were just before."""
        self.say(f"a device that takes {STEP_FACTOR} times what a batch takes")
        # So long that boundaries of epochs belong to it.
        plan = replace(self.scale.plan, seconds=2 * self.scale.plan.seconds, step_factor=STEP_FACTOR)
        (result,) = run([("feedline", case)], plan, self.say)
        self.results.append(result)
        if result.rounds:
            self.checks += step_checks(what, result.to_json())

    def _single_figures(self, case: Case) -> None:
        self.say("Keras' own time for a batch, and the time to a first batch")
        overhead = probe("keras-overhead", case.with_(batch_size=64, height=512, width=512))
        self.checks.append(at_most("Keras' own time for a batch of 16.8 MB", overhead["ms"], 2.0, " ms"))
        first = probe("first-batch", case.with_(workers=4))
        private = max((size["private"] for size in first["memory_mb"]), default=0.0)
        self.checks += [
            at_most("first batch with workers=4", first["seconds"], 1.0, " s"),
            at_most("private memory of a producer", private, 80, " MB"),
        ]

    def _load(self) -> None:
        settings = self.scale.simulation
        self.say(f"{settings.num_producers} simulated producers")
        repeat = range(self.scale.plan.repeat)
        loads = [simulate(settings) for _ in repeat]
        rate = Figure.of([load.tickets_per_s for load in loads]).median
        wrong = sum(load.num_lost + load.num_doubled for load in loads)
        self.checks += [
            at_least(f"tickets a second, {settings.num_producers} producers", rate, 5000),
            at_most("samples lost or doubled there", wrong, 0),
        ]
        self.say("frames over TCP, and a bare socket")
        frames = Simulation(2, 1, self.scale.num_frames, 32, FRAME_SIDE, "frames")
        num_bytes, seconds = 32 * FRAME_SIDE**2, self.scale.plan.seconds
        pairs = [(simulate(frames).gb_per_s, bare_gb_per_s(num_bytes, seconds)) for _ in repeat]
        share = ratio(*zip(*pairs, strict=True)).median
        self.checks.append(at_least("frames over TCP, of a bare socket", share, 0.9, " times"))
        self._trust(replace(frames, checksums=False))

    def _trust(self, plain: Simulation) -> None:
        """What checksums and encryption take of the rate at which frames come, in turns."""
        self.say("the same frames without checksums, with them, and encrypted")
        ways = (plain, replace(plain, checksums=True), replace(plain, checksums=True, encrypts=True))
        rounds = [[simulate(way).gb_per_s for way in ways] for _ in range(self.scale.plan.repeat)]
        without, summed, encrypted = (list(rates) for rates in zip(*rounds, strict=True))
        for what, rates, asked in (("with checksums", summed, 0.97), ("encrypted", encrypted, 0.1)):
            share = ratio(rates, without).median
            self.checks.append(at_least(f"frames over TCP {what}, of those without", share, asked, " times"))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "results": [result.to_json() for result in self.results],
            "checks": [check.to_json() for check in self.checks],
        }


def probe(what: str, case: Case) -> dict[str, Any]:
    """Take one figure of `feedline.trainer.bench.probes`, in a process of its own.

    Raises
    ------
    FeedlineError
        It failed; with what it wrote.
    """
    process = start_module(
        "feedline.trainer.bench.probes", what, case.to_json(), text=True, stderr=subprocess.PIPE
    )
    output, words = process.communicate()
    if process.returncode:
        raise FeedlineError(f"the probe {what} ended with status {process.returncode}:\n{words}")
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer
