"""The clock by which deadlines are judged."""

from __future__ import annotations

from feedline.common.processes.clock import LONGEST_STEP_S, AwakeClock


def test_it_goes_as_the_clock_behind_it_while_somebody_looks() -> None:
    moments = [10.0, 10.25, 10.5, 11.25]
    clock = AwakeClock(iter(moments).__next__)
    assert [clock(), clock(), clock()] == moments[1:]


def test_a_pause_counts_as_one_short_step_however_long_it_was() -> None:
    clock = AwakeClock(iter([10.0, 10.5, 3610.5, 3610.75]).__next__)
    before, after, later = clock(), clock(), clock()
    assert after - before == LONGEST_STEP_S
    assert later - after == 0.25
