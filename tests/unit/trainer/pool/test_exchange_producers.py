"""Who the pool without its socket talks to, whom it sends away, and how it notices who is gone."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from far_end import POOL, Pool, error_of, rows_of, source

from feedline.common.memory.arena import Arena, arena_name
from feedline.common.wire.encoding import encode
from feedline.common.wire.protocol import (
    HEARTBEAT_S,
    LOST_AFTER_S,
    VERSION,
    ArenaAnswer,
    ArenaOffer,
    Batch,
    Cancelled,
    Goodbye,
    Heartbeat,
    Hello,
    Notice,
    Refusal,
    Refuse,
    Session,
    Ticket,
    Welcome,
)
from feedline.errors import BatchError, ClosedError
from feedline.trainer.dispatch.books import MAX_LOST


@pytest.fixture
def pool() -> Pool:
    return Pool()


# --- memory that may be shared ------------------------------------------------------------------


def test_memory_is_shared_for_an_open_job_and_declined_for_one_that_was_closed_meanwhile(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    producer = pool.producer().joins()
    pool.opens(1)
    pool.opens(2)
    pool.exchange.close_job(2, ClosedError("closed"), pool.now)
    for job_id, shared in ((1, True), (2, False)):
        name = arena_name(POOL, producer.ids.producer_id, job_id)
        arena = Arena(name, source().job.slot_bytes, source().max_slots)
        producer.says(ArenaOffer(job_id, name, arena.nonce, arena.slot_bytes, arena.num_slots))
        assert producer.heard(ArenaAnswer) == [ArenaAnswer(job_id, arena.nonce, shared)]
        assert pool.exchange._arenas.has(producer.ids.producer_id, job_id) is shared


def test_a_producers_warning_is_logged_and_what_another_one_repeats_is_not(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("one", "two"):
        pool.producer(name).joins().says(Notice("no memory cache"))
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == ["producer one: no memory cache"]


# --- who may talk -------------------------------------------------------------------------------


def test_a_producer_is_greeted_once_and_its_process_told(pool: Pool) -> None:
    producer = pool.producer(pid=123).joins()
    assert producer.heard(Welcome) == []
    assert pool.welcomed == [123]
    assert pool.exchange.producer_names == ["far/0"]


def test_another_version_is_refused_and_is_no_producer(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    producer = pool.producer()
    producer.says(Hello(VERSION + 1, "far/0", "far", 1, {}))
    (refusal,) = producer.heard(Refuse)
    assert refusal.reason is Refusal.VERSION
    assert pool.exchange.producer_names == []
    assert pool.welcomed == []
    assert "install the same version" in caplog.text


def test_a_mixture_of_libraries_is_logged_once(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    for numpy in ("2", "1", "1"):
        pool.producer().joins(libraries={"numpy": numpy})
    assert caplog.text.count("equal bytes are promised among equal versions only") == 1
    assert "numpy 1 instead of 2" in caplog.text


def test_strict_versions_refuses_a_mixture() -> None:
    pool = Pool(strict_versions=True)
    pool.producer().joins()
    other = pool.producer()
    other.says(Hello(VERSION, "other", "far", 1, {"numpy": "1"}))
    (refusal,) = other.heard(Refuse)
    assert refusal.reason is Refusal.MIXED_VERSIONS
    assert pool.exchange.producer_names == ["far/0"]


@pytest.mark.parametrize(
    "ids",
    [Session(b"a" * 16, POOL), Session(b"a" * 16, b"q" * 16), Session(b"a" * 16), Session(b"", b"")],
    ids=["this pool", "an earlier pool", "no pool", "no ids"],
)
def test_whoever_is_not_known_is_sent_away_and_changes_nothing(pool: Pool, ids: Session) -> None:
    pool.opens()
    future = pool.asks()
    producer = pool.producer().joins()
    ticket = producer.heard(Ticket)[0]
    stranger = pool.producer("stranger")
    stranger.ids = ids
    for message in (
        Batch(1, ticket.lease_id, 1, b"x"),
        Goodbye(),
        Heartbeat((1,)),
        Cancelled(ticket.lease_id),
    ):
        stranger.says(message)
        (refusal,) = stranger.heard(Refuse)
        assert refusal.reason is Refusal.UNKNOWN_PEER
    assert not future.done()
    producer.builds(ticket)
    assert rows_of(future) == [0, 1]


def test_a_producer_of_an_earlier_run_is_sent_away_under_its_own_id(pool: Pool) -> None:
    producer = pool.producer().joins()
    producer.ids = replace(producer.ids, pool_id=b"q" * 16)
    producer.says(Heartbeat())
    (refusal,) = producer.heard(Refuse)
    assert refusal.reason is Refusal.UNKNOWN_PEER


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"GET / HTTP/1.1\r\n\r\n"],
        [b"\x93\x01\x02\x03"],
        [b"\xc1" * 100],
        [b""] * 50,
        [*encode(Session(b"a" * 16, POOL), Heartbeat((1,))), b"one more"],
    ],
    ids=["empty", "http", "other msgpack", "no msgpack", "many frames", "a frame too many"],
)
def test_a_strangers_garbage_is_answered_and_changes_nothing(pool: Pool, frames: list[bytes]) -> None:
    pool.opens()
    producer = pool.producer().joins()
    stranger = pool.producer("stranger")
    stranger.says_frames(frames)
    (refusal,) = stranger.heard(Refuse)
    assert refusal.reason is Refusal.BROKEN_MESSAGE
    assert pool.exchange.producer_names == [producer.name]
    future = pool.asks()
    producer.builds_all()
    assert rows_of(future) == [0, 1]


# --- producers come and go ----------------------------------------------------------------------


def test_a_goodbye_gives_the_work_to_others_at_once(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    first = pool.producer("first").joins()
    second = pool.producer("second").joins()
    assert first.heard(Ticket)
    first.says(Goodbye("stopped"))
    assert pool.exchange.producer_names == ["second"]
    second.builds_all()
    assert rows_of(future) == [0, 1]


def test_a_producer_that_left_is_a_stranger(pool: Pool) -> None:
    producer = pool.producer().joins()
    producer.says(Goodbye())
    producer.says(Heartbeat())
    assert [refusal.reason for refusal in producer.heard(Refuse)] == [Refusal.UNKNOWN_PEER]


def test_a_cut_connection_is_found_by_sending_and_its_work_goes_to_others(pool: Pool) -> None:
    pool.opens()
    first = pool.producer("first").joins()
    second = pool.producer("second").joins()
    first.is_connected = False
    future = pool.asks()
    pool.passes(HEARTBEAT_S)
    assert pool.exchange.producer_names == ["second"]
    second.builds_all()
    assert rows_of(future) == [0, 1]


def test_connections_that_are_cut_over_one_batch_again_and_again_end_no_training(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    for number in range(3 * MAX_LOST):
        producer = pool.producer(f"p{number}").joins()
        assert producer.heard(Ticket)
        producer.is_connected = False
        pool.passes(HEARTBEAT_S)
        producer.is_connected = True
        producer.says(Heartbeat())
    pool.producer("sound").joins().builds_all()
    assert rows_of(future) == [0, 1]


def test_a_silent_producer_is_given_up_and_sent_away_when_it_speaks_again(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    silent = pool.producer("silent").joins()
    (ticket, *_) = silent.heard(Ticket)
    pool.passes(LOST_AFTER_S + 1.0)
    assert pool.exchange.producer_names == []
    silent.builds(ticket)
    assert [refusal.reason for refusal in silent.heard(Refuse)] == [Refusal.UNKNOWN_PEER]
    assert not future.done()
    pool.producer("other").joins().builds_all()
    assert rows_of(future) == [0, 1]


def test_a_lost_process_takes_its_producers_with_it(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pool.producer("first", pid=1).joins()
    pool.producer("second", pid=2).joins()
    pool.exchange.lost_process(1, "status -11:\nSegmentation fault", pool.now)
    pool.exchange.lost_process(99, "never seen", pool.now)
    assert pool.exchange.producer_names == ["second"]
    assert "producer first left: status -11:" in caplog.text


def test_a_step_that_kills_its_producers_fails_with_files_and_last_words(pool: Pool) -> None:
    pool.opens()
    future = pool.asks()
    for pid in range(1, 5):
        assert not future.done()
        pool.producer(f"far/{pid}", pid).joins()
        pool.exchange.lost_process(pid, f"process {pid}: Segmentation fault", pool.now)
    error = error_of(future)
    assert isinstance(error, BatchError)
    for part in ("in work when 4 producers died", "0.png, 1.png", "far/4", "process 4: Segmentation fault"):
        assert part in str(error)


def test_everybody_gets_a_heartbeat_every_second_and_the_goodbye(pool: Pool) -> None:
    producers = [pool.producer().joins() for _ in range(2)]
    pool.passes(3 * HEARTBEAT_S)
    assert [len(producer.heard(Heartbeat)) for producer in producers] == [3, 3]
    pool.exchange.say_goodbye()
    assert [len(producer.heard(Goodbye)) for producer in producers] == [1, 1]
