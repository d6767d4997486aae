"""Whoever else writes, dies, fills the disk or damages the file: no sample is ever half there."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from caches import IMAGE, NUM_ROWS, PLENTY, STRIDE, cache_in, child, held, keep, only_file_in, pixels_of

from feedline.common.job.caching import CacheKind, CacheSpec
from feedline.common.memory.arena import CACHE_PREFIX
from feedline.common.memory.sweeping import sweep
from feedline.producer.cache import file as cache_file
from feedline.producer.cache import store
from feedline.producer.cache.file import HEADER_BYTES, RECORD, SLOTS_START
from feedline.producer.cache.folder import CacheSettings
from feedline.producer.cache.store import SampleCache


def test_two_processes_that_fill_the_same_samples_at_once_fill_each_once(
    folder: Path, sources: list[Path]
) -> None:
    fill = """
cache = t.cache_in(folder)
for row in range(t.NUM_ROWS):
    t.keep(cache, sources, row)
    assert cache.recall(row, sources[row].stat()) is not None
assert t.held(cache, sources) == list(range(t.NUM_ROWS))
"""
    children = [child(fill, folder, sources) for _ in range(3)]
    assert [process.wait() for process in children] == [0, 0, 0]
    cache = cache_in(folder)
    assert len(cache) == NUM_ROWS
    assert held(cache, sources) == list(range(NUM_ROWS))


@pytest.mark.parametrize("moment", ["before the pixels", "amid the pixels", "after the pixels", "after all"])
def test_a_writer_killed_at_any_moment_leaves_whole_samples_and_no_lock(
    moment: str, folder: Path, sources: list[Path]
) -> None:
    die = f"""
cache = t.cache_in(folder)
t.keep(cache, sources, 0, 1)
whole = cache_file._write_all

def deadly(fd, data, offset):
    is_record = offset < cache_file.SLOTS_START
    if {moment!r} == "before the pixels" or ({moment!r} == "after the pixels" and is_record):
        os.kill(os.getpid(), signal.SIGKILL)
    if {moment!r} == "amid the pixels":
        whole(fd, data[:1000], offset)
        os.kill(os.getpid(), signal.SIGKILL)
    whole(fd, data, offset)
    if is_record:
        os.kill(os.getpid(), signal.SIGKILL)

cache_file._write_all = deadly
t.keep(cache, sources, 2)
"""
    survivor = cache_in(folder)
    victim = child(die, folder, sources)
    assert victim.wait() == -signal.SIGKILL
    expected = [0, 1, 2] if moment == "after all" else [0, 1]
    assert held(survivor, sources) == expected
    keep(survivor, sources, 3, 2)
    assert held(survivor, sources) == [0, 1, 2, 3]
    assert held(cache_in(folder), sources) == [0, 1, 2, 3]


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for some 16 samples."""
    where = tmp_path / "small"
    where.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={20 * STRIDE}", "tmpfs", where],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield where
    subprocess.run(["umount", "--lazy", where], check=True)


def test_a_full_file_system_is_one_warning_and_never_a_signal(
    small_tmpfs: Path, sources: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    cache = cache_in(small_tmpfs)
    keep(cache, sources, *range(NUM_ROWS))
    rows = held(cache, sources)
    assert rows == list(range(len(rows)))
    assert 10 < len(rows) < 20
    assert [r.levelname for r in caplog.records if "there is no room for more" in r.message] == ["WARNING"]
    cache.close()


def test_a_write_that_fails_halfway_leaves_no_record(
    folder: Path, sources: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_in(folder)
    keep(cache, sources, 0)

    def full(fd: int, data: memoryview, offset: int) -> int:
        if offset >= SLOTS_START + STRIDE + 1000:
            raise OSError(28, "No space left on device")
        return real(fd, data[:1000], offset)

    real = os.pwrite
    monkeypatch.setattr(cache_file.os, "pwrite", full)
    keep(cache, sources, 1)
    monkeypatch.undo()
    assert held(cache_in(folder), sources) == [0]


@pytest.mark.parametrize("damage", ["magic", "cut off", "empty", "torn record"])
def test_a_damaged_file_is_begun_anew_while_those_who_read_the_old_one_go_on(
    damage: str, folder: Path, sources: list[Path]
) -> None:
    reader = cache_in(folder)
    keep(reader, sources, 0, 1)
    file = only_file_in(folder)
    if damage in {"cut off", "empty"}:
        reader.close()
    with file.open("r+b") as stream:
        match damage:
            case "magic":
                stream.write(b"something else")
            case "cut off":
                stream.truncate(SLOTS_START + STRIDE)
            case "empty":
                stream.truncate(0)
            case _:
                stream.seek(HEADER_BYTES + RECORD.itemsize)
                stream.write(b"\xff\xff")
    cache = cache_in(folder)
    assert held(cache, sources) == []
    keep(cache, sources, *range(5))
    assert held(cache, sources) == [0, 1, 2, 3, 4]
    if damage in {"magic", "torn record"}:
        assert held(reader, sources) == [0, 1]


@pytest.mark.parametrize("num_boots", [0, 1])
def test_pixels_that_were_there_before_are_compared_with_their_check_sum(
    folder: Path, sources: list[Path], monkeypatch: pytest.MonkeyPatch, num_boots: int
) -> None:
    cache = cache_in(folder)
    keep(cache, sources, 0, 1)
    with only_file_in(folder).open("r+b") as stream:  # what a loss of power may do
        stream.seek(SLOTS_START)
        stream.write(bytes(4096))
    boot = store._boot_number() ^ num_boots
    monkeypatch.setattr(store, "_boot_number", lambda: boot)
    later = cache_in(folder)
    assert held(later, sources) == [1]
    keep(later, sources, 0)
    assert held(later, sources) == [0, 1]
    assert held(cache_in(folder), sources) == [0, 1]


def test_a_cache_in_memory_goes_with_its_last_user(
    tmp_path: Path, sources: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    spec = CacheSpec(CacheKind.MEMORY, PLENTY, NUM_ROWS)
    one, other = (SampleCache(spec, IMAGE, CacheSettings()) for _ in range(2))
    keep(one, sources, 0)
    view = one.find(0, str(sources[0]), sources[0].stat())
    one.close()
    assert held(other, sources) == [0]
    sweep()
    assert only_file_in(tmp_path).exists()
    other.close()
    assert not list(tmp_path.glob(f"{CACHE_PREFIX}*"))
    assert view is not None
    assert np.array_equal(view.pixels, pixels_of(0))


def test_what_killed_producers_leave_in_memory_is_swept_and_what_lies_on_disk_is_not(
    tmp_path: Path, sources: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    cache_in(tmp_path).close()
    die = """
from feedline.common.job.caching import CacheSpec
cache = t.SampleCache(CacheSpec("memory", t.PLENTY, t.NUM_ROWS), t.IMAGE, t.CacheSettings())
t.keep(cache, sources, 0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    victim = child(die, tmp_path, sources)
    victim.wait()
    assert len(list(tmp_path.glob(f"{CACHE_PREFIX}*"))) == 2
    sweep()
    assert held(cache_in(tmp_path), sources) == []
    assert only_file_in(tmp_path).name.count("-") == 2


def test_of_two_that_find_a_file_damaged_none_removes_what_the_other_has_begun(
    folder: Path, sources: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(cache_in(folder), sources, 0)
    only_file_in(folder).write_bytes(b"damaged")
    others: list[SampleCache] = []

    def another_looks(_: str) -> None:
        monkeypatch.undo()
        with monkeypatch.context() as patch, suppress(BlockingIOError):
            patch.setattr(fcntl, "F_OFD_SETLKW", fcntl.F_OFD_SETLK)  # it would wait for us, and we for it
            others.append(cache_in(folder))

    monkeypatch.setattr(cache_file.logger, "warning", another_looks)
    keep(cache_in(folder), sources, 1)
    for cache in (*others, cache_in(folder)):
        assert held(cache, sources) == [1]
