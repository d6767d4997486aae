"""One line a second of all that was refused, and nobody is lost among those who come all the time."""

from __future__ import annotations

import pytest

from feedline.trainer.pool.refusals import MAX_KEPT, PAUSE_S, Refusals
from feedline.trainer.pool.verification import Breach


def test_two_who_come_once_are_both_told_of_though_a_third_comes_all_the_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals, now = Refusals(), 0.0
    refusals.note(Breach.KEY, "loud", "again", now)
    refusals.note(Breach.KEY, "first", "once", now)
    refusals.note(Breach.KEY, "second", "once", now)
    for _ in range(4):
        refusals.note(Breach.KEY, "loud", "again", now)
        now += PAUSE_S
        refusals.review(now)
    told = [line.split()[1].rstrip(":") for line in caplog.messages]
    assert told == ["loud", "first", "second", "loud", "loud"]


def test_what_is_told_is_not_told_again_without_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    for _ in range(3):
        refusals.note(Breach.KEY, "loud", "again", 0.0)
    for second in range(1, 9):
        refusals.review(second * PAUSE_S)
    assert len(caplog.messages) == 2
    assert caplog.messages[1].endswith("(not logged before: 2 key)")


def test_however_many_come_few_are_kept() -> None:
    refusals = Refusals()
    for number in range(10 * MAX_KEPT):
        refusals.note(Breach.KEY, f"stranger {number}", "once", 0.0)
    for second in range(10 * MAX_KEPT):
        refusals.review(second * PAUSE_S)
    assert len(refusals._lines) == 0
    assert len(refusals._told) <= MAX_KEPT
    assert refusals.counts["key"] == 10 * MAX_KEPT
