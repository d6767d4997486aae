"""Producers and trainers find each other in any order, and send away whom they do not know."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import numpy as np
import psutil
import pytest
import zmq
from bare_trainer import BareTrainer, names_in
from children import PATIENCE_S, producers_elsewhere, wait_for, wait_for_producers
from images import rows_in, write_images

from feedline import ProducerPool
from feedline.common.wire.encoding import encode
from feedline.common.wire.protocol import VERSION, Heartbeat, Session, new_id

NUM_ROWS = 12
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders: `new` has rows 0, 1, 2 ..., `old` has later rows under the same names, `empty` has none."""
    folder = tmp_path_factory.mktemp("images")
    for name in ("old", "new", "empty"):
        (folder / name).mkdir()
    names = write_images(folder / "old", 2 * NUM_ROWS)
    for name, older in zip(names, names[NUM_ROWS:], strict=False):
        shutil.copy(folder / "old" / name, folder / "new" / name)
        (folder / "old" / older).replace(folder / "old" / name)
    return folder


@pytest.fixture
def address() -> Iterator[str]:
    """An endpoint that nobody listens on yet."""
    folder = tempfile.mkdtemp()
    yield f"ipc://{folder}/pool"
    shutil.rmtree(folder)


def producer(root: Path, *words: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Start ``python -m feedline.producer`` with one process."""
    return producers_elsewhere("-m", "feedline.producer", "--workers", "1", "--data-root", str(root), *words)


def trainer_of(pool: ProducerPool, root: Path, pattern: str = "*") -> BareTrainer:
    """A job of all images of a folder."""
    return BareTrainer(pool, root, names_in(root, pattern))


def assert_whole(trainer: BareTrainer, epoch: int = 0) -> None:
    """Take an epoch: every row once, and every image that of its label."""
    rows = []
    for step in range(trainer.num_steps):
        arrays = trainer.fetch_arrays(step, epoch)
        assert rows_in(arrays["x"]) == arrays["y"].tolist()
        rows += arrays["y"].tolist()
    assert rows == list(range(NUM_ROWS))


# --- who comes first ----------------------------------------------------------------------------


def test_a_producer_that_came_before_the_trainer_and_one_that_came_later_both_serve(
    images: Path, address: str
) -> None:
    with producer(images / "new", "--connect", address, "--name", "early") as early:
        wait_for("the early producer to try to connect", lambda: psutil.Process(early.pid).children())
        with ProducerPool(address) as pool:
            trainer = trainer_of(pool, images / "new")
            assert_whole(trainer)
            assert pool.producers == ["early/0"]
            with producer(images / "new", "--connect", address, "--name", "late"):
                wait_for_producers(pool, 2)
                early.terminate()
                assert early.wait(PATIENCE_S) == 0
                assert pool.producers == ["late/0"]
                assert_whole(trainer_of(pool, images / "new"))


def test_a_producer_says_at_once_what_is_missing_and_what_it_waits_for(tmp_path: Path, address: str) -> None:
    command = (sys.executable, "-m", "feedline.producer", "--workers", "2", "--insecure")
    where = ("--connect", "tcp://no-such-host.invalid:5555", "--connect", address)
    lines = []
    with subprocess.Popen(
        [*command, *where, "--data-root", str(tmp_path / "none")], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            while sum("waiting for a trainer at" in line for line in lines) < 2:
                lines.append(process.stderr.readline())
            with ProducerPool(address) as pool:
                wait_for_producers(pool, 2)
                while sum("connected to the trainer at" in line for line in lines) < 2:
                    lines.append(process.stderr.readline())
        finally:
            process.terminate()
            lines += process.stderr.readlines()
    text = "".join(lines)
    for part in (
        f"2 producers read under {tmp_path / 'none'}",
        "WARNING feedline.producer.serving.worker[",
        f"--data-root {tmp_path / 'none'} does not exist",
        "waiting for a trainer at tcp://no-such-host.invalid:5555: the host",
        "'no-such-host.invalid' is not known here",
        f"waiting for a trainer at {address}: nobody answers there yet",
    ):
        assert part in text
    assert text.count("does not exist") == 1
    assert "Traceback" not in text


def test_a_machine_that_was_suspended_has_lost_no_producer(images: Path, address: str) -> None:
    with producer(images / "new", "--connect", address), ProducerPool(address) as pool:
        trainer = trainer_of(pool, images / "new")
        assert_whole(trainer)
        hub = pool._thread
        before = set(hub.exchange._roster.connections)
        assert len(before) == 1

        def an_hour_later(_: float) -> None:
            hub._clock._read = lambda: time.monotonic() + 3600
            hub.exchange._review(hub._clock())

        pool._call(an_hour_later)
        assert set(hub.exchange._roster.connections) == before
        assert_whole(trainer, epoch=1)


def test_the_next_trainer_on_an_address_is_served_by_the_producers_of_the_last(
    images: Path, address: str
) -> None:
    with producer(images / "new", "--connect", address) as process:
        for _ in range(3):
            with ProducerPool(address) as pool:
                assert_whole(trainer_of(pool, images / "new"))
        assert process.poll() is None


def test_a_trainer_after_a_killed_one_never_sees_a_batch_of_the_old_run(
    images: Path, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with producer(images, "--connect", address, "--name", "same") as process:
        with old_trainer(address, images) as killed:
            assert killed.stdout is not None
            for _ in range(20):
                assert killed.stdout.readline()
            (child,) = psutil.Process(process.pid).children()
            killed.kill()
        with ProducerPool(address) as pool:
            trainer = trainer_of(pool, images, "new/*")
            for epoch in range(3):
                assert_whole(trainer, epoch)
    assert f"producer same/0 joined (process {child.pid} on" in caplog.text


def old_trainer(address: str, directory: Path) -> subprocess.Popen[bytes]:
    """Start a trainer that asks for batch after batch of the old images."""
    script = str(Path(__file__).with_name("bare_trainer.py"))
    return subprocess.Popen([sys.executable, script, address, directory, "old/*"], stdout=subprocess.PIPE)


def test_a_producer_ends_with_its_trainer_if_told_to(images: Path) -> None:
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        producer(images / "new", "--connect", pool.endpoint, "--exit-with-trainer") as process,
    ):
        assert_whole(trainer_of(pool, images / "new"))
        pool.close()
        assert process.wait(PATIENCE_S) == 0


# --- several of them ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order",
    [("empty", "new"), pytest.param(("new", "empty"), marks=pytest.mark.exhaustive)],
    ids=" first, then ".join,
)
def test_a_producer_with_an_empty_root_is_named_and_does_not_end_the_training(
    images: Path, order: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        trainer = trainer_of(pool, images / "new")
        for num, name in enumerate(order, 1):
            stack.enter_context(producer(images / name, "--connect", pool.endpoint, "--name", name))
            wait_for_producers(pool, num)
        # The one with the files may be the faster, and take whole epochs.
        for epoch in range(500):
            if "gets no more tickets" not in caplog.text:
                assert_whole(trainer, epoch)
    assert "producer empty/0 gets no more tickets" in caplog.text
    assert "producer new/0 gets no more tickets" not in caplog.text


def test_two_jobs_of_one_pool_do_not_wait_for_each_other(images: Path) -> None:
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        producer(images, "--connect", pool.endpoint),
    ):
        training, validation = trainer_of(pool, images, "new/*"), trainer_of(pool, images, "new/*")
        kept = []
        for step in range(training.num_steps):
            kept += [training.fetch_arrays(step), validation.fetch_arrays(step)]
        assert [a["y"].tolist() for a in kept[::2]] == [a["y"].tolist() for a in kept[1::2]]
        validation.close()
        assert_whole(training, epoch=1)


@pytest.mark.exhaustive
def test_a_producer_with_two_addresses_serves_two_trainers(images: Path, address: str) -> None:
    with (
        ProducerPool(address) as first,
        ProducerPool("tcp://127.0.0.1:*") as second,
        producer(images, "--connect", first.endpoint, "--connect", second.endpoint),
    ):
        trainers = [trainer_of(pool, images, "new/*") for pool in (first, second)]
        for trainer in trainers:
            assert_whole(trainer)
        first.close()
        assert_whole(trainer_of(second, images, "new/*"))
        with ProducerPool(address) as third:
            assert_whole(trainer_of(third, images, "new/*"))


# --- who is sent away ---------------------------------------------------------------------------


def altered(statement: str, endpoint: str, root: Path, *words: str) -> list[str]:
    """The command of producers of an installation that differs: each runs `statement` first."""
    run = f"""
import sys
from feedline.common.processes import children
from feedline.producer.__main__ import main
children._RUN = "\\n".join([{statement!r}, children._RUN])
sys.exit(main())
"""
    return ["-c", run, "--connect", endpoint, "--data-root", str(root), *words]


def refused(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a producer command until it ends by itself."""
    words = [sys.executable, *command, "--workers", "2"]
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_a_producer_of_another_version_is_refused_in_a_sentence_and_exits_non_zero(
    images: Path,
) -> None:
    newer = "import feedline.common.wire.protocol as protocol; protocol.VERSION = 99"
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        done = refused(altered(newer, pool.endpoint, images))
        assert pool.producers == []
    assert done.returncode == 1
    sentence = (
        f"refused: the trainer speaks version {VERSION} of the protocol, the producer 99:"
        " install the same version of feedline on both sides"
    )
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "strict", [True, pytest.param(False, marks=pytest.mark.exhaustive)], ids=["strict", "not strict"]
)
def test_other_libraries_are_refused_only_if_versions_are_strict(
    images: Path, strict: bool, caplog: pytest.LogCaptureFixture
) -> None:
    difference = f"has numpy 0.1 instead of {np.__version__}"
    with (
        ProducerPool("tcp://127.0.0.1:*", strict_versions=strict) as pool,
        producer(images, "--connect", pool.endpoint, "--name", "first"),
    ):
        wait_for_producers(pool, 1)
        odd = altered("import numpy; numpy.__version__ = '0.1'", pool.endpoint, images, "--name", "odd")
        if strict:
            done = refused(odd)
            assert done.returncode == 1
            assert difference in done.stderr
            assert pool.producers == ["first/0"]
        else:
            with producers_elsewhere(*odd, "--workers", "1"):
                wait_for_producers(pool, 2)
            assert caplog.text.count(difference) == 1


def test_a_strangers_garbage_changes_nothing(images: Path) -> None:
    with (
        ProducerPool("tcp://127.0.0.1:*", memory_budget=1 << 20) as pool,
        producer(images, "--connect", pool.endpoint),
    ):
        trainer = trainer_of(pool, images, "new/*")
        _, port = pool.endpoint.rsplit(":", 1)
        with socket.create_connection(("127.0.0.1", int(port))) as raw, zmq.Context() as context:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
            for frames in (
                [b""],
                [b"hello"],
                [os.urandom(1000)] * 40,
                [b"\xff" * (1 << 16)],
                encode(Session(new_id(), new_id()), Heartbeat((1, 2, 3))),
            ):
                stranger = context.socket(zmq.DEALER)
                stranger.connect(pool.endpoint)
                stranger.send_multipart(frames)
                assert stranger.poll(1000 * PATIENCE_S), "no answer"
                assert b"refuse" in stranger.recv()
                # Larger than whatever a stranger has to say: it hangs up.
                stranger.send(bytes(20 << 20))
                stranger.close(linger=0)
            assert_whole(trainer)
            assert_whole(trainer_of(pool, images, "new/*"))
            assert len(pool.producers) == 1
