"""SIGINT reaches whoever subscribed, and nobody else notices that it is watched for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from feedline.trainer.pool.interrupts import InterruptWatch

DEADLINE_S = 30.0


class Subscriber:
    """Counts interrupts."""

    def __init__(self) -> None:
        self._told = threading.Semaphore(0)

    def __call__(self) -> None:
        """Be told."""
        self._told.release()

    def wait(self) -> None:
        """Wait for the next interrupt."""
        assert self._told.acquire(timeout=DEADLINE_S), "nobody told"

    @property
    def has_more(self) -> bool:
        """Whether it was told more often than it waited."""
        return self._told.acquire(blocking=False)


@pytest.fixture
def watch() -> Iterator[InterruptWatch]:
    """A watch of its own; what it changed must be put back."""
    before = wakeup_fd()
    watch = InterruptWatch()
    yield watch
    assert wakeup_fd() == before
    assert watch._thread is None


@contextmanager
def somebody_elses_wakeup_fd() -> Iterator[int]:
    """A wake-up descriptor of, say, asyncio; yields the end to read."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd)
    try:
        yield read_fd
        assert wakeup_fd() == write_fd, "it was not put back"
    finally:
        signal.set_wakeup_fd(-1)
        os.close(read_fd)
        os.close(write_fd)


def wakeup_fd() -> int:
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
    return fd


def ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_every_subscriber_is_told_of_every_interrupt(watch: InterruptWatch) -> None:
    first, second = Subscriber(), Subscriber()
    watch.subscribe(1, first)
    watch.subscribe(2, second)
    for _ in range(2):
        ctrl_c()
        first.wait()
        second.wait()
    watch.unsubscribe(1)
    ctrl_c()
    second.wait()
    watch.unsubscribe(2)
    assert not first.has_more
    assert not second.has_more


def test_who_begins_anew_has_told_all_of_what_came_before_though_the_thread_has_not_had_its_turn(
    watch: InterruptWatch,
) -> None:
    subscriber = Subscriber()
    watch.subscribe(1, subscriber)
    with watch._passing:
        ctrl_c()
        assert not subscriber.has_more
        watch.pass_on()
        assert subscriber.has_more
    watch.pass_on()
    watch.unsubscribe(1)
    assert not subscriber.has_more


def test_it_watches_again_after_it_had_stopped(watch: InterruptWatch) -> None:
    for _ in range(3):
        subscriber = Subscriber()
        watch.subscribe(1, subscriber)
        ctrl_c()
        subscriber.wait()
        watch.unsubscribe(1)
        watch.unsubscribe(1)
        assert watch._thread is None


def test_its_thread_and_descriptors_are_gone_with_the_last_subscriber(watch: InterruptWatch) -> None:
    watch.subscribe(1, Subscriber())
    watch.subscribe(2, Subscriber())
    thread, ours = watch._thread, watch._pipe
    assert thread is not None
    assert ours is not None
    fds = (ours.read_fd, ours.write_fd)
    del ours
    pipe = pipe_of(fds[0])
    watch.unsubscribe(2)
    assert thread.is_alive()
    assert pipe_of(fds[1]) == pipe
    watch.unsubscribe(1)
    assert not thread.is_alive()
    assert pipe not in {pipe_of(fd) for fd in fds}


def pipe_of(fd: int) -> int | None:
    """Tell a pipe from whatever gets its number next."""
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return None


def test_somebody_elses_wakeup_fd_goes_on_getting_its_bytes_and_is_put_back(watch: InterruptWatch) -> None:
    with somebody_elses_wakeup_fd() as read_fd:
        subscriber = Subscriber()
        watch.subscribe(1, subscriber)
        ctrl_c()
        assert os.read(read_fd, 10) == bytes([signal.SIGINT])
        subscriber.wait()
        watch.unsubscribe(1)


def test_a_wakeup_fd_that_was_closed_in_the_meantime_is_not_put_back(watch: InterruptWatch) -> None:
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    signal.set_wakeup_fd(write_fd)
    watch.subscribe(1, Subscriber())
    os.close(read_fd)
    os.close(write_fd)
    watch.unsubscribe(1)
    assert wakeup_fd() == -1


def test_a_users_own_handler_is_left_alone(watch: InterruptWatch) -> None:
    """Whoever handles SIGINT decides what it means: no wait of ours ends."""
    handled: list[int] = []
    subscriber = Subscriber()
    with somebody_elses_wakeup_fd() as read_fd:
        watch.subscribe(1, subscriber)
        before = signal.signal(signal.SIGINT, lambda number, _: handled.append(number))
        after = signal.signal(signal.SIGUSR1, lambda number, _: handled.append(number))
        try:
            signal.raise_signal(signal.SIGINT)
            assert os.read(read_fd, 1) == bytes([signal.SIGINT])
            # The watch takes signals one after another: now it is done with the first.
            signal.raise_signal(signal.SIGUSR1)
            assert os.read(read_fd, 1) == bytes([signal.SIGUSR1])
        finally:
            signal.signal(signal.SIGINT, before)
            signal.signal(signal.SIGUSR1, after)
        assert handled == [signal.SIGINT, signal.SIGUSR1]
        assert not subscriber.has_more
        watch.unsubscribe(1)


def test_other_signals_end_no_wait(watch: InterruptWatch) -> None:
    subscriber = Subscriber()
    watch.subscribe(1, subscriber)
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
    ctrl_c()
    subscriber.wait()
    watch.unsubscribe(1)
    assert not subscriber.has_more


def test_outside_the_main_thread_nothing_is_installed(watch: InterruptWatch) -> None:
    before = wakeup_fd()
    thread = threading.Thread(target=watch.subscribe, args=(1, Subscriber()))
    thread.start()
    thread.join()
    assert watch._thread is None
    assert wakeup_fd() == before

    subscriber = Subscriber()
    watch.subscribe(2, subscriber)
    ctrl_c()
    subscriber.wait()
    watch.unsubscribe(2)
    watch.unsubscribe(1)


def test_the_last_subscriber_may_leave_from_any_thread_and_the_next_one_still_hears(
    watch: InterruptWatch,
) -> None:
    gone = Subscriber()
    watch.subscribe(1, gone)
    thread = threading.Thread(target=watch.unsubscribe, args=(1,))
    thread.start()
    thread.join()
    subscriber = Subscriber()
    watch.subscribe(2, subscriber)
    ctrl_c()
    subscriber.wait()
    assert not gone.has_more
    watch.unsubscribe(2)


def test_who_replaced_our_descriptor_keeps_theirs_until_the_next_subscriber_comes(
    watch: InterruptWatch,
) -> None:
    """As asyncio does, which puts nothing back."""
    watch.subscribe(1, Subscriber())
    with somebody_elses_wakeup_fd() as read_fd:
        watch.unsubscribe(1)
        subscriber = Subscriber()
        watch.subscribe(2, subscriber)
        ctrl_c()
        subscriber.wait()
        assert os.read(read_fd, 10) == bytes([signal.SIGINT])
        watch.unsubscribe(2)


def test_a_subscriber_that_is_collected_as_garbage_may_leave_while_another_one_comes(
    watch: InterruptWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector runs where it likes, also while this very thread is inside `subscribe`."""
    install = watch._install

    def collected() -> None:
        watch.unsubscribe(99)
        install()

    monkeypatch.setattr(watch, "_install", collected)
    thread = threading.Thread(target=watch.subscribe, args=(1, Subscriber()), daemon=True)
    thread.start()
    thread.join(DEADLINE_S)
    assert not thread.is_alive(), "deadlock"
    watch.unsubscribe(1)
