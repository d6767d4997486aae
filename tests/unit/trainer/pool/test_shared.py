"""The shared pool's number of producers: what sequences ask for, and what its page does."""

from __future__ import annotations

import pytest

from feedline.trainer.pool import shared
from feedline.trainer.pool.shared import Request, SharedPool
from feedline.trainer.verdict.sizing import Workers


class FakePool:
    """Knows what it was told last."""

    embedded, is_open, has_failed = True, True, False

    def __init__(self, workers: Workers, budget: int) -> None:
        self.workers, self.budget = workers, budget

    def resize(self, workers: Workers) -> None:
        """See `ProducerPool`."""
        self.workers = workers

    def set_memory_budget(self, budget: int) -> None:
        """See `ProducerPool`."""
        self.budget = budget

    def shrink(self, workers: Workers, budget: int) -> None:
        """See `ProducerPool`."""
        self.workers, self.budget = workers, budget

    def leave(self) -> None:
        """See `ProducerPool`."""
        self.is_open = False


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> SharedPool:
    monkeypatch.setattr(shared, "_pool_of", FakePool)
    return SharedPool()


def of(num: int, budget: int = 100) -> Request:
    return Request(Workers(num, num), budget)


def test_what_the_page_asks_for_stays_while_sequences_come_and_go(pool: SharedPool) -> None:
    _, fake = pool.acquire(of(2))
    pool.scale(Workers(5, 5))
    assert fake.workers == Workers(5, 5)
    other, same = pool.acquire(of(8, budget=300))
    assert same is fake
    assert (fake.workers, fake.budget) == (Workers(5, 5), 300)
    pool.release(other)
    assert (fake.workers, fake.budget) == (Workers(5, 5), 100)


def test_until_a_sequence_is_resized(pool: SharedPool) -> None:
    first, fake = pool.acquire(of(2))
    pool.scale(Workers(5, 5))
    pool.acquire(of(3), resizes=True)
    pool.release(first)
    assert fake.workers == Workers(3, 3)


def test_or_a_new_pool_begins(pool: SharedPool) -> None:
    number, old = pool.acquire(of(2))
    pool.scale(Workers(5, 5))
    pool.release(number)
    assert not old.is_open
    pool.scale(Workers(6, 6))
    _, new = pool.acquire(of(2))
    assert new is not old
    assert new.workers == Workers(2, 2)


def test_the_page_waits_for_nobody_and_what_it_asked_for_is_done_by_who_is_at_it(
    pool: SharedPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, fake = pool.acquire(of(2))

    def resize(_: Workers) -> None:
        pool.scale(Workers(7, 7))

    monkeypatch.setattr(fake, "resize", resize)
    pool.acquire(of(3))
    assert fake.workers == Workers(7, 7)
