"""Batches that are handed over before they are asked for: when, which, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest
from far_end import NUM_STEPS, Pool, Producer, rows_of

from feedline.common.batch.layout import ArraySpec, BatchLayout
from feedline.errors import ClosedError
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.handover.delivery import Delivery, Frame
from feedline.trainer.pool.handover.shelf import DEPTH, MIN_STREAK, Shelf

LONG = 100


def delivery(released: list[str], name: str) -> Delivery:
    layout = BatchLayout((ArraySpec("x", (4,), "uint8"),), 1)
    frame = Frame(memoryview(np.zeros(layout.num_bytes, np.uint8)))
    return Delivery(layout, frame, copy=False, release=lambda: released.append(name))


def read(shelf: Shelf, epoch: int, steps: range) -> None:
    for step in steps:
        shelf.taken(StepKey(epoch, step))


# --- what is wanted -----------------------------------------------------------------------------


def test_nothing_is_laid_down_for_who_has_not_begun_or_only_peeks() -> None:
    shelf = Shelf(LONG)
    assert shelf.wanted() == []
    read(shelf, 0, range(MIN_STREAK - 1))
    assert shelf.wanted() == []
    assert not shelf.is_read_in_order


def test_who_reads_in_order_finds_the_next_steps() -> None:
    shelf = Shelf(LONG)
    read(shelf, 0, range(MIN_STREAK))
    assert shelf.is_read_in_order
    assert shelf.wanted() == [StepKey(0, MIN_STREAK + i) for i in range(DEPTH)]


@pytest.mark.parametrize("other", [StepKey(0, 50), StepKey(0, 1), StepKey(1, MIN_STREAK)])
def test_who_jumps_has_to_begin_anew(other: StepKey) -> None:
    shelf = Shelf(LONG)
    read(shelf, 0, range(MIN_STREAK))
    shelf.taken(other)
    assert shelf.wanted() == []


def test_the_end_of_an_epoch_is_the_end_of_the_shelf() -> None:
    shelf = Shelf(MIN_STREAK + 2)
    read(shelf, 0, range(MIN_STREAK))
    assert shelf.wanted() == [StepKey(0, MIN_STREAK), StepKey(0, MIN_STREAK + 1)]
    read(shelf, 0, range(MIN_STREAK, MIN_STREAK + 2))
    assert shelf.wanted() == []


def test_an_epoch_that_follows_goes_on_where_the_last_one_ended() -> None:
    shelf = Shelf(MIN_STREAK)
    read(shelf, 0, range(MIN_STREAK))
    shelf.taken(StepKey(1, 0))
    assert shelf.wanted() == [StepKey(1, step) for step in range(1, MIN_STREAK)]


def test_what_lies_there_is_not_wanted_again() -> None:
    shelf = Shelf(LONG)
    read(shelf, 0, range(MIN_STREAK))
    shelf.put(StepKey(0, MIN_STREAK + 1), delivery([], ""))
    assert StepKey(0, MIN_STREAK + 1) not in shelf.wanted()


# --- taking and giving up -----------------------------------------------------------------------


def test_a_batch_is_taken_once() -> None:
    shelf, batch = Shelf(LONG), delivery([], "")
    shelf.put(StepKey(0, 0), batch)
    assert shelf.take(StepKey(0, 0)) is batch
    assert shelf.take(StepKey(0, 0)) is None


def test_what_is_given_up_goes_back_to_its_slot_and_nothing_else_does() -> None:
    shelf, released = Shelf(LONG), list[str]()
    for name, key in {"old": StepKey(0, 9), "taken": StepKey(0, 8), "new": StepKey(1, 0)}.items():
        shelf.put(key, delivery(released, name))
    shelf.take(StepKey(0, 8))
    shelf.clear(before_epoch=1)
    assert released == ["old"]
    shelf.clear()
    assert released == ["old", "new"]


# --- with all that is behind it -----------------------------------------------------------------


@pytest.fixture
def pool() -> Pool:
    pool = Pool()
    pool.opens()
    pool.producer().joins()
    return pool


def goes_on(pool: Pool) -> Producer:
    """One turn of the pool's thread, in which its producer builds whatever it was asked for."""
    (producer,) = pool.producers
    pool.exchange.take_releases(pool.now)
    producer.builds_all()
    pool.exchange.tick(pool.now)
    return producer


def read_on(pool: Pool, epoch: int, num: int) -> None:
    """Ask for the first steps of an epoch one by one, and keep nothing."""
    for step in range(num):
        goes_on(pool)
        rows_of(pool.asks(StepKey(epoch, step)))


def test_the_next_batch_is_there_without_asking_and_has_the_right_rows(pool: Pool) -> None:
    read_on(pool, 0, MIN_STREAK)
    goes_on(pool)
    found = pool.exchange.shelves.take(1, StepKey(0, MIN_STREAK))
    assert found is not None
    assert found.arrays()["y"].tolist() == [2 * MIN_STREAK, 2 * MIN_STREAK + 1]


def test_whoever_asks_for_what_lies_there_all_the_same_gets_it(pool: Pool) -> None:
    read_on(pool, 0, MIN_STREAK)
    goes_on(pool)
    assert rows_of(pool.asks(StepKey(0, MIN_STREAK))) == [2 * MIN_STREAK, 2 * MIN_STREAK + 1]
    assert pool.exchange.shelves.take(1, StepKey(0, MIN_STREAK)) is None


def test_every_step_comes_once_in_each_epoch_whether_asked_for_or_found(pool: Pool) -> None:
    for epoch in range(3):
        rows, found = list[int](), 0
        for step in range(NUM_STEPS):
            goes_on(pool)
            key = StepKey(epoch, step)
            batch = pool.exchange.shelves.take(1, key)
            if batch is None:
                rows += rows_of(pool.asks(key))
            else:
                found += 1
                rows += batch.arrays()["y"].tolist()
                pool.exchange.shelves.taken(1, key)
        assert rows == list(range(2 * NUM_STEPS))
        assert found == NUM_STEPS - (MIN_STREAK if epoch == 0 else 1)


def test_a_later_epoch_gives_up_what_lies_there_of_an_earlier_one(pool: Pool) -> None:
    read_on(pool, 0, MIN_STREAK)
    goes_on(pool)
    pool.asks(StepKey(1, 0))
    goes_on(pool)
    assert pool.exchange.shelves.take(1, StepKey(0, MIN_STREAK)) is None
    assert rows_of(pool.asks(StepKey(1, 1))) == [2, 3]


def test_a_closed_sequence_leaves_nothing_behind(pool: Pool) -> None:
    read_on(pool, 0, MIN_STREAK)
    goes_on(pool)
    pool.exchange.close_job(1, ClosedError("closed"), pool.now)
    assert pool.exchange.shelves.take(1, StepKey(0, MIN_STREAK)) is None
    pool.exchange.shelves.taken(1, StepKey(0, MIN_STREAK))
    pool.exchange.take_releases(pool.now)
    assert list(pool.exchange._dispatcher._books.slots) == []


def test_a_demand_wakes_nobody_only_if_its_answer_is_on_its_way(pool: Pool) -> None:
    comes = pool.exchange.comes_by_itself
    read_on(pool, 0, MIN_STREAK - 1)
    assert not comes(1, StepKey(0, MIN_STREAK - 1)), "who has just begun may change what is built"
    rows_of(pool.asks(StepKey(0, MIN_STREAK - 1)))
    (producer,) = pool.producers
    pool.exchange.take_releases(pool.now)
    leased = [StepKey(t.epoch, t.step) for t in producer.inbox if hasattr(t, "lease_id")]
    assert leased
    assert all(comes(1, key) for key in leased)
    assert not comes(1, StepKey(7, 0))
    assert not comes(2, leased[0])
    producer.builds_all()
    assert not any(comes(1, key) for key in leased), "it is ready: somebody must hand it over"
