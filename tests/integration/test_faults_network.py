"""Links that are cut, go silent one way, or are bad: every epoch is whole all the same."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from children import PATIENCE_S, faulty_producer, producer, producers_elsewhere, wait_for, wait_for_producers
from tcp_proxy import TcpProxy
from whole_epochs import rows_dataset, rows_sequence, take_whole_epochs

from feedline import BatchSequence, ImageDataset, ProducerPool

HERE = Path(__file__).parent
NUM_CUTS = 3
"""At least so often both producers lose their connection."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return rows_dataset(tmp_path_factory.mktemp("rows"))


@contextmanager
def linked(data: ImageDataset, num: int = 2) -> Iterator[tuple[BatchSequence, TcpProxy]]:
    """A sequence whose producers are behind a link, and the link."""
    with (
        ProducerPool("tcp://127.0.0.1:*", transport="frames") as pool,
        TcpProxy(pool.endpoint) as proxy,
        producers_elsewhere(*producer(proxy.endpoint, data.directory or "", "far", workers=num)),
        rows_sequence(data, pool) as sequence,
    ):
        wait_for_producers(pool, num)
        yield sequence, proxy


@pytest.mark.exhaustive
def test_a_link_that_is_cut_again_and_again_loses_nothing(data: ImageDataset) -> None:
    with linked(data) as (sequence, proxy):
        over, rng = threading.Event(), random.Random(1)

        def cut_now_and_then() -> None:
            while not over.wait(rng.uniform(0.05, 0.4)):
                proxy.cut()

        cutting = threading.Thread(target=cut_now_and_then)
        cutting.start()
        try:
            while proxy.num_connections < 2 + 2 * NUM_CUTS:
                take_whole_epochs(sequence)
        finally:
            over.set()
            cutting.join()
        take_whole_epochs(sequence)
        assert proxy.num_connections >= 2 + 2 * NUM_CUTS


def test_a_network_that_is_down_for_a_while_and_heals_loses_nothing(data: ImageDataset) -> None:
    with linked(data) as (sequence, proxy):
        take_whole_epochs(sequence)
        proxy.accepts = False
        proxy.cut()
        wait_for("the producers to be missed", lambda: not sequence.pool.producers)
        proxy.accepts = True
        take_whole_epochs(sequence, 2)
        assert sequence.pool.producers


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", ["to_trainer", "to_producer", "both"])
def test_a_link_that_goes_silent_without_being_cut_is_found_out_and_healed(
    data: ImageDataset, way: str
) -> None:
    """Nobody is told: only heartbeats that do not come say so, after 10 s."""
    with (
        linked(data) as (sequence, proxy),
        producers_elsewhere(*producer(sequence.pool.endpoint, data.directory or "", "near")),
    ):
        wait_for_producers(sequence.pool, 3)
        ways = [proxy.to_trainer, proxy.to_producer] if way == "both" else [getattr(proxy, way)]
        for one in ways:
            one.is_open = False
        take_whole_epochs(sequence)
        wait_for("the far ones to be missed", lambda: sequence.pool.producers == ["near/0"])
        take_whole_epochs(sequence)
        for one in ways:
            one.is_open = True
        wait_for_producers(sequence.pool, 3)
        take_whole_epochs(sequence, 2)
        assert "near/0" in sequence.pool.producers


@pytest.mark.exhaustive
def test_a_slow_jittery_link_with_interruptions_makes_whole_epochs(data: ImageDataset) -> None:
    """Some 4 MB/s each way, 5 to 25 ms a chunk, and a cut every few seconds."""
    with linked(data, num=3) as (sequence, proxy):
        for way in (proxy.to_trainer, proxy.to_producer):
            way.delay_s, way.jitter_s, way.bytes_per_s = 0.005, 0.02, 4e6
        over = threading.Event()

        def cut_now_and_then() -> None:
            while not over.wait(4):
                proxy.cut()

        cutting = threading.Thread(target=cut_now_and_then)
        cutting.start()
        try:
            take_whole_epochs(sequence, 2)
        finally:
            over.set()
            cutting.join()
        assert sequence.stats.num_samples == 2 * len(sequence.labels)


def test_answers_that_come_twice_and_in_another_order_are_told_apart(
    data: ImageDataset, tmp_path: Path
) -> None:
    root = data.directory or ""
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        for fault in ("answers-twice", "answers-out-of-order"):
            stack.enter_context(
                producers_elsewhere(*faulty_producer(pool.endpoint, root, fault, flags=tmp_path))
            )
        wait_for_producers(pool, 2)
        with rows_sequence(data, pool) as sequence:
            take_whole_epochs(sequence, 3)
            assert sequence.stats.num_samples == 3 * len(sequence.labels)


def test_a_trainer_that_was_killed_and_starts_on_the_same_address_gets_whole_epochs_of_the_old_producers(
    data: ImageDataset,
) -> None:
    """Those are in the midst of the old one's batches, and connected all the time."""
    root = data.directory or ""
    with ProducerPool("tcp://127.0.0.1:*") as pool:
        endpoint = pool.endpoint
    command = [sys.executable, str(HERE / "bare_trainer.py"), endpoint, root, "*.jpg"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as old:
        assert old.stdout is not None
        with producers_elsewhere(*producer(endpoint, root, "old", workers=2)):
            for _ in range(10):
                assert old.stdout.readline()
            old.send_signal(signal.SIGKILL)
            old.wait(PATIENCE_S)
            with ProducerPool(endpoint) as pool, rows_sequence(data, pool) as sequence:
                take_whole_epochs(sequence, 2)
