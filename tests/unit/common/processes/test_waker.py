"""A waker makes a file descriptor readable, and never blocks."""

from __future__ import annotations

import os
import select

from feedline.common.processes.waker import Waker


def is_readable(waker: Waker) -> bool:
    return bool(select.select([waker.fileno()], [], [], 0)[0])


def test_it_is_readable_from_the_first_wake_to_the_next_clear() -> None:
    waker = Waker()
    assert not is_readable(waker)
    waker.wake()
    waker.wake()
    assert is_readable(waker)
    waker.clear()
    assert not is_readable(waker)
    waker.clear()
    waker.wake()
    assert is_readable(waker)


def test_waking_more_often_than_the_pipe_holds_does_not_block() -> None:
    waker = Waker()
    for _ in range(100_000):
        waker.wake()
    waker.clear()
    assert not is_readable(waker)


def pipe_of(number: int) -> int | None:
    """Tell a pipe from whatever gets its number next."""
    try:
        return os.fstat(number).st_ino
    except OSError:
        return None


def test_its_descriptors_stay_its_own_for_as_long_as_somebody_can_wake_it() -> None:
    waker = Waker()
    wake, number = waker.wake, waker.fileno()
    pipe = pipe_of(number)
    del waker
    wake()
    assert pipe_of(number) == pipe
    assert select.select([number], [], [], 0)[0]


def test_its_descriptors_are_closed_with_the_last_reference() -> None:
    waker = Waker()
    number = waker.fileno()
    pipe = pipe_of(number)
    assert pipe is not None
    del waker
    assert pipe_of(number) != pipe


def test_closing_it_closes_its_descriptors_and_waking_it_then_does_nothing() -> None:
    waker = Waker()
    wake, number = waker.wake, waker.fileno()
    pipe = pipe_of(number)
    waker.close()
    assert pipe_of(number) != pipe
    wake()
    waker.clear()
    waker.close()
    assert waker.fileno() == -1
