"""Who has no key, another one or one that was taken off the list learns nothing; nor does a wrong trainer."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import zmq
from bare_trainer import BareTrainer, names_in
from children import producers_elsewhere, wait_for, wait_for_producers
from images import write_images
from wiretap import Wiretap

from feedline import ProducerPool
from feedline.common.keys.curve import connect_securely
from feedline.common.keys.files import ProducerKeys, TrainerKeys
from feedline.common.keys.making import make_keys
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import VERSION, FromProducer, Heartbeat, Hello, Session, Welcome, new_id
from feedline.trainer.pool.shared import _pool_of

NUM_ROWS = 12

HANDSHAKE_BYTES = 400
"""More than what either side sends before it knows who the other one is."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, NUM_ROWS)
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys of a trainer, of a producer that is listed, and of `other`, who is not."""
    folder = tmp_path / "keys"
    make_keys(folder)
    make_keys(folder, "other")
    (folder / "trainer/producers/other.key").unlink()
    return folder


def words(endpoint: str, images: Path, *more: str) -> tuple[str, ...]:
    where = ("--connect", endpoint, "--data-root", str(images))
    return ("-m", "feedline.producer", "--workers", "1", *where, *more)


@contextmanager
def told(*command: str) -> Iterator[Callable[[str], object]]:
    """Run a producer; gives a function that reads on until a text comes."""
    with subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = process.stderr

        def until(text: str) -> str:
            for line in lines:
                if text in line:
                    return line
            raise AssertionError(f"it ended without saying {text!r}")

        try:
            yield until
        finally:
            process.terminate()
            lines.read()


def port_of(pool: ProducerPool) -> int:
    return int(pool.endpoint.rsplit(":", 1)[1])


def assert_epoch(trainer: BareTrainer, epoch: int) -> None:
    rows = [row for step in range(trainer.num_steps) for row in trainer.fetch(step, epoch)]
    assert rows == list(range(NUM_ROWS))


def all_of(notes: list[bytearray]) -> bytes:
    return b"".join(map(bytes, notes))


# --- on the wire --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret", [True, pytest.param(False, marks=pytest.mark.exhaustive)], ids=["with keys", "without"]
)
def test_nothing_of_a_job_can_be_read_on_the_wire(images: Path, keys: Path, secret: bool) -> None:
    chosen = ["--keys", str(keys)] if secret else []
    with (
        ProducerPool("tcp://127.0.0.1:*", keys=keys if secret else None, transport="frames") as pool,
        Wiretap(port_of(pool)) as tap,
        producers_elsewhere(*words(tap.endpoint, images, "--name", "a-name", *chosen)),
    ):
        assert_epoch(BareTrainer(pool, images, names_in(images)), 0)
        to_producer, to_trainer = all_of(tap.to_producers), all_of(tap.to_trainer)
        pixels = 2 * 24 * 32 * 3
        assert len(to_trainer) > NUM_ROWS / 2 * pixels
        # Without keys all of it is there to be read: so it would be found.
        assert (b"0003.png" in to_producer) is not secret
        assert (b"a-name" in to_trainer) is not secret
        assert (b"lease_id" in to_trainer) is not secret


class Peer:
    """Speaks the protocol by hand, and notes what it is told."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, keys: ProducerKeys | None
    ) -> None:
        self.ids = Session(new_id())
        self.heard: list[str] = []
        self.socket = context.socket(zmq.DEALER)
        if keys is not None:
            connect_securely(self.socket, keys)
        self.socket.connect(endpoint)

    def say(self, message: FromProducer) -> None:
        """Send a message, unless it was hung up on."""
        with suppress(zmq.Again):
            self.socket.send_multipart(encode(self.ids, message), zmq.NOBLOCK)

    def listen(self) -> list[str]:
        """What it was told so far, by tag."""
        while self.socket.poll(0):
            ids, message = decode(self.socket.recv_multipart())
            self.heard.append(message.tag)
            if isinstance(message, Welcome):
                self.ids = ids
        return self.heard


HELLO = Hello(VERSION, "peer", "host", 1, {})


@contextmanager
def strangers(keys: Path, endpoint: str) -> Iterator[dict[str, Peer]]:
    """One without a key, one whose key is not listed, and one that takes the trainer for another."""
    unlisted = ProducerKeys.read(keys / "other")
    make_keys(keys / "elsewhere")
    mistaken = ProducerKeys(
        keys, ProducerKeys.read(keys).own, TrainerKeys.read(keys / "elsewhere").own.public
    )
    with zmq.Context() as context:
        peers = {
            "no key": Peer(context, endpoint, None),
            "unlisted": Peer(context, endpoint, unlisted),
            "mistaken": Peer(context, endpoint, mistaken),
        }
        try:
            yield peers
        finally:
            for peer in peers.values():
                peer.socket.close(linger=0)


def test_a_peer_without_a_listed_key_gets_not_a_byte_of_a_job_and_is_named(
    images: Path, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        ProducerPool("tcp://127.0.0.1:*", keys=keys) as pool,
        Wiretap(port_of(pool)) as tap,
        strangers(keys, tap.endpoint) as peers,
        producers_elsewhere(*words(pool.endpoint, images, "--keys", str(keys), "--name", "listed")),
    ):
        trainer = BareTrainer(pool, images, names_in(images))
        for peer in peers.values():
            peer.say(HELLO)
        assert_epoch(trainer, 0)
        key = ProducerKeys.read(keys / "other").own.public.decode()
        wait_for("its key", lambda: f"127.0.0.1: its key {key} is in no file" in caplog.text)
        wait_for("its error", lambda: "it takes this trainer for another" in caplog.text)
        assert_epoch(trainer, 1)
        assert pool.producers == ["listed/0"]
        assert {name: peer.listen() for name, peer in peers.items()} == {name: [] for name in peers}
        assert len(tap.to_producers) >= len(peers)
        assert max(map(len, tap.to_producers)) < HANDSHAKE_BYTES


def test_whose_key_is_taken_off_the_list_hears_no_more_and_others_do_its_work(
    images: Path, keys: Path
) -> None:
    make_keys(keys, "hostile")
    with ProducerPool("tcp://127.0.0.1:*", keys=keys) as pool, zmq.Context() as context:
        peer = Peer(context, pool.endpoint, ProducerKeys.read(keys / "hostile"))
        peer.say(HELLO)
        wait_for("a welcome", lambda: "welcome" in peer.listen())
        trainer = BareTrainer(pool, images, names_in(images))
        wait_for("tickets", lambda: "ticket" in peer.listen())
        (keys / "trainer/producers/hostile.key").unlink()
        wait_for_producers(pool, 0)
        wait_for("its connection to be cut", lambda: not peer.socket.poll(0, zmq.POLLOUT))
        peer.listen()
        num_heard = len(peer.heard)
        with producers_elsewhere(*words(pool.endpoint, images, "--keys", str(keys), "--name", "listed")):
            for epoch in range(3):
                # It goes on as if nothing had happened, over the connection that it has.
                for message in (Heartbeat(), HELLO, Heartbeat((1, 2))):
                    peer.say(message)
                assert_epoch(trainer, epoch)
            # A heartbeat of the trainer's has gone to whoever is there.
            beats = pool._thread.exchange._beat_at
            wait_for("a heartbeat", lambda: pool._thread.exchange._beat_at > beats)
            assert pool.producers == ["listed/0"]
            assert peer.listen()[num_heard:] == []
        peer.socket.close(linger=0)


def let_anybody_in(trainer: zmq.Socket[bytes], keys: TrainerKeys) -> None:
    trainer.curve_server = True
    trainer.curve_publickey, trainer.curve_secretkey = keys.own.public, keys.own.secret


@pytest.mark.parametrize("wrong", ["other keys", pytest.param("no keys", marks=pytest.mark.exhaustive)])
def test_a_producer_does_not_answer_a_wrong_trainer_and_says_so(images: Path, keys: Path, wrong: str) -> None:
    make_keys(keys / "elsewhere")
    with zmq.Context() as context, context.socket(zmq.ROUTER) as trainer:
        if wrong == "other keys":
            let_anybody_in(trainer, TrainerKeys.read(keys / "elsewhere"))
        port = trainer.bind_to_random_port("tcp://127.0.0.1")
        with Wiretap(port) as tap, told(*words(tap.endpoint, images, "--keys", str(keys))) as until:
            assert f"it is not the trainer of {keys}/producer/trainer.key, or has no keys" in until("WARNING")
            wait_for("another attempt", lambda: len(tap.to_trainer) > 1)
            assert not trainer.poll(0)
            assert max(map(len, tap.to_trainer)) < HANDSHAKE_BYTES


@pytest.mark.exhaustive
def test_the_wrong_trainer_of_the_test_before_serves_whoever_takes_it_for_the_right_one(
    images: Path, keys: Path
) -> None:
    """Else it would show nothing."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as trainer:
        let_anybody_in(trainer, TrainerKeys.read(keys))
        port = trainer.bind_to_random_port("tcp://127.0.0.1")
        with producers_elsewhere(*words(f"tcp://127.0.0.1:{port}", images, "--keys", str(keys))):
            wait_for("a hello", lambda: trainer.poll(0))
            _, *frames = trainer.recv_multipart()
            assert isinstance(decode(frames)[1], Hello)


# --- while it runs ------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_key_that_is_added_lets_in_whoever_waits_and_one_that_is_removed_shuts_out(
    images: Path, keys: Path
) -> None:
    listed = keys / "trainer/producers"
    with ProducerPool("tcp://127.0.0.1:*", keys=keys) as pool:
        trainer = BareTrainer(pool, images, names_in(images))
        with told(*words(pool.endpoint, images, "--keys", str(keys / "other"), "--name", "other")) as until:
            text = until("does not let the key")
            assert f"{keys}/other in: copy its file NAME.key into the folder trainer/producers" in text
            shutil.copy(keys / "other/other.key", listed)
            until("connected to the trainer")
            assert_epoch(trainer, 0)
            with producers_elsewhere(*words(pool.endpoint, images, "--keys", str(keys), "--name", "first")):
                wait_for_producers(pool, 2)
                (listed / "other.key").unlink()
                wait_for("it to be gone", lambda: pool.producers == ["first/0"])
                until("does not let the key")
                assert_epoch(trainer, 1)
                shutil.copy(keys / "other/other.key", listed)
                until("connected to the trainer")
                assert_epoch(trainer, 2)


@pytest.mark.exhaustive
def test_a_producer_that_is_given_the_right_key_of_the_trainer_needs_no_restart(
    images: Path, keys: Path
) -> None:
    right, mine = keys / "producer/trainer.key", keys / "producer/aside"
    make_keys(keys / "elsewhere")
    right.rename(mine)
    shutil.copy(keys / "elsewhere/producer/trainer.key", right)
    with (
        ProducerPool("tcp://127.0.0.1:*", keys=keys) as pool,
        told(*words(pool.endpoint, images, "--keys", str(keys))) as until,
    ):
        until("it is not the trainer of")
        assert pool.producers == []
        mine.rename(right)
        until("connected to the trainer")
        assert len(pool.producers) == 1


# --- what is said -------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_producer_without_keys_is_told_that_it_needs_them(
    images: Path, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        ProducerPool("tcp://127.0.0.1:*", keys=keys) as pool,
        told(*words(pool.endpoint, images)) as until,
    ):
        assert "it asks for keys, which --keys DIR or FEEDLINE_KEYS name" in until("WARNING")
        # Whichever side finds it out first hangs up: it may be the producer, a few times.
        wait_for("the trainer's sentence", lambda: "it has no keys: start it with --keys DIR" in caplog.text)


@pytest.mark.exhaustive
def test_a_trainer_without_keys_says_that_producers_have_some(
    images: Path, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        producers_elsewhere(*words(pool.endpoint, images, "--keys", str(keys))),
    ):
        wait_for("a sentence", lambda: "it has keys, and this pool has none" in caplog.text)
        assert pool.producers == []


@pytest.mark.exhaustive
def test_the_environment_names_keys_of_both_sides_and_of_sequences_without_a_pool(
    images: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDLINE_KEYS", str(keys))
    monkeypatch.setenv("FEEDLINE_ENDPOINT", "tcp://0.0.0.0:*")
    with (
        _pool_of(1, 1 << 30) as pool,
        Wiretap(port_of(pool)) as tap,
        producers_elsewhere(*words(tap.endpoint, images)),
    ):
        assert "--keys DIR" in pool._thread._advice()
        assert_epoch(BareTrainer(pool, images, names_in(images)), 0)
        assert b"0003.png" not in all_of(tap.to_producers)
    # Whoever does not go through the network asks for none.
    monkeypatch.setenv("FEEDLINE_KEYS", "/no/such/folder")
    with ProducerPool(workers=1) as pool:
        wait_for_producers(pool, 1)


@pytest.mark.exhaustive
def test_hundreds_of_strangers_are_a_line_a_second(
    images: Path, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        ProducerPool("tcp://127.0.0.1:*", keys=keys) as pool,
        producers_elsewhere(*words(pool.endpoint, images, "--keys", str(keys))),
        zmq.Context() as context,
    ):
        trainer = BareTrainer(pool, images, names_in(images))
        assert_epoch(trainer, 0)
        began, unlisted = time.monotonic(), ProducerKeys.read(keys / "other")
        for _ in range(200):
            Peer(context, pool.endpoint, unlisted).socket.close(linger=0)
            peer = Peer(context, pool.endpoint, unlisted)
            peer.say(HELLO)
            peer.socket.poll(5)
            peer.socket.close(linger=0)
        assert_epoch(trainer, 1)
        lines = [record for record in caplog.records if "its key" in record.getMessage()]
        assert 1 <= len(lines) <= 2 + (time.monotonic() - began)
