"""However a training goes, its producers become as many as it needs, within the bounds, and stay so many."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from feedline.common.stages import Stages
from feedline.trainer.verdict.sizing import (
    GROW_TO,
    SHRINK_TO,
    Decision,
    Evidence,
    Growth,
    Memory,
    Workers,
    decide,
    rest,
)
from feedline.trainer.verdict.snapshot import Certainty, ProducerSpan, Snapshot
from feedline.trainer.verdict.verdict import Bound, bound_of

from .test_forecasts import snapshots

SPAN_S, MOST = 10.0, 16
times = st.floats(0.01, 1.0)


def modelled(num: int, build_s: float, step_s: float, *, is_exact: bool = True) -> Snapshot:
    """Ten seconds of so many producers and a trainer, as they are if each is as fast as it can be."""
    per_s = min(num / build_s, 1 / step_s)
    num_batches = max(8, round(SPAN_S * per_s))
    busy_s = min(1.0, per_s * build_s / num) * SPAN_S
    build_us = int(build_s * num_batches / num * 1e6)
    one = ProducerSpan(
        "p", "h", SPAN_S, -(-num_batches // num), Stages(transform_us=min(build_us, int(busy_s * 1e6)))
    )
    wait_s = max(0.0, SPAN_S - num_batches * step_s)
    # Who reads ahead waits all the time while nothing is ready.
    wait_s = SPAN_S if wait_s and not is_exact else wait_s
    certainty = Certainty.EXACT if is_exact else Certainty.AT_MOST
    return Snapshot(
        SPAN_S, num_batches, 32 * num_batches, wait_s, certainty, producers=(one,) * num, num_able=num
    )


@st.composite
def ranges(draw: st.DrawFn) -> Workers:
    least = draw(st.integers(1, MOST))
    return Workers(least, draw(st.integers(least, MOST)))


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    growth = st.none() | st.builds(Growth, st.integers(1, MOST), snapshots(), st.floats(0, 1e6))
    return Memory(growth=draw(growth), idle_since=draw(st.none() | st.floats(0, 100)))


@given(ranges(), st.integers(1, MOST), snapshots(), snapshots(), memories())
def test_bounds_are_kept_whatever_happened(
    workers: Workers, num: int, earlier: Snapshot, later: Snapshot, memory: Memory
) -> None:
    evidence = Evidence(earlier, later)
    num = workers.nearest(num)
    for now in (100.0, 200.0):
        decision = decide(workers, num, evidence, memory, now)
        assert workers.least <= decision.num <= workers.most
        assert bool(decision.reason) == (decision.num != num)
        memory = decision.memory
    assert rest(workers, num, memory).num == workers.least


@given(ranges(), st.integers(1, MOST), snapshots(), snapshots())
def test_never_more_while_the_trainer_is_the_limit_or_too_little_is_known(
    workers: Workers, num: int, earlier: Snapshot, later: Snapshot
) -> None:
    num = workers.nearest(num)
    evidence = Evidence(earlier, later)
    if any(bound_of(span) in {Bound.TRAINER, Bound.WARMING_UP, Bound.STARVED} for span in evidence.both):
        assert decide(workers, num, evidence, Memory(), 0.0).num <= num


@given(ranges(), st.integers(1, MOST), times, times, times)
def test_who_wants_more_batches_gets_no_fewer_producers(
    workers: Workers, num: int, build_s: float, step_s: float, other_s: float
) -> None:
    num, long = workers.nearest(num), Memory(idle_since=-1000.0)
    fast, slow = sorted((step_s, other_s))
    decided = [
        decide(workers, num, Evidence(span, span), long, 0.0).num
        for span in (modelled(num, build_s, step) for step in (fast, slow))
    ]
    assert decided[0] >= decided[1]


def run(
    workers: Workers, num: int, build_s: float, step_s: float, seed: int, *, noise: float, is_exact: bool
) -> list[int]:
    """The numbers that were decided on in five minutes, at times that are never quite the same."""
    rng, memory, numbers = random.Random(seed), Memory(), [num]
    for look in range(60):
        spans = [
            modelled(
                numbers[-1],
                build_s * rng.uniform(1 - noise, 1 + noise),
                step_s * rng.uniform(1 - noise, 1 + noise),
                is_exact=is_exact,
            )
            for _ in range(2)
        ]
        decision: Decision = decide(workers, numbers[-1], Evidence(*spans), memory, 5.0 * look)
        memory = decision.memory
        if decision.num != numbers[-1]:
            numbers.append(decision.num)
    return numbers


@settings(max_examples=40)
@given(ranges(), st.integers(1, MOST), times, times, st.integers(0, 9), st.booleans())
def test_it_settles_in_two_decisions_and_does_not_go_back_and_forth(
    workers: Workers, num: int, build_s: float, step_s: float, seed: int, is_exact: bool
) -> None:
    numbers = run(workers, workers.nearest(num), build_s, step_s, seed, noise=0.04, is_exact=is_exact)
    assert len(numbers) <= 3, numbers


@settings(max_examples=40)
@given(ranges(), st.integers(1, MOST), times, times, st.booleans())
def test_where_it_settles_the_trainer_is_fed_and_nobody_is_too_many(
    workers: Workers, num: int, build_s: float, step_s: float, is_exact: bool
) -> None:
    settled = run(workers, workers.nearest(num), build_s, step_s, 0, noise=0.0, is_exact=is_exact)[-1]
    need = build_s / step_s
    assert settled >= min(workers.most, need * 0.94)
    assert settled <= max(workers.least, workers.nearest(num), need / GROW_TO + 1.01)
    assert settled <= max(workers.least, need / SHRINK_TO + 1.5)
