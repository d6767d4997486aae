"""Snapshots for tests: one of a training that is fed, and what is changed about it."""

from __future__ import annotations

from typing import Any

from feedline.common.stages import Stages
from feedline.trainer.verdict.snapshot import ProducerSpan, Snapshot

SECONDS = 10.0


def producer(busy: float, **stages_us: int) -> ProducerSpan:
    """One that built 50 batches in `busy` of the time, all of it decoding unless told otherwise."""
    build_us = int(busy * SECONDS * 1e6)
    stages = Stages(**(stages_us or {"decode_us": build_us}))
    return ProducerSpan("p/0", "here", SECONDS, 50, stages, transfer_s=0.1)


def span(num_producers: int = 2, *, busy: float = 1.0, wait_s: float = 5.0, **changes: Any) -> Snapshot:
    """Ten seconds in which so many producers made 50 batches each, of 32 samples, and all were delivered."""
    producers = tuple(producer(busy) for _ in range(num_producers))
    known = {"producers": producers, "num_able": num_producers} | changes
    num = 50 * num_producers
    return Snapshot(SECONDS, num, 32 * num, wait_s, **known)
