"""Strangers are hung up on when they are too many, too quiet or too loud; producers are not."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator

import pytest

from feedline.trainer.pool import doorkeeper
from feedline.trainer.pool.doorkeeper import (
    AT_A_LOOK,
    MAX_STRANGE_BYTES,
    MAX_STRANGERS,
    REVIEW_S,
    SILENCE_S,
    Doorkeeper,
)


class Door:
    """Connections: the stranger's end, and the pool's."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.pairs: list[tuple[socket.socket, socket.socket]] = []

    def knock(self) -> tuple[socket.socket, socket.socket]:
        """One more."""
        far = socket.create_connection(self.listener.getsockname())
        near, _ = self.listener.accept()
        self.pairs.append((far, near))
        return far, near


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    yield door
    for one in (door.listener, *(end for pair in door.pairs for end in pair)):
        one.close()


def is_hung_up(far: socket.socket) -> bool:
    far.setblocking(False)
    try:
        return far.recv(1) == b""
    except BlockingIOError:
        return False


def test_of_too_many_strangers_the_first_goes(door: Door) -> None:
    keeper = Doorkeeper(max_strangers=100)
    ends = [door.knock() for _ in range(102)]
    for now, (_, near) in enumerate(ends):
        keeper.arrived(near.fileno(), float(now))
    assert [is_hung_up(far) for far, _ in ends] == [True] * 2 + [False] * 100
    assert keeper.num_hung_up == 2


@pytest.mark.parametrize(("soft", "most"), [(300, 100), (1200, 400), (1 << 20, MAX_STRANGERS)])
def test_strangers_never_take_more_than_a_third_of_the_descriptors(
    monkeypatch: pytest.MonkeyPatch, soft: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert Doorkeeper().max_strangers == most


def test_who_says_nothing_for_long_goes_and_who_was_let_in_stays(door: Door) -> None:
    keeper = Doorkeeper()
    (quiet, at_quiet), (producer, at_producer) = door.knock(), door.knock()
    for near in (at_quiet, at_producer):
        keeper.arrived(near.fileno(), 0.0)
    keeper.let_in(b"route", at_producer.fileno())
    keeper.review(SILENCE_S - 1)
    assert not is_hung_up(quiet)
    keeper.review(SILENCE_S + 1)
    assert is_hung_up(quiet)
    assert not is_hung_up(producer)
    assert keeper.is_alone


def test_who_sends_far_more_than_a_hello_goes_though_it_never_ends(door: Door) -> None:
    keeper = Doorkeeper()
    far, near = door.knock()
    keeper.arrived(near.fileno(), 0.0)
    sent = 0
    while sent <= MAX_STRANGE_BYTES:
        sent += far.send(bytes(1 << 16))
        near.recv(1 << 20)
    keeper.review(REVIEW_S)
    assert keeper.num_hung_up == 1
    assert near.recv(1 << 24) is not None


def test_a_crowd_is_looked_at_less_often(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, looks = Doorkeeper(max_strangers=3 * AT_A_LOOK), []
    monkeypatch.setattr(doorkeeper, "_bytes_received", lambda fd: looks.append(fd) or 0)
    for _ in range(3 * AT_A_LOOK):
        keeper.arrived(door.knock()[1].fileno(), 0.0)
    for nth in range(6):
        keeper.review(nth * REVIEW_S)
    assert len(looks) == 2 * 3 * AT_A_LOOK


def test_a_producer_that_was_sent_away_is_a_stranger_again(door: Door) -> None:
    keeper = Doorkeeper()
    far, near = door.knock()
    keeper.arrived(near.fileno(), 0.0)
    keeper.let_in(b"route", near.fileno())
    keeper.hang_up(near.fileno())
    assert not is_hung_up(far), "a producer is not hung up on for what came over a descriptor it has now"
    keeper.sent_away(b"somebody else's", 1.0)
    assert keeper.is_alone
    keeper.sent_away(b"route", 1.0)
    keeper.hang_up(near.fileno())
    assert is_hung_up(far)


def test_nobody_goes_for_who_had_the_descriptor_before(door: Door) -> None:
    keeper = Doorkeeper()
    _, first = door.knock()
    number = first.fileno()
    keeper.arrived(number, 0.0)
    far, second = door.knock()
    os.dup2(second.fileno(), number)
    keeper.hang_up(number)
    keeper.review(SILENCE_S + 1)
    assert not is_hung_up(far)
    assert keeper.num_hung_up == 0
