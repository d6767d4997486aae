"""A producer that breaks a rule is sent away and counted, and whoever waits for a batch gets it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from far_end import POOL, Pool, Producer, rows_of, source

from feedline.common.memory.arena import Arena, arena_name
from feedline.common.wire.encoding import encode
from feedline.common.wire.protocol import (
    VERSION,
    ArenaAnswer,
    ArenaOffer,
    Batch,
    Cancelled,
    CloseJob,
    Failure,
    FailureKind,
    Goodbye,
    Heartbeat,
    Hello,
    JobUnknown,
    Message,
    Notice,
    OpenJob,
    Refusal,
    Refuse,
    Session,
    Ticket,
    Welcome,
    new_id,
)
from feedline.trainer.pool.exchange import Standing
from feedline.trainer.pool.refusals import (
    MAX_ANSWERS,
    MAX_IGNORED,
    MAX_STRANGE_BYTES,
    MAX_UNREADABLE,
    PATIENCE_S,
    PAUSE_S,
)
from feedline.trainer.pool.verification import BURST, MAX_NAME_CHARS, MAX_UNKNOWN, UNASKED_PER_S, Breach

NUM_BYTES = source().job.slot_bytes
HELLO = Hello(VERSION, "far/9", "far", 7, {"numpy": "2"})


@pytest.fixture
def pool() -> Pool:
    pool = Pool()
    pool.opens(1)
    pool.opens(2)
    return pool


def offer(producer: Producer, **changes: object) -> ArenaOffer:
    name = arena_name(POOL, producer.ids.producer_id, 1)
    honest = ArenaOffer(1, name, b"n" * 16, NUM_BYTES, source().max_slots)
    return replace(honest, **changes)  # type: ignore[arg-type]  # of whatever type, that is the test


def failure(ticket: Ticket, kind: FailureKind, path: str) -> Failure:
    return Failure(ticket.job_id, ticket.lease_id, kind, path, "is half a file", "")


LIES: dict[str, tuple[Breach, Callable[[Producer, Ticket], Message]]] = {
    "five bytes": (Breach.SIZE, lambda _, t: Batch(1, t.lease_id, 1, b"short")),
    "no bytes": (Breach.SIZE, lambda _, t: Batch(1, t.lease_id, 1, b"")),
    "too many bytes": (Breach.SIZE, lambda _, t: Batch(1, t.lease_id, 1, bytes(NUM_BYTES + 1))),
    "memory that is not shared": (Breach.MEMORY, lambda _, t: Batch(1, t.lease_id, 1, None)),
    "another job": (Breach.LEASE, lambda _, t: Batch(2, t.lease_id, 1, bytes(NUM_BYTES))),
    "no job": (Breach.LEASE, lambda _, t: Batch(99, t.lease_id, 1, bytes(NUM_BYTES))),
    "a lease nobody was given": (Breach.LEASE, lambda _, t: Batch(1, t.lease_id + 99, 1, b"")),
    "a failure of no lease": (Breach.LEASE, lambda *_: Failure(1, 999, FailureKind.READ, "", "", "")),
    "a lease given up unasked": (Breach.LEASE, lambda _, t: Cancelled(t.lease_id)),
    "an unknown job of another lease": (Breach.LEASE, lambda _, t: JobUnknown(2, t.lease_id)),
    "times without end": (Breach.NUMBERS, lambda _, t: Batch(1, t.lease_id, 1, bytes(NUM_BYTES), (2**60,))),
    "many times": (Breach.NUMBERS, lambda _, t: Batch(1, t.lease_id, 1, bytes(NUM_BYTES), (1,) * 99)),
    "a year's leases": (Breach.NUMBERS, lambda _, __: Heartbeat(tuple(range(20_000)))),
    "another's file": (Breach.PATH, lambda _, t: failure(t, FailureKind.READ, "/etc/passwd")),
    "a file of another step": (Breach.PATH, lambda _, t: failure(t, FailureKind.DECODE, "9.png")),
    "memory of another name": (Breach.MEMORY, lambda p, _: offer(p, name="feedline-00-00-1")),
    "memory elsewhere": (Breach.MEMORY, lambda p, _: offer(p, name="../../etc/passwd")),
    "memory with too short a nonce": (Breach.MEMORY, lambda p, _: offer(p, nonce=b"")),
    "memory with small slots": (Breach.MEMORY, lambda p, _: offer(p, slot_bytes=64)),
    "memory with huge slots": (Breach.MEMORY, lambda p, _: offer(p, slot_bytes=2**62)),
    "memory with many slots": (Breach.MEMORY, lambda p, _: offer(p, num_slots=2**40)),
    "a job": (Breach.DIRECTION, lambda _, __: OpenJob({}, 1)),
    "the end of a job": (Breach.DIRECTION, lambda _, __: CloseJob(1)),
    "a ticket": (Breach.DIRECTION, lambda _, t: t),
    "a welcome": (Breach.DIRECTION, lambda _, __: Welcome()),
    "a refusal": (Breach.DIRECTION, lambda _, __: Refuse(Refusal.VERSION, "go")),
    "an answer to memory": (Breach.DIRECTION, lambda _, __: ArenaAnswer(1, b"n", attached=True)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_liar_is_sent_away_by_name_and_its_batches_come_from_others(
    pool: Pool, caplog: pytest.LogCaptureFixture, lie: str
) -> None:
    breach, message = LIES[lie]
    future = pool.asks()
    liar = pool.producer("liar").joins()
    ticket = next(ticket for ticket in liar.heard(Ticket) if ticket.job_id == 1)
    liar.says(message(liar, ticket))
    (refusal,) = liar.heard(Refuse)
    assert refusal.reason is Refusal.BROKEN_MESSAGE
    assert refusal.text
    assert pool.exchange.producer_names == []
    assert pool.exchange.refusals.counts == {breach: 1}
    assert f"refused producer liar: {refusal.text[:80]}" in caplog.text
    assert not future.done()
    pool.producer("honest").joins().builds_all()
    assert rows_of(future) == [0, 1]


def test_what_a_liar_leaves_behind_kills_no_step(pool: Pool) -> None:
    """A step that was in work when producers died may be what kills them; liars do not die of it."""
    future = pool.asks()
    for _ in range(9):
        liar = pool.producer("liar").joins()
        ticket = next(ticket for ticket in liar.heard(Ticket) if ticket.job_id == 1)
        assert ticket.step == 0
        liar.says(Batch(1, ticket.lease_id, 1, b"short"))
    pool.producer("honest").joins().builds_all()
    assert rows_of(future) == [0, 1]


def test_a_message_that_cannot_be_read_costs_its_sender_its_session(pool: Pool) -> None:
    liar = pool.producer("liar").joins()
    liar.says_frames([b"\xc1" * 100])
    assert [refusal.reason for refusal in liar.heard(Refuse)] == [Refusal.BROKEN_MESSAGE]
    assert pool.exchange.producer_names == []


# --- who is who ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hello",
    [
        replace(HELLO, name=""),
        replace(HELLO, name="x" * 256),
        replace(HELLO, name="one\nERROR two"),
        replace(HELLO, name="\x1b[2Jgone"),
        replace(HELLO, name="\u202eenilno"),
        replace(HELLO, host="x" * 256),
        replace(HELLO, host="a\x00b"),
        replace(HELLO, pid=0),
        replace(HELLO, pid=2**40),
        replace(HELLO, libraries={f"library {i}": "1" for i in range(65)}),
        replace(HELLO, libraries={"numpy": "2\n3"}),
        replace(HELLO, libraries={"n" * 1000: "2"}),
    ],
)
def test_a_hello_with_what_nobody_has_is_refused(
    pool: Pool, caplog: pytest.LogCaptureFixture, hello: Hello
) -> None:
    stranger = pool.producer()
    stranger.says(hello)
    assert [refusal.reason for refusal in stranger.heard(Refuse)] == [Refusal.BROKEN_MESSAGE]
    assert pool.exchange.producer_names == []
    assert pool.exchange.refusals.counts == {Breach.IDENTITY: 1}
    (line,) = caplog.messages
    assert line.isprintable()
    assert len(line) < 600


@pytest.mark.parametrize("ids", [Session(b""), Session(b"a" * 16, POOL)])
def test_a_hello_comes_under_an_id_of_its_own_and_in_no_session(pool: Pool, ids: Session) -> None:
    stranger = pool.producer()
    stranger.ids = ids
    stranger.says(HELLO)
    assert pool.exchange.producer_names == []
    assert pool.exchange.refusals.counts == {Breach.IDENTITY: 1}


def test_nobody_speaks_for_a_producer_that_is_there(pool: Pool) -> None:
    """Its id stands in the name of the memory that it offers, where others can read it."""
    future = pool.asks()
    honest = pool.producer("honest").joins()
    thief = pool.producer("thief")
    thief.ids = honest.ids
    for message in (Goodbye(), Heartbeat(), Batch(1, 1, 1, b"x")):
        thief.says(message)
    thief.ids = Session(honest.ids.producer_id)
    thief.says(replace(HELLO, name="thief"))
    assert {refusal.reason for refusal in thief.heard(Refuse)} == {Refusal.UNKNOWN_PEER}
    assert pool.exchange.refusals.counts == {Breach.CONNECTION: 4}
    honest.builds_all()
    assert rows_of(future) == [0, 1]


def test_a_producer_whose_connection_was_cut_goes_on_over_the_next_one(pool: Pool) -> None:
    future = pool.asks()
    producer = pool.producer().joins()
    before, producer.routing_id = producer.routing_id, new_id()
    pool.cut.add(before)
    producer.builds_all()
    assert rows_of(future) == [0, 1]
    assert pool.exchange.refusals.counts == {}


def test_a_connection_is_one_producers(pool: Pool) -> None:
    """Else one of them could be a thousand."""
    producer = pool.producer().joins()
    producer.says_frames(encode(Session(new_id()), HELLO))
    assert pool.exchange.producer_names == []
    assert pool.exchange.refusals.counts == {Breach.CONNECTION: 1}


def test_a_pool_with_producers_of_its_own_lets_in_no_others() -> None:
    pool = Pool(own_pids={7})
    pool.producer(pid=7).joins()
    stranger = pool.producer(pid=8)
    stranger.says(replace(HELLO, pid=8))
    assert [refusal.reason for refusal in stranger.heard(Refuse)] == [Refusal.BROKEN_MESSAGE]
    assert len(pool.exchange.producer_names) == 1


# --- too much -----------------------------------------------------------------------------------


def test_a_producer_that_says_far_more_than_it_was_asked_is_sent_away(pool: Pool) -> None:
    honest, liar = pool.producer("honest").joins(), pool.producer("liar").joins()
    for _ in range(BURST + 1):
        liar.says(Notice("hm"))
    assert pool.exchange.producer_names == ["honest"]
    assert pool.exchange.refusals.counts == {Breach.FLOOD: 1}
    for _ in range(BURST // 10):
        pool.now += 10 / UNASKED_PER_S
        for _ in range(10):
            honest.says(Heartbeat())
    assert pool.exchange.producer_names == ["honest"], "what comes little by little never adds up"


def test_a_producer_that_forgets_its_jobs_all_the_time_is_sent_away(pool: Pool) -> None:
    liar = pool.producer("liar").joins()
    for _ in range(MAX_UNKNOWN + 1):
        ticket, *_ = liar.heard(Ticket)
        liar.says(JobUnknown(ticket.job_id, ticket.lease_id))
    assert pool.exchange.producer_names == []
    assert pool.exchange.refusals.counts == {Breach.FLOOD: 1}


def test_a_stranger_gets_few_answers_and_is_not_listened_to_then(pool: Pool) -> None:
    stranger = pool.producer()
    for _ in range(2 * MAX_ANSWERS):
        stranger.says(replace(HELLO, version=VERSION + 1))
    assert len(stranger.heard(Refuse)) == MAX_ANSWERS
    assert pool.exchange.refusals.counts == {Breach.VERSION: MAX_ANSWERS, Breach.FLOOD: MAX_ANSWERS}
    stranger.says_frames(encode(Session(new_id()), HELLO))
    assert pool.exchange.producer_names == []


def test_who_does_not_speak_the_language_at_all_gets_fewer(pool: Pool) -> None:
    stranger = pool.producer()
    for _ in range(MAX_ANSWERS):
        stranger.says_frames([b"GET / HTTP/1.1"])
    assert len(stranger.heard(Refuse)) == MAX_UNREADABLE


def test_who_goes_on_though_it_is_ignored_is_hung_up_on_by_number_and_by_time(pool: Pool) -> None:
    def stands(stranger: Producer) -> Standing:
        return pool.exchange.hear(stranger.routing_id, [b"GET / HTTP/1.1"], pool.now)

    fast, slow = pool.producer(), pool.producer()
    told = [stands(fast) for _ in range(MAX_UNREADABLE + MAX_IGNORED)]
    assert told == [Standing.STRANGER] * len(told)
    assert stands(fast) is Standing.TIRESOME
    told = [stands(slow) for _ in range(MAX_UNREADABLE + 1)]
    pool.now += PATIENCE_S
    assert [*told, stands(slow)] == [Standing.STRANGER] * (MAX_UNREADABLE + 2)
    pool.now += 0.1
    assert stands(slow) is Standing.TIRESOME


def test_one_large_message_is_enough_not_to_be_listened_to(pool: Pool) -> None:
    stranger = pool.producer()
    for _ in range(3):
        stranger.says_frames([b"x", bytes(MAX_STRANGE_BYTES)])
    assert len(stranger.heard(Refuse)) == 1


def test_all_strangers_together_are_one_line_a_second_with_how_many_were_left_out(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        pool.producer().says_frames([b"GET / HTTP/1.1"])
    pool.producer("liar").joins().says(CloseJob(1))
    assert len(caplog.messages) == 1
    pool.now += PAUSE_S
    pool.exchange.refusals.review(pool.now)
    rare = "refused producer liar: only a trainer says job-closed [direction]"
    assert caplog.messages[1:] == [f"{rare} (not logged before: 49 unreadable, 1 direction)"]
    pool.passes(3 * PAUSE_S)
    assert len(caplog.messages) == 2, "what was told is not told again"


# --- what is kept of what they say ----------------------------------------------------------------


def test_what_a_producer_says_writes_one_line_of_a_log_and_steers_no_terminal(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    text = "\x1b[31mhm\nERROR root: all is lost \u202e" + "x" * 10_000
    producer = pool.producer().joins()
    caplog.clear()
    producer.says(Notice(text, text))
    (topic,) = pool.exchange._roster.noticed
    producer.says(Goodbye(text))
    assert len(caplog.messages) == 2
    for line in caplog.messages:
        assert line.isprintable()
        assert len(line) < 2100
    assert topic.isprintable()
    assert len(topic) == MAX_NAME_CHARS


def test_memory_that_was_cut_since_it_was_offered_is_not_read(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    future = pool.asks()
    liar = pool.producer("liar").joins()
    arena = Arena(arena_name(POOL, liar.ids.producer_id, 1), NUM_BYTES, source().max_slots)
    liar.says(offer(liar, nonce=arena.nonce))
    assert liar.heard(ArenaAnswer)[0].attached
    ticket = next(ticket for ticket in liar.heard(Ticket) if ticket.job_id == 1)
    (tmp_path / arena.name).write_bytes(b"")
    liar.says(Batch(1, ticket.lease_id, 1, None))
    assert pool.exchange.refusals.counts == {Breach.MEMORY: 1}
    pool.producer("honest").joins().builds_all()
    assert rows_of(future) == [0, 1]


def test_a_batch_that_turns_out_to_be_none_costs_its_producer_its_place(pool: Pool) -> None:
    liar = pool.producer("liar").joins()
    future = pool.asks()
    liar.builds_all()
    delivery = future.result(timeout=0)
    assert delivery.producer_id == liar.ids.producer_id
    pool.exchange.disown(delivery.producer_id, "batch 0 of epoch 0 is no batch", pool.now)
    assert pool.exchange.producer_names == []
    assert pool.exchange.refusals.counts == {Breach.CONTENT: 1}
    pool.exchange.disown(delivery.producer_id, "again", pool.now)
    delivery.release()
    again = pool.asks()
    pool.producer("honest").joins().builds_all()
    assert rows_of(again) == [0, 1]
