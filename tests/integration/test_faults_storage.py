"""Memory and disks that are full, caches that are damaged, folders that are gone for a while."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from children import pool_of, producer, producers_elsewhere, wait_for, wait_for_producers
from whole_epochs import rows_dataset, rows_sequence, take_whole_epochs

from feedline import ImageDataset, ProducerPool
from feedline.producer.cache.file import SLOTS_START

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return rows_dataset(tmp_path_factory.mktemp("rows"))


@contextmanager
def small_disk(folder: Path, num_bytes: int) -> Iterator[Path]:
    """A file system in memory that holds so much."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={num_bytes}", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(folder: Path) -> None:
    """Leave no byte."""
    with (folder / "full").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            return


@needs_root
@pytest.mark.parametrize("num_bytes", [100_000, 1_500_000])
def test_shared_memory_that_is_too_small_or_fills_up_in_the_midst_makes_whole_epochs(
    data: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_bytes: int
) -> None:
    """A slot has memory before it is written to: a full folder is an error, and no signal that kills."""
    with small_disk(tmp_path / "shm", num_bytes) as folder:
        monkeypatch.setenv("FEEDLINE_SHM", str(folder))
        with pool_of(2) as pool, rows_sequence(data, pool) as sequence:
            take_whole_epochs(sequence)
            fill_up(folder)
            take_whole_epochs(sequence, 2)
            (folder / "full").unlink()
            take_whole_epochs(sequence)
            assert sorted(pool.producers) == ["embedded/1", "embedded/2"], "nobody died of it"


@needs_root
def test_a_disk_that_fills_up_while_a_cache_is_written_makes_whole_epochs(
    data: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", 4_000_000) as folder:
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
        with (
            pool_of(2) as pool,
            rows_sequence(data, pool, cache="disk", cache_bytes=1 << 30) as sequence,
        ):
            take_whole_epochs(sequence, 2)
            fill_up(folder)
            take_whole_epochs(sequence)
            assert sorted(pool.producers) == ["embedded/1", "embedded/2"], "nobody died of it"


def cache_file(home: Path) -> Path:
    """The one that there is."""
    (found,) = (path for path in home.rglob("*") if path.is_file() and path.stat().st_size > 1 << 20)
    return found


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_a_cache_that_was_damaged_between_two_runs_spoils_no_pixel(
    data: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for nth in range(2):
        with pool_of(1) as pool, rows_sequence(data, pool, cache="disk") as sequence:
            take_whole_epochs(sequence, 2)
            decoded_us = pool.stats().producers[0].stages.decode_us
            assert decoded_us > 0, "what was damaged is decoded anew"
        if nth == 0:
            file = cache_file(tmp_path)
            if damage == "cut off":
                os.truncate(file, SLOTS_START + 10_000)
            else:
                with file.open("r+b") as stream:
                    stream.seek(SLOTS_START)
                    stream.write(bytes(range(256)) * 4000)


def test_a_cache_that_is_cut_off_while_it_is_read_kills_no_training(
    data: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading beyond its end is a signal that ends a producer; the next one begins the file anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pool_of(2) as pool, rows_sequence(data, pool, cache="disk") as sequence:
        take_whole_epochs(sequence)
        file = cache_file(tmp_path)
        os.truncate(file, file.stat().st_size - 8_000_000)
        take_whole_epochs(sequence, 2)
        assert sequence.stats.num_samples == 3 * len(sequence.labels)


@pytest.mark.exhaustive
def test_a_data_folder_that_is_gone_and_back_is_waited_for(tmp_path: Path) -> None:
    """While another producer with the files is waited for, those that are there try again."""
    folder, away = tmp_path / "images", tmp_path / "away"
    folder.mkdir()
    data = rows_dataset(folder)
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        producers_elsewhere(*producer(pool.endpoint, tmp_path / "images", "one", workers=2)),
        ThreadPoolExecutor(1) as consumer,
    ):
        wait_for_producers(pool, 2)
        with rows_sequence(data, pool) as sequence:
            take_whole_epochs(sequence)
            folder.rename(away)
            batches = sequence.stats.num_batches
            waiting = consumer.submit(take_whole_epochs, sequence, 2)
            until = time.monotonic() + 3
            wait_for("what lay ready to be used up", lambda: time.monotonic() > until)
            assert sequence.stats.num_batches < batches + 2 * len(sequence), "that was no test"
            away.rename(folder)
            waiting.result()
