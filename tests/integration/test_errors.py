"""Everything that goes wrong ends in time, with a text that is enough to act on."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from bare_trainer import BareTrainer
from children import connected, pool_of, producers_elsewhere, wait_for, wait_for_producers
from images import SIZE, write_images

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.common.processes import children
from feedline.common.processes.children import usable_cores
from feedline.errors import BatchError, ClosedError, FeedlineError, ProducerCrashError, StarvedError
from feedline.trainer.dispatch.answers import NO_GRACE
from feedline.trainer.pool.embedded import EmbeddedProducers

PRODUCER = ("-m", "feedline.producer", "--workers", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some images, and what only looks like some."""
    folder = tmp_path_factory.mktemp("mixed")
    write_images(folder, 4)
    (name,) = write_images(folder, 1, "jpg", size=(240, 320))
    whole = (folder / name).read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("this is no image")
    (folder / "empty.jpg").touch()
    (folder / "folder.jpg").mkdir()
    return folder


@pytest.fixture
def pipe(folder: Path) -> Iterator[str]:
    """What is named like an image and would be waited for by whoever opens it."""
    os.mkfifo(folder / "pipe.png")
    yield "pipe.png"
    (folder / "pipe.png").unlink()


@pytest.fixture(scope="module")
def pool() -> Iterator[ProducerPool]:
    """One embedded producer for all tests that break nothing but a batch."""
    with ProducerPool(workers=1) as pool:
        wait_for_producers(pool, 1)
        yield pool


# --- nobody there -------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:*", "tcp://[::1]:*"])
def test_without_any_producer_the_error_names_the_endpoint_and_the_command(
    folder: Path, address: str
) -> None:
    data = ImageDataset.from_lists(["0000.png"], directory=folder)
    with (
        ProducerPool(address) as pool,
        BatchSequence(data, image_size=SIZE, pool=pool, timeout_s=1) as sequence,
        pytest.raises(StarvedError) as caught,
    ):
        sequence[0]
    assert "*" not in pool.endpoint
    for part in (
        "batch 0 of epoch 0",
        "no producer is connected",
        f"feedline-producer --connect {pool.endpoint} --data-root",
    ):
        assert part in str(caught.value)


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason", "says_all"),
    [
        ("nowhere.png", "not found", True),
        ("cut.jpg", "is cut off", False),
        ("text.jpg", "is not an image", False),
        ("empty.jpg", "0 bytes", True),
        ("folder.jpg", "directory", False),
        ("0000.png/0001.png", "not found", True),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line_and_the_log_has_a_traceback_that_says_more(
    folder: Path,
    pool: ProducerPool,
    name: str,
    reason: str,
    says_all: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "feedline")
    data = ImageDataset.from_lists(["0000.png", name], directory=folder)
    with (
        BatchSequence(data, image_size=SIZE, shuffle=False, pool=pool) as sequence,
        pytest.raises(BatchError) as caught,
    ):
        sequence[0]
    for part in ("batch 0 of epoch 0", str(folder / name), reason, "embedded/1"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ("Traceback" in caplog.text) is not says_all
    caplog.clear()


def test_a_pipe_that_is_named_like_an_image_is_an_error_at_once(
    folder: Path, pool: ProducerPool, pipe: str
) -> None:
    for further in ({}, {"masks": [pipe]}, {"inputs": [[pipe]]}):
        data = ImageDataset.from_lists(["0000.png" if further else pipe], directory=folder, **further)
        with (
            BatchSequence(data, image_size=SIZE, pool=pool) as sequence,
            pytest.raises(BatchError, match=r"pipe\.png: cannot be read: it is a pipe, not a file"),
        ):
            sequence[0]


def test_a_repaired_file_gets_a_new_chance(tmp_path: Path, pool: ProducerPool) -> None:
    data = ImageDataset.from_lists(["0000.png", "0001.png"], [0, 1], directory=tmp_path)
    with BatchSequence(data, batch_size=1, image_size=SIZE, shuffle=False, pool=pool) as sequence:
        with pytest.raises(BatchError, match="not found"):
            sequence[0]
        write_images(tmp_path, 1)
        _, y = sequence[0]
    assert y.tolist() == [0]


def test_other_batches_come_in_spite_of_a_broken_one(folder: Path, pool: ProducerPool) -> None:
    names = ["0000.png", "cut.jpg", "0002.png"]
    data = ImageDataset.from_lists(names, [0, 1, 2], directory=folder)
    with BatchSequence(data, batch_size=1, image_size=SIZE, shuffle=False, pool=pool) as sequence:
        assert sequence[0][1].tolist() == [0]
        with pytest.raises(BatchError, match=r"cut\.jpg"):
            sequence[1]
        assert sequence[2][1].tolist() == [2]


def test_in_fit_the_text_alone_names_file_reason_and_producer(folder: Path, pool: ProducerPool) -> None:
    """Keras and TensorFlow make an error of their own of it."""
    names = [*(f"{row:04}.png" for row in range(4)), "cut.jpg"]
    data = ImageDataset.from_lists(names, range(5), directory=folder)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with BatchSequence(data, batch_size=1, image_size=SIZE, shuffle=False, pool=pool) as sequence:
        with pytest.raises(Exception, match=r"cut\.jpg") as caught:
            model.fit(sequence, shuffle=False, verbose=0)
        assert isinstance(sequence.failure, BatchError)
    for part in (str(folder / "cut.jpg"), "embedded/1", "is cut off"):
        assert part in str(caught.value)


def test_producers_elsewhere_read_nothing_outside_their_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedline.trainer.pool.hub.GRACE", NO_GRACE)
    # A trainer that does not look for itself what it asks for.
    monkeypatch.setattr("bare_trainer.ticket_paths", lambda names, *_, **__: names)
    (tmp_path / "root").mkdir()
    write_images(tmp_path, 2)
    (tmp_path / "root/link.png").symlink_to("../0000.png")
    names = ["../0000.png", "link.png", "../root/../0001.png", str(tmp_path / "0000.png"), "/etc/passwd"]
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        producers_elsewhere(*PRODUCER, "--connect", pool.endpoint, "--data-root", str(tmp_path / "root")),
    ):
        wait_for_producers(pool, 1)
        trainer = BareTrainer(pool, tmp_path, names, batch_size=1)
        for step, name in enumerate(names):
            with pytest.raises(BatchError, match="leads out of the data roots") as caught:
                trainer.fetch(step)
            assert name in str(caught.value)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_file_of_more_bytes_than_the_operator_allows_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    monkeypatch.setattr("feedline.trainer.pool.hub.GRACE", NO_GRACE)
    option = ["--max-file-bytes", "70"] if elsewhere else []
    if not elsewhere:
        monkeypatch.setenv("FEEDLINE_MAX_FILE_BYTES", "70")
    with ExitStack() as started:
        pool = started.enter_context(ProducerPool("tcp://127.0.0.1:*") if elsewhere else pool_of(1))
        if elsewhere:
            command = [*PRODUCER, "--connect", pool.endpoint, "--data-root", str(folder), *option]
            started.enter_context(producers_elsewhere(*command, "--workers", "1"))
            wait_for_producers(pool, 1)
        with pytest.raises(BatchError, match=r"no file of more than 70 is read here: .* --max-file-bytes"):
            BareTrainer(pool, folder, ["0000.png"], batch_size=1).fetch(0)


@pytest.mark.exhaustive
def test_the_first_batch_waits_for_a_producer_that_has_its_files(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One with the wrong folder is there first; the right one comes when the log says what is missing."""
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as started, ThreadPoolExecutor(1) as waiting:
        started.enter_context(
            producers_elsewhere(*PRODUCER, "--connect", pool.endpoint, "--data-root", str(tmp_path))
        )
        wait_for_producers(pool, 1)
        trainer = BareTrainer(pool, folder, ["0000.png", "0001.png"])
        batch = waiting.submit(trainer.fetch, 0)
        wait_for("the log line", lambda: "One that can is waited for" in caplog.text)
        assert "0000.png: not found under the data roots" in caplog.text
        started.enter_context(
            producers_elsewhere(*PRODUCER, "--connect", pool.endpoint, "--data-root", str(folder))
        )
        assert batch.result() == [0, 1]


# --- producers that die -------------------------------------------------------------------------


def test_producers_that_die_at_once_become_an_error_with_their_last_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = "import os, sys; sys.stderr.write('no space left on device\\n'); sys.stderr.flush(); os._exit(3)"
    with monkeypatch.context() as patch:
        patch.setattr(children, "_RUN", dying)
        pool = ProducerPool(workers=2)
        with pool:
            trainer = BareTrainer(pool, folder, ["0000.png"])
            for _ in range(2):
                with pytest.raises(ProducerCrashError, match="no space left on device") as caught:
                    trainer.fetch(0)
                assert "status 3" in str(caught.value)
            patch.undo()
            pool.resize(1)
            assert trainer.fetch(0) == [0]


def test_producers_that_cannot_even_be_started_become_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any, **__: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr("feedline.trainer.pool.embedded.start_producer", no_memory)
        with ProducerPool(workers=2) as pool:
            trainer = BareTrainer(pool, folder, ["0000.png"])
            with pytest.raises(ProducerCrashError, match="Resource temporarily unavailable"):
                trainer.fetch(0)


@pytest.mark.exhaustive
def test_producers_that_are_there_go_on_where_more_cannot_be_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_memory(*_: Any, **__: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with ProducerPool(workers=1) as pool:
        trainer = BareTrainer(pool, folder, ["0000.png"])
        assert trainer.fetch(0) == [0]
        with monkeypatch.context() as patch:
            patch.setattr("feedline.trainer.pool.embedded.start_producer", no_memory)
            pool.resize(2)
            failed = "no embedded producer could be started"
            wait_for("as many failures as are hopeless", lambda: caplog.text.count(failed) > 5)
            assert trainer.fetch(0, epoch=1) == [0]
        wait_for_producers(pool, 2)


def test_a_batch_that_kills_every_producer_fails_after_four_and_names_its_samples(
    tmp_path: Path,
) -> None:
    write_images(tmp_path, 2)
    large = np.random.default_rng(1).integers(0, 256, (5000, 5000, 3), np.uint8)
    # Seconds to decode, so that a producer is still at it when it is killed.
    assert cv2.imwrite(str(tmp_path / "large.png"), large, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    with ProducerPool(workers=1) as pool:
        wait_for_producers(pool, 1)
        trainer = BareTrainer(pool, tmp_path, ["large.png", "0000.png", "0001.png"], batch_size=2)
        killed = threading.Thread(target=kill_as_they_come, args=(pool, 4))
        killed.start()
        with pytest.raises(BatchError) as caught:
            trainer.fetch(0)
        killed.join()
        for part in ("4 producers died", "large.png", "0000.png", "status -9"):
            assert part in str(caught.value)
        assert trainer.fetch(1) == [2]


def test_sequences_that_come_after_a_failure_of_the_shared_pool_get_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = ImageDataset.from_lists(["0000.png"], directory=folder)
    with BatchSequence(data, workers=1) as broken:
        with monkeypatch.context() as patch:
            patch.setattr(broken.pool._thread.exchange, "tick", lambda *_, **__: 1 / 0)
            with pytest.raises(FeedlineError, match="ZeroDivisionError"):
                _ = broken[0]
        caplog.clear()  # its traceback keeps the pool
        with BatchSequence(data, workers=1) as other:
            assert len(other[0]) == 1
        with suppress(FeedlineError):
            broken.pool.close()


def kill_as_they_come(pool: ProducerPool, times: int) -> None:
    """Kill every embedded producer as soon as it is connected: it has its tickets by then."""
    for _ in range(times):
        wait_for("a producer", lambda: bool(connected(pool)))
        victims = connected(pool)
        for victim in victims.values():
            victim.kill()
        wait_for("the victims to be missed", lambda v=victims: not set(v) & set(pool.producers))


def test_a_producer_that_is_lost_is_told_of_without_any_configuration(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As it costs time, and is no error: at the level that Python shows by itself."""
    with ProducerPool(workers=1) as pool:
        wait_for_producers(pool, 1)
        caplog.clear()
        (victim,) = connected(pool).values()
        victim.kill()
        wait_for("the next one", lambda: pool.producers == ["embedded/2"])
        assert BareTrainer(pool, folder, ["0000.png"]).fetch(0) == [0]
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("was ended by SIGKILL (status -9)" in text for text in told)
    assert any(text.startswith("producer embedded/1 left: process") for text in told)


def test_a_pool_whose_thread_is_busy_says_so_and_not_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        trainer = BareTrainer(pool, folder, ["0000.png"])
        with monkeypatch.context() as patch:
            patch.setattr("feedline.trainer.pool.producer_pool.SAFETY_S", 0.0)
            pool._thread.post(lambda _: goes_on.wait(60))
            with pytest.raises(StarvedError, match=r"for 0 s, and the pool's thread is at something else"):
                _ = pool.producers
            with pytest.raises(StarvedError, match=r"batch 0 of epoch 0 was waited for .* something else"):
                trainer.fetch(0, timeout_s=0.1)
            goes_on.set()
        assert pool.producers == []


def test_a_thousand_producers_are_started_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, none of them would say hello in time, and whoever asked for them would wait for all."""
    at_a_time = []
    start = EmbeddedProducers._start

    def counted(self: EmbeddedProducers) -> object:
        at_a_time.append(sum(not child.welcomed for child in self.children))
        return start(self)

    monkeypatch.setattr(EmbeddedProducers, "_start", counted)
    with ProducerPool(workers=1000) as pool:
        wait_for("some of them", lambda: len(pool.producers) > 2)
        pool.resize(2)
        wait_for_producers(pool, 2)
    assert max(at_a_time) < 2 * usable_cores() + 8


def test_a_queue_of_thousands_of_batches_is_served(folder: Path) -> None:
    data = ImageDataset.from_lists(["0000.png"] * 300, directory=folder)
    with BatchSequence(
        data, batch_size=1, image_size=(8, 8), workers=1, max_queue_size=10_000, timeout_s=60
    ) as sequence:
        assert sum(len(batch) for batch in sequence) == 300


def test_a_failure_of_the_pool_itself_ends_all_waits_at_once_and_for_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        trainer = BareTrainer(pool, folder, ["0000.png"])
        with monkeypatch.context() as patch:
            patch.setattr(pool._thread.exchange, "tick", lambda *_, **__: 1 / 0)
            with pytest.raises(FeedlineError, match="the pool's thread failed: ZeroDivisionError"):
                trainer.fetch(0)
        assert "the pool's thread failed" in caplog.text
        caplog.clear()  # its traceback keeps the pool
        for use in (lambda: trainer.fetch(0), lambda: pool.producers, trainer.close):
            with pytest.raises(FeedlineError, match="ZeroDivisionError"):
                use()
    with pytest.raises(ClosedError):
        trainer.fetch(0)
