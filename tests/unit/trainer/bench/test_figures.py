"""Medians, spreads, ratios, and where a batch's time goes."""

from __future__ import annotations

from typing import Any

import pytest

from feedline.trainer.bench.figures import (
    Figure,
    cpu_per_1000,
    first_wait_ms,
    per_batch_ms,
    rates,
    ratio,
    utilisation,
)


def pool(num: int, read_us: int) -> dict[str, Any]:
    stages = {"idle_us": 0, "queued_us": 0, "read_us": read_us, "decode_us": 0, "transform_us": 0}
    producer = {"num_batches": num, "stages": stages, "transfer_s": num * 0.001}
    return {
        "producers": [producer],
        "num_delivered": num,
        "hand_over_s": num * 0.002,
        "thread_cpu_s": num * 0.0004,
    }


def test_a_figure_is_the_median_with_the_extremes() -> None:
    figure = Figure.of([90.0, 100.0, 130.0])
    assert (figure.median, figure.lowest, figure.highest) == (100.0, 90.0, 130.0)
    assert figure.spread == pytest.approx(0.4)


def test_ratios_are_taken_round_by_round_so_that_a_slow_round_falls_out() -> None:
    assert ratio([90.0, 9.0, 45.0], [100.0, 10.0, 50.0]).spread == pytest.approx(0.0)


def test_a_contender_that_did_nothing_has_no_ratio() -> None:
    assert ratio([5.0], [0.0]).median == 0.0


def test_rates_are_read_in_the_order_of_the_rounds() -> None:
    assert rates([{"images_per_s": 3.0}, {"images_per_s": 1.0}]) == [3.0, 1.0]


def test_stages_are_of_the_time_that_was_measured_and_not_of_the_warm_up() -> None:
    rounds = [{"details": {"before": pool(100, 900_000), "after": pool(110, 920_000)}}]
    stages = per_batch_ms(rounds)
    assert stages["read"] == pytest.approx(2.0)
    assert stages["transfer"] == pytest.approx(1.0)
    assert stages["hand-over"] == pytest.approx(2.0)
    assert stages["pool thread"] == pytest.approx(0.4)


def test_no_batches_have_no_stages() -> None:
    assert per_batch_ms([{"details": {"before": pool(1, 1), "after": pool(1, 1)}}]) == {}


def test_cpu_seconds_are_for_a_thousand_images() -> None:
    rounds = [{"num_images": 250, "trainer_cpu_s": 0.5}, {"num_images": 250, "trainer_cpu_s": 1.0}]
    assert cpu_per_1000(rounds, "trainer") == pytest.approx(3.0)


def test_a_device_that_waits_half_of_the_time_is_half_used() -> None:
    assert utilisation({"device_s": 1.0, "seconds": 2.0}) == 0.5


def test_the_first_wait_is_the_median_over_all_epochs() -> None:
    assert first_wait_ms([{"first_waits_ms": [1.0, 9.0]}, {"first_waits_ms": [2.0]}]) == 2.0
