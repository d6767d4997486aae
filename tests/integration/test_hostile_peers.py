"""Over real sockets: whoever lies, floods or only takes up room ends no training, and takes little memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import zmq
from bare_trainer import BareTrainer
from children import producer, producers_elsewhere, wait_for, wait_for_producers
from images import SIZE, numbered, rows_in, write_images
from recorder import recording_model
from strangers import MANNERS

from feedline import BatchSequence, ProducerPool
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import VERSION, Batch, Hello, Refuse, Session, Ticket, Welcome, new_id
from feedline.trainer.pool.doorkeeper import MAX_STRANGERS

NUM_ROWS = 12
MIB = 1 << 20
HELLO = Hello(VERSION, "liar", "nowhere", 1, {})


class Liar:
    """A socket that says a correct hello, and is let in."""

    def __init__(self, endpoint: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.connect(endpoint)
        self.ids = Session(new_id())
        self.socket.send_multipart(encode(self.ids, HELLO))
        self.ids = self.hear(Welcome)[0]

    def hear(self, kind: type) -> tuple[Session, object]:
        """Wait for a message of a kind, and skip others."""
        while True:
            assert self.socket.poll(60_000), f"no {kind.__name__} came"
            ids, message = decode(self.socket.recv_multipart())
            if isinstance(message, kind):
                return ids, message

    def answer_with_five_bytes(self) -> None:
        """Answer its first ticket with a lie, and hear what comes of it."""
        _, ticket = self.hear(Ticket)
        assert isinstance(ticket, Ticket)
        self.socket.send_multipart(encode(self.ids, Batch(ticket.job_id, ticket.lease_id, 1, b"short")))
        _, refusal = self.hear(Refuse)
        assert isinstance(refusal, Refuse)
        assert "has 5 bytes instead of" in refusal.text
        self.socket.close(linger=0)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """Sockets of its own."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 2000)
    yield context
    context.destroy(linger=0)


def test_a_peer_that_is_let_in_and_lies_ends_no_training(
    tmp_path: Path, context: zmq.Context[zmq.Socket[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    data = numbered(tmp_path, NUM_ROWS)
    model, recorder = recording_model()
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        BatchSequence(data, batch_size=4, image_size=SIZE, pool=pool) as sequence,
        ExitStack() as honest,
    ):
        # None gets more than two tickets before anybody waits: the third gets those of the first two.
        for liar in [Liar(pool.endpoint, context) for _ in range(3)]:
            liar.answer_with_five_bytes()
        honest.enter_context(producers_elsewhere(*producer(pool.endpoint, tmp_path, "honest")))
        model.fit(sequence, epochs=2, verbose=0)
        assert sorted(recorder.take_rows()) == sorted(2 * list(range(NUM_ROWS)))
        assert pool.stats().refused == {"size": 3}
    assert "refused producer liar: batch" in caplog.text


@pytest.mark.exhaustive
@pytest.mark.parametrize("manner", MANNERS)
def test_strangers_take_neither_memory_nor_descriptors_and_every_epoch_is_whole(
    tmp_path: Path, manner: str
) -> None:
    names = write_images(tmp_path, NUM_ROWS)
    me = psutil.Process()
    with (
        ProducerPool("tcp://127.0.0.1:*", memory_budget=16 * MIB) as pool,
        producers_elsewhere(*producer(pool.endpoint, tmp_path, "honest")),
    ):
        wait_for_producers(pool, 1)
        trainer = BareTrainer(pool, tmp_path, names, batch_size=4)
        take_epoch(trainer, 0)
        fds, memory = me.num_fds(), me.memory_info().rss
        with producers_elsewhere(str(Path(__file__).with_name("strangers.py")), manner, pool.endpoint):
            if manner != "large":
                # On who sends more than any batch has ZeroMQ hangs up by itself, before it makes room.
                wait_for("what strangers do", lambda: is_felt(pool))
            for epoch in range(1, 30):
                take_epoch(trainer, epoch)
                assert me.num_fds() < fds + MAX_STRANGERS + 50
                assert me.memory_info().rss < memory + 150 * MIB
        take_epoch(trainer, 30)
        assert set(pool.stats().refused) <= {"unreadable", "unknown-peer", "version", "flood"}
        assert pool.producers == ["honest/0"]


def is_felt(pool: ProducerPool) -> bool:
    """Whether strangers were refused or hung up on."""
    return bool(pool.stats().refused) or pool._thread._door.keeper.num_hung_up > 0


def take_epoch(trainer: BareTrainer, epoch: int) -> None:
    """Take an epoch: every row once, and every image that of its label."""
    rows: list[int] = []
    for step in range(trainer.num_steps):
        arrays = trainer.fetch_arrays(step, epoch)
        assert rows_in(arrays["x"]) == arrays["y"].tolist()
        rows += arrays["y"].tolist()
    assert rows == list(range(NUM_ROWS))
