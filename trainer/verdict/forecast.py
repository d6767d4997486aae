"""How many images a second so many producers would give.

A pipeline is as fast as its slowest part (operational analysis; Denning and Buzen, "The Operational Analysis
of Queueing Network Models", ACM Computing Surveys 10, 1978). Its parts are the trainer, which takes a batch
each `step_s`; N producers, which take `build_s` each; the cores, which both share; and the way between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from math import inf

from feedline.trainer.verdict.snapshot import Snapshot

CORES_ARE_FULL = 0.9
"""From this share of all cores' time on, a batch takes longer because of whoever else is at work."""

MOST_WANTED = 4096
"""No forecast looks further."""


class Limit(Enum):
    """Which part of the pipeline was the slowest."""

    TRAINER = "trainer"
    PRODUCERS = "producers"
    NETWORK = "network"
    HAND_OVER = "hand-over"


@dataclass(frozen=True, slots=True)
class Load:
    """What each part of the pipeline can do; in batches and seconds.

    Attributes
    ----------
    num_producers : int
        Those that were at work.
    samples_per_batch : float
        Mean size of a batch.
    step_s : float
        What the trainer takes for a batch when it never waits.
    hand_over_s : float
        What it takes, beside that, to get a batch that is there.
    build_s : float
        What a producer takes for one on a core of its own.
    cpu_s : float
        Core seconds that one costs, of producer and trainer together; 0 if not known.
    cores : int or None
        To do it with; None if not known.
    most_at_once : float
        Producers that can be at work at a time: of those that need a core all the time, as many as there are.
    way_per_s : float
        Batches that can be on the way per second.
    """

    num_producers: int
    samples_per_batch: float
    step_s: float
    hand_over_s: float
    build_s: float
    cpu_s: float = 0.0
    cores: int | None = None
    most_at_once: float = inf
    way_per_s: float = inf

    @classmethod
    def of(cls, snapshot: Snapshot, limit: Limit) -> Load:
        """Read it from a span, of which it is known what was the limit in it."""
        num = max(1, snapshot.num_batches)
        built_cpu_s = snapshot.stages.cpu_us / 1e6 / max(1, snapshot.num_built)
        cpu_s = built_cpu_s + snapshot.trainer_cpu_s / num
        return cls(
            snapshot.num_able,
            snapshot.samples_per_batch,
            snapshot.step_s,
            min(snapshot.hand_over_s, snapshot.wait_s) / num,
            _undisturbed(snapshot, built_cpu_s, limit),
            cpu_s,
            snapshot.cores,
            _most_at_once(snapshot),
            _way_per_s(snapshot, cpu_s, limit),
        )

    def made_per_s(self, num_producers: int) -> float:
        """Batches per second that so many producers make, if nobody makes them wait."""
        by_cores = self.cores / self.cpu_s if self.cores and self.cpu_s else inf
        at_once = min(num_producers, self.most_at_once)
        return min(_rate(self.build_s / at_once) if num_producers else 0.0, by_cores)

    @property
    def taken_per_s(self) -> float:
        """Batches per second that the trainer takes, if they are always there."""
        return _rate(self.step_s + self.hand_over_s)

    @property
    def headspace(self) -> float:
        """Images per second with no waiting at all; infinite for a trainer that does nothing."""
        return _rate(self.step_s) * self.samples_per_batch

    def images_per_s(self, num_producers: int) -> float:
        """What so many producers would give."""
        slowest = min(self.taken_per_s, self.way_per_s, self.made_per_s(num_producers))
        return slowest * self.samples_per_batch if num_producers else 0.0

    def wait_share(self, num_producers: int) -> float:
        """Share of the time, 0 to 1, that the trainer would wait then."""
        images_per_s = self.images_per_s(num_producers)
        return 1 - images_per_s / self.headspace if 0 < self.headspace < inf else float(self.headspace > 0)

    def producers_for(self, batches_per_s: float) -> int | None:
        """How many make so many; None if no number does."""
        if not self.build_s:
            return 1
        rounded = batches_per_s * (1 - 1e-9)
        if rounded > min(MOST_WANTED / self.build_s, self.way_per_s):
            return None
        num = max(1, math.ceil(rounded * self.build_s))
        return num if rounded <= self.made_per_s(num) else None


def _rate(seconds: float) -> float:
    return 1 / seconds if seconds > 0 else inf


def _undisturbed(snapshot: Snapshot, cpu_s: float, limit: Limit) -> float:
    """What a batch takes where a core is free for it: where none is, its CPU time and that of reading."""
    if limit is Limit.HAND_OVER:
        # So small that a producer's own Python counts, too; the rest of its time it waits for the trainer's.
        return max(snapshot.build_s, cpu_s)
    build_s = snapshot.build_s
    if limit is Limit.PRODUCERS:
        # Between two batches passes a little, too: it shows where producers are never short of slots.
        present_s = sum(one.present_s for one in snapshot.producers)
        build_s = max(build_s, present_s / max(1, snapshot.num_built))
    if snapshot.cpu_share >= CORES_ARE_FULL:
        read_s = snapshot.stages.read_us / 1e6 / max(1, snapshot.num_built)
        return min(build_s, cpu_s + read_s)
    return build_s


def _most_at_once(snapshot: Snapshot) -> float:
    """Only in reading, and in what transforms do, can a producer sleep; in decoding it needs a core.

    More than there are now are never at work less.
    """
    stages = snapshot.stages
    if not snapshot.cores or not stages.cpu_us:
        return inf
    asleep_us = min(stages.build_us - stages.cpu_us, stages.read_us + stages.transform_us)
    needs_core = stages.cpu_us / (stages.cpu_us + max(0, asleep_us))
    return max(snapshot.num_able, snapshot.cores / needs_core)


def _way_per_s(snapshot: Snapshot, cpu_s: float, limit: Limit) -> float:
    """A line is full with what comes; the trainer's Python, with as many as one core can hand over."""
    if limit is Limit.NETWORK:
        return snapshot.batches_per_s
    if limit is Limit.HAND_OVER and snapshot.trainer_cpu_s:
        by_python = snapshot.num_batches / snapshot.trainer_cpu_s
        # Whoever wakes up for each small batch does not fill the cores.
        by_cores = CORES_ARE_FULL * cores / cpu_s if (cores := snapshot.cores) and cpu_s else inf
        return max(snapshot.batches_per_s, min(by_python, by_cores))
    return inf
