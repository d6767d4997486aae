"""Whatever a peer that was let in says, nobody hears of it but the log; and bytes are messages or refused."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import numpy as np
from fuzz.traffic import Frames, mutated, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.trainer.pool.far_end import POOL, Pool, Producer, rows_of

from feedline.common.batch.packed import PackedBatch, unpack
from feedline.common.job.kinds import job_from_wire
from feedline.common.job.sequences import Survey
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import (
    VERSION,
    ArenaOffer,
    Batch,
    Cancelled,
    Failure,
    FailureKind,
    Goodbye,
    Heartbeat,
    Hello,
    JobUnknown,
    Message,
    Notice,
    OpenJob,
    Session,
    Ticket,
)
from feedline.errors import RemoteProtocolError
from feedline.trainer.plan.epochs import StepKey

SEEDS = st.integers(0, 2**32)
PACKED = PackedBatch.of((np.zeros((2, 3), np.float32), {"y": np.arange(2)}))


def said_of(lease_id: int) -> tuple[Message, ...]:
    """What a producer says, true or not."""
    return (
        Hello(VERSION, "hostile", "nowhere", 1, {"numpy": "2"}),
        Batch(1, lease_id, 1, b"short", (1, 2, 3)),
        Batch(1, lease_id, 1, None),
        ArenaOffer(1, "feedline-00-00-1", b"n" * 16, 128, 4),
        Failure(1, lease_id, FailureKind.READ, "0.png", "gone", ""),
        Cancelled(lease_id),
        JobUnknown(1, lease_id),
        Heartbeat((lease_id,), "busy"),
        Notice("hm", "haw"),
        Goodbye("tired"),
    )


def lie(producer: Producer, draw: Random) -> Frames:
    """Something that a producer says, mutated in its own session."""
    tickets = [message for message in producer.inbox if isinstance(message, Ticket)]
    lease_id = draw.choice(tickets).lease_id if tickets else draw.randrange(9)
    frames = [bytes(frame) for frame in encode(producer.ids, draw.choice(said_of(lease_id)))]
    return noise(draw) if draw.random() < 0.1 else mutated(frames, draw)


@settings(max_examples=20)
@given(SEEDS)
def test_an_epoch_is_whole_whatever_a_peer_that_was_let_in_says(seed: int) -> None:
    draw, pool = Random(seed), Pool()
    pool.opens()
    honest = pool.producer("honest").joins()
    for step in range(3):
        future = pool.asks(StepKey(0, step))
        liar = pool.producer("liar").joins()
        liar.is_liar = True
        for _ in range(10):
            liar.says_frames(lie(liar, draw))
        liar.is_connected = False
        pool.passes(1.0)
        while not future.done():
            honest.builds_all()
            pool.passes(1.0)
        assert rows_of(future) == [2 * step, 2 * step + 1]


@settings(max_examples=100)
@given(SEEDS)
def test_bytes_are_a_message_or_refused(seed: int) -> None:
    draw = Random(seed)
    frames = [bytes(frame) for frame in encode(Session(b"a" * 16, POOL), draw.choice(said_of(3)))]
    try:
        session, message = decode(mutated(frames, draw))
        if isinstance(message, OpenJob):
            job_from_wire(message.job)
    except RemoteProtocolError:
        return
    if not (isinstance(message, Hello) and message.version != VERSION):
        again = decode([bytes(frame) for frame in encode(session, message)])
        assert repr(again) == repr((session, message))


@settings(max_examples=100)
@given(SEEDS)
def test_memory_holds_a_batch_or_is_refused(seed: int) -> None:
    memory = np.zeros(PACKED.num_bytes, np.uint8)
    PACKED.write(memory)
    (data,) = mutated([memory.tobytes()], Random(seed))[:1] or [b""]
    found: list[object] = []
    for read in (unpack, Survey.read):
        with suppress(RemoteProtocolError):
            found.append(read(np.frombuffer(data, np.uint8)))
    # What is a batch can be written as one, and no memory holds both.
    assert len(found) <= 1
    assert all(isinstance(one, Survey) or PackedBatch.of(one).num_bytes > 0 for one in found)
