"""Whoever starts a producer is told what it waits for, that it still does, and that it does no more."""

from __future__ import annotations

from feedline.common.wire.endpoints import unknown_host
from feedline.producer.serving.waits import NEXT_NOTE_S, Turn, Waits


def test_a_wait_is_told_when_it_begins_now_and_then_and_when_it_ends() -> None:
    waits = Waits()
    assert waits.review(10.0, is_served=False) is Turn.BEGAN
    assert waits.review(11.0, is_served=False) is Turn.NOTHING
    assert waits.review(10.0 + NEXT_NOTE_S, is_served=False) is Turn.GOES_ON
    assert waits.review(11.0 + NEXT_NOTE_S, is_served=False) is Turn.NOTHING
    assert waits.review(12.0 + NEXT_NOTE_S, is_served=True) is Turn.ENDED
    assert waits.review(13.0 + NEXT_NOTE_S, is_served=True) is Turn.NOTHING
    assert waits.review(14.0 + NEXT_NOTE_S, is_served=False) is Turn.BEGAN


def test_why_a_trainer_that_is_there_does_not_serve_is_told_at_once_and_once() -> None:
    waits = Waits()
    assert waits.review(10.0, is_served=False) is Turn.BEGAN
    assert waits.review(10.1, is_served=False, trouble="no keys") is Turn.CHANGED
    assert waits.review(10.2, is_served=False, trouble="no keys") is Turn.NOTHING
    assert waits.review(10.3, is_served=False, trouble="other keys") is Turn.CHANGED
    assert waits.review(10.3 + NEXT_NOTE_S, is_served=False, trouble="other keys") is Turn.GOES_ON


def test_a_reason_that_is_known_when_a_wait_begins_is_told_once() -> None:
    waits = Waits()
    assert waits.review(10.0, is_served=False, trouble="no keys") is Turn.BEGAN
    assert waits.review(10.1, is_served=False, trouble="no keys") is Turn.NOTHING


def test_who_is_served_at_once_has_not_waited() -> None:
    waits = Waits()
    assert waits.review(10.0, is_served=True) is Turn.ENDED
    assert waits.since is None


def test_a_host_that_is_not_known_is_named_with_the_reason() -> None:
    text = unknown_host("tcp://no-such-host.invalid:5555")
    assert text.startswith("the host 'no-such-host.invalid' is not known here (")
    assert "check --connect" in text
    for known in ("tcp://127.0.0.1:5555", "tcp://[::1]:5555", "tcp://localhost:5555", "ipc:///tmp/pool"):
        assert unknown_host(known) == ""
