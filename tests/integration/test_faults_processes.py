"""Processes that are killed, stopped or hang: every epoch is whole, and who waits is told where it hangs."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from bare_trainer import BareTrainer
from children import (
    faulty_producer,
    producer,
    producers_elsewhere,
    slot_states,
    wait_for,
    wait_for_producers,
)
from gates import gated
from images import write_images
from whole_epochs import rows_dataset, rows_sequence, take_whole_epochs

from feedline import ImageDataset, ProducerPool
from feedline.errors import StarvedError
from feedline.trainer.dispatch.slots import SlotState
from feedline.transforms import PythonTransform

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return rows_dataset(tmp_path_factory.mktemp("rows"))


def test_a_supervisor_that_is_killed_takes_its_producers_along_and_others_go_on(data: ImageDataset) -> None:
    """In the midst of an epoch, with leases in their hands."""
    root = data.directory or ""
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "good")))
        killed = stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "killed", workers=2)))
        wait_for_producers(pool, 3)
        children = psutil.Process(killed.pid).children()
        with rows_sequence(data, pool) as sequence:
            first = next(iter(sequence))
            assert len(first) == 2
            killed.kill()
            take_whole_epochs(sequence, 2)
        wait_for("its producers to end", lambda: not any(child.is_running() for child in children))
        assert pool.producers == ["good/0"]


@pytest.mark.exhaustive
def test_one_that_is_stopped_for_longer_than_its_lease_answers_too_late_and_spoils_nothing(
    data: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tickets in hand and memory that it shares, again and again; it comes back as somebody else."""
    monkeypatch.setattr("feedline.trainer.dispatch.dispatcher.LOST_AFTER_S", 2.5)
    root = data.directory or ""
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "good")))
        stopped = stack.enter_context(
            producers_elsewhere(*faulty_producer(pool.endpoint, root, "none", flags=tmp_path))
        )
        wait_for_producers(pool, 2)
        with rows_sequence(data, pool) as sequence:
            take_whole_epochs(sequence)
            wait_for("work in its hands", lambda: slot_states(pool)[SlotState.LEASED] > 0 or sequence[0])
            stopped.send_signal(signal.SIGSTOP)
            take_whole_epochs(sequence)
            wait_for("it to be given up", lambda: pool.producers == ["good/0"])
            take_whole_epochs(sequence)
            stopped.send_signal(signal.SIGCONT)
            wait_for_producers(pool, 2)
            take_whole_epochs(sequence, 2)
        assert sorted(pool.producers) == ["good/0", "none"]


@pytest.mark.exhaustive
def test_one_that_hangs_in_a_function_of_a_user_is_told_with_function_line_and_file(tmp_path: Path) -> None:
    names = write_images(tmp_path, 2)
    os.mkfifo(tmp_path / "gate-0")
    allowed = ("--allow", "gates", "--import-path", str(HERE))
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        producers_elsewhere(*producer(pool.endpoint, tmp_path, "hung"), *allowed),
    ):
        wait_for_producers(pool, 1)
        trainer = BareTrainer(pool, tmp_path, names, transforms=(gated(tmp_path),))
        with pytest.raises(StarvedError) as caught:
            trainer.fetch(0, timeout_s=4)
        end = os.open(tmp_path / "gate-0", os.O_WRONLY)
        (tmp_path / "gate-0").unlink()
        os.close(end)
    for part in ("batch 0 of epoch 0", "producer hung/0", "0000.png for", "in gates:wait_at_gate, line "):
        assert part in str(caught.value)


def test_one_that_hangs_in_a_decoder_is_told_with_the_file_and_the_others_end_the_epoch(
    data: ImageDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = data.directory or ""
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        stack.enter_context(
            producers_elsewhere(*faulty_producer(pool.endpoint, root, "hangs-in-decoder", flags=tmp_path))
        )
        wait_for_producers(pool, 1)
        names = [f"{row:04}.jpg" for row in range(4)]
        with pytest.raises(StarvedError, match=r"hangs-in-decoder \(decoding 0001\.jpg for \d+ s\)"):
            BareTrainer(pool, Path(root), names).fetch(0, timeout_s=4)
        caplog.clear()
        stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "good")))
        wait_for_producers(pool, 2)
        with rows_sequence(data, pool) as sequence:
            take_whole_epochs(sequence)
        (tmp_path / "go").touch()


def test_one_that_is_ten_times_slower_serves_as_well_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much it costs is measured in virtual time: tests/unit/trainer/dispatch/test_stragglers.py."""
    data = rows_dataset(tmp_path)
    allowed = ("--allow", "slow_transform", "--import-path", str(HERE))
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        for name, seconds in (("slow", 0.02), ("fast", 0.002), ("other", 0.002)):
            monkeypatch.setenv("SLOW_SAMPLE_S", str(seconds))
            stack.enter_context(producers_elsewhere(*producer(pool.endpoint, tmp_path, name), *allowed))
        wait_for_producers(pool, 3)
        transforms = [PythonTransform("slow_transform:slow")]
        with rows_sequence(data, pool, transforms=transforms, max_queue_size=2) as sequence:
            take_whole_epochs(sequence, 4)
        built = {one.name: one.num_batches for one in pool.stats().producers}
        assert built["slow/0"] < built["fast/0"]
