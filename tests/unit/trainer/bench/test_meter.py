"""The meter, with a clock that only moves when told to."""

from __future__ import annotations

import pytest

from feedline.trainer.bench.meter import Meter


class Clock:
    """Stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds


def meter_of(clock: Clock, *, warm: int = 2, seconds: float = 1.0, step_s: float = 0.0) -> Meter:
    return Meter(warm, seconds, step_s, clock=clock, sleep=clock.sleep)


def test_warm_up_is_left_out_of_count_and_time() -> None:
    clock = Clock()
    meter = meter_of(clock)
    for pause_s in (5.0, 5.0, 0.5, 0.5):
        clock.now += pause_s
        meter.take(32, first_of_epoch=False)
    assert meter.is_done
    assert meter.measured.num_images == 64
    assert meter.measured.seconds == pytest.approx(1.0)


def test_it_is_not_done_before_its_time() -> None:
    clock = Clock()
    meter = meter_of(clock, warm=0)
    clock.now += 0.9
    meter.take(32, first_of_epoch=False)
    assert not meter.is_done


def test_the_first_wait_of_an_epoch_is_noted() -> None:
    clock = Clock()
    meter = meter_of(clock, warm=1)
    meter.take(32, first_of_epoch=True)
    clock.now += 0.25
    meter.take(32, first_of_epoch=True)
    clock.now += 0.5
    meter.take(32, first_of_epoch=False)
    assert meter.measured.first_waits_ms == pytest.approx([250.0])


def test_a_device_step_is_time_that_nobody_waits() -> None:
    clock = Clock()
    meter = meter_of(clock, warm=1, step_s=0.3)
    for _ in range(3):
        clock.now += 0.1
        meter.take(32, first_of_epoch=False)
    assert meter.measured.device_s == pytest.approx(0.6)
    assert meter.measured.wait_s == pytest.approx(0.2)
    assert meter.measured.seconds == pytest.approx(0.8)


def test_the_caller_hears_when_the_warm_up_is_over() -> None:
    heard: list[float] = []
    clock = Clock()
    meter = Meter(1, 1.0, on_start=lambda: heard.append(clock.now), clock=clock, sleep=clock.sleep)
    clock.now = 4.0
    meter.take(1, first_of_epoch=False)
    meter.take(1, first_of_epoch=False)
    assert heard == [4.0]
