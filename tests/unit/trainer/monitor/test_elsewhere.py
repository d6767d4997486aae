"""What is made of the answers of a training elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from feedline.trainer.monitor import elsewhere
from feedline.trainer.monitor.access import Address
from feedline.trainer.monitor.elsewhere import view_at
from feedline.trainer.monitor.reply import Reply

ADDRESS = Address("node7", 8265)


def answer_with(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the training is asked."""
    monkeypatch.setattr(elsewhere, "_ask", lambda *_: reply)


def test_nothing_that_it_says_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = {"verdict": {"sentence": "\x1b[2J"}, "producers": [{"name": "\udce9", "pid": 1}]}
    answer_with(Reply.json(told), monkeypatch)
    assert view_at(ADDRESS) == {
        "verdict": {"sentence": r"\x1b[2J"},
        "producers": [{"name": r"\udce9", "pid": 1}],
    }
