"""Number of producers over virtual minutes: made-up loads, and batches as they were timed."""

from __future__ import annotations

import logging

import pytest
from simulated_pool import Load, SimulatedPool, Times, best_fixed, bursty, recorded

from feedline.trainer.verdict.sizing import PATIENCE_S, Workers

MOST = 8
AUTO = Workers(1, MOST)
SECONDS = 120.0
SOON_S = 30.0

# Builds of 32 batches in a row, as one producer took for them on a machine that had other things to do, too:
# 16 photographs of 500 x 375 pixels each, resized to 224 x 224; and then flipped, rotated and blurred.
DECODED_MS = (
    *(20.2, 20.8, 28.5, 23.8, 16.9, 17.0, 16.1, 35.2, 45.5, 17.1, 15.3, 19.7, 19.0, 16.5, 15.9, 21.9),
    *(16.2, 24.0, 15.4, 19.9, 17.8, 15.8, 16.2, 14.3, 16.6, 28.1, 21.1, 16.2, 15.8, 17.7, 16.6, 18.7),
)
AUGMENTED_MS = (
    *(22.5, 23.3, 21.9, 24.7, 25.5, 23.1, 23.0, 22.5, 22.5, 35.7, 22.6, 24.7, 31.8, 26.3, 22.1, 24.1),
    *(24.6, 23.4, 23.8, 23.3, 21.3, 42.8, 23.9, 22.0, 23.0, 24.4, 26.6, 26.9, 28.4, 23.4, 21.9, 24.6),
)


def steady(seconds: float) -> Times:
    return lambda _: seconds


LOADS = {
    "light": Load(steady(0.02), steady(0.05)),
    "heavy": Load(steady(0.2), steady(0.05)),
    "too heavy for all of them": Load(steady(1.0), steady(0.05)),
    "a trainer that does nothing": Load(steady(0.05), steady(0.0)),
    "bursty": Load(bursty(0.02, 0.3, 12, 4), steady(0.05)),
    "bursty for seconds": Load(bursty(0.02, 0.2, 200, 200), steady(0.05)),
    "bursty trainer": Load(steady(0.1), bursty(0.02, 0.5, 15, 1)),
    "photographs": Load(recorded(DECODED_MS), steady(0.015)),
    "photographs, for a slow model": Load(recorded(DECODED_MS), steady(0.05)),
    "photographs, augmented, for a fast model": Load(recorded(AUGMENTED_MS), steady(0.006)),
}
TURNING = {"bursty for seconds"}
NAMES = ["heavy", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in LOADS if name != "heavy")]


@pytest.mark.parametrize("is_exact", [True, False], ids=["exact", "read-ahead"])
@pytest.mark.parametrize("name", NAMES)
def test_it_comes_near_the_best_fixed_number_in_two_decisions(name: str, is_exact: bool) -> None:
    load = LOADS[name]
    run = SimulatedPool(load, AUTO, SECONDS, is_exact=is_exact)
    assert run.rate(SOON_S, SECONDS) >= 0.95 * best_fixed(load, MOST, SECONDS, SOON_S)
    if name not in TURNING:
        assert len(run.decisions) <= 2, run.decisions
        assert all(at <= SOON_S for at, _ in run.decisions)


@pytest.mark.exhaustive
@pytest.mark.parametrize("is_exact", [True, False], ids=["exact", "read-ahead"])
def test_a_load_that_turns_is_not_followed_back_and_forth(is_exact: bool) -> None:
    run = SimulatedPool(LOADS["bursty for seconds"], AUTO, 600.0, is_exact=is_exact)
    assert len(run.decisions) <= 4, run.decisions
    assert run.decisions[-1][0] < 60


@pytest.mark.parametrize("is_exact", [True, False], ids=["exact", "read-ahead"])
@pytest.mark.parametrize("build_s", [0.01, 0.03, 0.045])
def test_a_trainer_that_is_the_limit_never_has_one_more(build_s: float, is_exact: bool) -> None:
    assert (
        SimulatedPool(Load(steady(build_s), steady(0.05)), AUTO, SECONDS, is_exact=is_exact).decisions == []
    )


def test_no_more_are_started_than_have_something_to_do() -> None:
    # 200 ms for a batch, 50 for a step: four are just enough, and five have time to spare.
    run = SimulatedPool(LOADS["heavy"], AUTO, SECONDS)
    assert run.num in {4, 5}
    read_ahead = SimulatedPool(LOADS["heavy"], AUTO, SECONDS, is_exact=False)
    assert read_ahead.num in {4, 5}


def test_one_hiccup_is_no_reason() -> None:
    hiccup = Load(lambda nth: 6.0 if nth == 100 else 0.03, steady(0.05))
    assert SimulatedPool(hiccup, AUTO, SECONDS).decisions == []


def test_they_leave_when_the_load_is_light_for_long_and_not_before() -> None:
    load = Load(lambda nth: 0.2 if nth < 800 else 0.02, steady(0.05))
    run = SimulatedPool(load, AUTO, SECONDS)
    turned_at = run.decisions[0][0] + 800 * 0.05
    assert len(run.decisions) <= 3
    assert run.num == 1
    assert run.decisions[1][0] >= turned_at + PATIENCE_S - 10


def test_they_leave_when_nobody_asks_and_come_back_at_once() -> None:
    load = Load(steady(0.2), steady(0.05), pause=(60.0, 150.0))
    run = SimulatedPool(load, AUTO, 200.0)
    assert [num for _, num in run.decisions][1] == 1
    assert 60 + PATIENCE_S - 5 <= run.decisions[1][0] <= 60 + PATIENCE_S + 5
    assert run.decisions[2][0] <= 150 + 10
    assert run.num >= 4


@pytest.mark.exhaustive
@pytest.mark.parametrize("workers", [Workers(3, 3), Workers(2, 4), Workers(6, 8)])
def test_bounds_are_kept(workers: Workers) -> None:
    for load in LOADS.values():
        run = SimulatedPool(load, workers, 60.0)
        assert all(workers.least <= num <= workers.most for _, num in run.decisions)
        assert workers.least <= run.num <= workers.most


def test_each_decision_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        SimulatedPool(LOADS["heavy"], AUTO, 30.0)
    (text,) = caplog.messages
    assert text.startswith("workers: ")
    assert "producers instead of 1: the trainer waits" in text
    assert "transform-bound: it takes" in text
    assert "a producer makes 4." in text or "a producer makes 5 batches/s" in text
