"""A view as text in a terminal."""

from __future__ import annotations

import io

import pytest
from made_facts import facts
from rich.console import Console

from feedline.trainer.monitor.history import History
from feedline.trainer.monitor.table import ORDERS, drawn, duration
from feedline.trainer.monitor.view import View, view_of


def text_of(view: View, order: str = "n", *, has_keys: bool = False, columns: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=columns).print(drawn(view, order, has_keys=has_keys))
    return out.getvalue()


def the_view() -> View:
    return view_of(facts(2.0), History(), memory_of=lambda one: one.pid * 1_000_000)


def test_verdict_jobs_producers_and_events_are_shown() -> None:
    shown = text_of(the_view())
    for words in (
        "trainer-bound",
        "it is the limit",
        "sequence 1",
        "20 of 50",
        "node1/0",
        "slow",
        "died: two",
    ):
        assert words in shown
    assert "sort by" not in shown
    assert "sort by" in text_of(the_view(), has_keys=True)


@pytest.mark.parametrize(
    ("key", "first"), [("n", "node1/0"), ("i", "node1/1"), ("b", "node1/0"), ("m", "node1/1")]
)
def test_keys_sort_the_producers(key: str, first: str) -> None:
    lines = [line for line in text_of(the_view(), key).splitlines() if line.startswith(" node1/")]
    assert lines[0].split()[0] == first
    assert ORDERS[key].words.partition(",")[0] in text_of(the_view(), key)


def test_names_are_shown_as_they_are_and_not_taken_for_markup() -> None:
    view = the_view()
    view["jobs"][0]["name"] = view["producers"][0]["name"] = "[red]x[/red]"
    view["verdict"]["sentence"] = "[bold]"
    shown = text_of(view)
    assert shown.count("[red]x[/red]") == 2
    assert "[bold]" in shown


def test_node_two_comes_before_node_ten() -> None:
    view = the_view()
    for one, name in zip(view["producers"], ["node10/0", "node2/0"], strict=True):
        one["name"] = name
    shown = text_of(view)
    assert shown.index("node2/0") < shown.index("node10/0")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7300, "2 h 1 min")]
)
def test_durations_have_two_units_at_most(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
