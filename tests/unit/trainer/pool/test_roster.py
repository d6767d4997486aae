"""Who is let in, who is known, and who is sent away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from feedline.common.wire.protocol import VERSION, Hello, Notice, Session, new_id
from feedline.trainer.pool.roster import Connection, Roster
from feedline.trainer.pool.verification import Breach, BreachError

POOL = b"p" * 16
HELLO = Hello(VERSION, "here/0", "here", 42, {"numpy": "2.0", "opencv": "4.11"})
OTHER = replace(HELLO, name="there/0", host="there", libraries={"numpy": "1.26", "opencv": "4.11"})


@pytest.fixture
def roster() -> Roster:
    return Roster(POOL)


def let_in(roster: Roster, hello: Hello = HELLO, routing_id: bytes = b"r") -> bytes:
    """Greet a producer with an id of its own; returns the id."""
    producer_id = new_id()
    assert isinstance(roster.greet(Session(producer_id), hello, routing_id), Connection)
    return producer_id


def test_a_producer_of_the_same_version_is_let_in_under_both_ids(roster: Roster) -> None:
    answer = roster.greet(Session(b"a" * 16), HELLO, b"route")
    assert answer == Connection(Session(b"a" * 16, POOL), b"route", HELLO)
    assert roster.connections == {b"a" * 16: answer}


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_another_version_is_refused_with_both_versions_and_the_remedy(roster: Roster, version: int) -> None:
    with pytest.raises(BreachError) as refusal:
        roster.greet(Session(new_id()), replace(HELLO, version=version), b"r")
    assert refusal.value.breach is Breach.VERSION
    for part in (f"version {VERSION}", f"the producer {version}", "install the same version"):
        assert part in str(refusal.value)
    assert roster.connections == {}
    assert roster.libraries == {}, "who is refused does not decide which libraries are right"


# --- library versions ---------------------------------------------------------------------------


def test_other_libraries_are_let_in_and_the_difference_is_named(roster: Roster) -> None:
    let_in(roster)
    let_in(roster, OTHER)
    assert roster.difference(HELLO) == ""
    assert roster.difference(OTHER) == "producer there/0 has numpy 1.26 instead of 2.0"


def test_a_library_that_one_side_lacks_is_a_difference(roster: Roster) -> None:
    let_in(roster)
    text = roster.difference(replace(HELLO, libraries={"numpy": "2.0", "turbo": "3"}))
    assert text == "producer here/0 has opencv None instead of 4.11, turbo 3 instead of None"


def test_strict_versions_refuses_whoever_differs_from_the_first() -> None:
    roster = Roster(POOL, strict_versions=True)
    first = let_in(roster)
    with pytest.raises(BreachError, match=r"^producer there/0 has numpy 1\.26 instead of 2\.0$") as refusal:
        roster.greet(Session(new_id()), OTHER, b"r")
    assert refusal.value.breach is Breach.LIBRARIES
    assert list(roster.connections) == [first]
    let_in(roster, replace(HELLO, name="equal"))


def test_strict_versions_goes_by_the_first_producer_even_after_it_left() -> None:
    roster = Roster(POOL, strict_versions=True)
    roster.drop(let_in(roster))
    with pytest.raises(BreachError):
        roster.greet(Session(new_id()), OTHER, b"r")


# --- finding ------------------------------------------------------------------------------------


def test_a_message_is_from_a_known_producer_only_under_both_ids(roster: Roster) -> None:
    producer_id = let_in(roster)
    found = roster.find(Session(producer_id, POOL))
    assert found is roster.connections[producer_id]
    for ids in (
        Session(producer_id),
        Session(producer_id, b"q" * 16),
        Session(new_id(), POOL),
        Session(b"", POOL),
    ):
        assert roster.find(ids) is None


def test_a_connection_is_of_one_producer_until_that_has_another_or_is_gone(roster: Roster) -> None:
    producer_id = let_in(roster, routing_id=b"old")
    connection = roster.connections[producer_id]
    assert roster.behind(b"old") is connection
    assert roster.behind(b"new") is None
    roster.move(connection, b"new")
    assert connection.routing_id == b"new"
    assert roster.behind(b"old") is None
    assert roster.behind(b"new") is connection
    assert roster.drop(producer_id) is connection
    assert roster.behind(b"new") is None
    assert roster.drop(producer_id) is None


def test_producers_are_found_by_their_process(roster: Roster) -> None:
    first, again = let_in(roster), let_in(roster)
    let_in(roster, replace(HELLO, pid=43))
    assert roster.with_pid(42) == [first, again]
    assert roster.with_pid(44) == []


# --- what they warn of --------------------------------------------------------------------------


@pytest.fixture
def told(roster: Roster, caplog: pytest.LogCaptureFixture) -> Callable[[Notice], str]:
    """Let one more producer warn; returns the level of the line that has its text."""
    caplog.set_level(logging.INFO)

    def tell(notice: Notice) -> str:
        roster.take_notice(roster.connections[let_in(roster)], notice)
        assert caplog.messages[-1] == f"producer here/0: {notice.text}"
        return caplog.records[-1].levelname

    return tell


def test_of_each_topic_the_first_notice_is_a_warning_whichever_files_are_named(
    told: Callable[[Notice], str],
) -> None:
    levels = {
        (producer, job): told(Notice(f"{producer}-{job}.png has 16 bits", f"depth of job {job}"))
        for producer in range(3)
        for job in range(2)
    }
    assert [one for one, level in levels.items() if level == "WARNING"] == [(0, 0), (0, 1)]
    assert set(levels.values()) == {"WARNING", "INFO"}
    assert told(Notice("0-0.png has 16 bits", "masks of job 0")) == "WARNING"


def test_notices_without_a_topic_are_alike_only_if_their_texts_are(told: Callable[[Notice], str]) -> None:
    texts = ("no cache", "no memory", "no cache")
    assert [told(Notice(text)) for text in texts] == ["WARNING", "WARNING", "INFO"]
