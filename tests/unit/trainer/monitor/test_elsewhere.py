"""What is made of the answers of a training elsewhere."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from feedline.errors import FeedlineError
from feedline.trainer.monitor import elsewhere
from feedline.trainer.monitor.access import Address
from feedline.trainer.monitor.elsewhere import TrainingSource, view_at
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


@pytest.mark.parametrize("body", [b"<html>", b'"a verdict"', b"3", b"[" * 100_000])
def test_who_is_no_monitor_is_said_to_be_none(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(Reply(200, "", body), monkeypatch)
    with pytest.raises(FeedlineError, match="what listens at node7:8265 is no monitor of Feedline"):
        view_at(ADDRESS)


def test_what_speaks_no_http_steers_no_terminal_either() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"\x1b[2J\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(FeedlineError, match="cannot be asked") as caught:
            view_at(Address("127.0.0.1", server.getsockname()[1]))
        thread.join()
    assert "\x1b" not in str(caught.value)


def test_a_page_without_a_token_offers_no_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(Reply.json({"at_s": 1.0, "can_scale": True}), monkeypatch)
    for may_scale in (True, False):
        reply = TrainingSource(ADDRESS, may_scale=may_scale).view(0.0, "")
        assert json.loads(reply.body) == {"at_s": 1.0, "can_scale": may_scale}


@pytest.mark.parametrize("reply", [Reply(200, "", b"x"), Reply(200, "", b"3"), Reply.error(401, "the token")])
def test_what_is_no_view_is_handed_on_as_it_is(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(reply, monkeypatch)
    assert TrainingSource(ADDRESS, may_scale=False).view(0.0, "") == reply


def test_whose_token_the_training_does_not_know_is_told_so_and_not_asked_for_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer_with(Reply.error(401, "the token"), monkeypatch)
    reply = TrainingSource(ADDRESS).scale(b"{}", "Bearer x")
    assert reply.status == 403
    assert b"the training at node7:8265 has another token" in reply.body
