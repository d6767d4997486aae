"""What the pool without its socket tells those who watch."""

from __future__ import annotations

import pytest
from far_end import Pool

from feedline.common.wire.protocol import Goodbye, Ticket
from feedline.trainer.monitor.facts import EventKind, Facts
from feedline.trainer.pool.telling import facts_of
from feedline.trainer.pool.watch import PoolWatch


@pytest.fixture
def pool() -> Pool:
    return Pool()


def told(pool: Pool) -> Facts:
    return facts_of(pool.exchange, PoolWatch(), pool.now, None)()


def kinds(pool: Pool) -> list[EventKind]:
    return [event.kind for event in told(pool).events]


def test_what_each_producer_has_in_hand_and_how_far_each_job_is_is_told(pool: Pool) -> None:
    producer, _ = pool.producer("far/0").joins(), pool.producer("far/1", pid=8).joins()
    pool.opens()
    pool.asks()
    first, second = told(pool).producers
    assert (first.name, second.name) == ("far/0", "far/1")
    assert first.standing.num_in_flight + second.standing.num_in_flight >= 2
    (job,) = told(pool).jobs
    assert (job.epoch, job.step, job.standing.num_steps, job.standing.num_waited_for) == (0, 0, 6, 1)
    producer.builds_all()
    (job,) = told(pool).jobs
    assert (job.epoch, job.step) == (0, 1)
    assert job.standing.num_ready > 0
    assert told(pool).slots["ready"] == job.standing.num_ready


def test_failures_are_counted_with_what_was_wrong_last(pool: Pool) -> None:
    producer = pool.producer().joins()
    pool.opens()
    pool.asks().add_done_callback(lambda future: future.exception())
    (ticket, *_) = producer.heard(Ticket)
    producer.fails(ticket)
    (one,) = told(pool).producers
    assert one.num_failures == 1
    assert one.last_error == f"{ticket.samples[0].paths[0]}: is half a file"


def test_who_came_who_left_and_who_died_are_events(pool: Pool) -> None:
    pool.producer("far/0").joins().says(Goodbye("done"))
    second = pool.producer("far/1", pid=8).joins()
    pool.exchange.lost(second.ids.producer_id, "it was killed\nwith more words", pool.now)
    assert kinds(pool) == [EventKind.JOINED, EventKind.LEFT, EventKind.JOINED, EventKind.DIED]
    assert told(pool).events[-1].text == "producer far/1 left: it was killed"
    assert told(pool).producers == ()


def test_a_lease_that_is_given_up_is_an_event_and_its_producer_a_straggler(pool: Pool) -> None:
    slow = pool.producer("far/0").joins()
    pool.opens()
    pool.asks()
    assert slow.heard(Ticket)
    for _ in range(400):
        pool.exchange._dispatcher.heard(slow.ids.producer_id, pool.now)
        pool.passes(1)
    texts = [event.text for event in told(pool).events if event.kind is EventKind.NOTE]
    assert any("goes to another" in text for text in texts), texts
    (one,) = told(pool).producers
    assert one.standing.is_straggler


def test_what_was_told_does_not_change_when_the_pool_goes_on(pool: Pool) -> None:
    producer = pool.producer().joins()
    pool.opens()
    later = facts_of(pool.exchange, PoolWatch(), pool.now, 3)
    pool.asks()
    producer.builds_all()
    producer.says(Goodbye("done"))
    facts = later()
    assert facts.num_asked == 3
    assert [one.name for one in facts.producers] == ["far/0"]
    assert [(job.epoch, job.step) for job in facts.jobs] == [(0, 0)]
    assert [event.kind for event in facts.events] == [EventKind.JOINED]
