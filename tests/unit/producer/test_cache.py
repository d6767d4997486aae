"""What the cache gives back is what was put in, whoever else uses it, dies in it or fills its disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import common
from common.arena import CACHE_PREFIX, sweep
from common.caching import CacheKind, CacheSpec
from common.image import ImageSpec
from producer import cache as cache_module
from producer import cache_file
from producer.cache import SampleCache, open_cache
from producer.cache_file import HEADER_BYTES, RECORD, SLOTS_START
from producer.cache_folder import CacheSettings
from producer.cache_index import MAX_RECENT, Key, KeyIndex

IMAGE = ImageSpec(64, 64, "grayscale")
STRIDE = 64 * 64
NUM_ROWS = 40
PLENTY = 1 << 24


def pixels_of(row: int) -> npt.NDArray[np.uint8]:
    """Noise, another for each row."""
    return np.random.default_rng(row).integers(0, 256, IMAGE.shape, np.uint8)


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """Files that stand for images: the cache looks only at their names and states."""
    folder = tmp_path / "sources"
    folder.mkdir()
    files = [folder / f"{row}.png" for row in range(NUM_ROWS)]
    for row, file in enumerate(files):
        file.write_text(f"{row}")
    return files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where caches lie; not there yet."""
    return tmp_path / "caches"


def cache_in(folder: Path, num_bytes: int = PLENTY, image: ImageSpec = IMAGE) -> SampleCache:
    """A producer's cache on disk."""
    return SampleCache(CacheSpec(CacheKind.DISK, num_bytes, NUM_ROWS), image, CacheSettings(str(folder)))


def keep(cache: SampleCache, sources: list[Path], *rows: int) -> None:
    """Put rows into the cache."""
    for row in rows:
        cache.keep(row, str(sources[row]), sources[row].stat(), pixels_of(row))


def held(cache: SampleCache, sources: list[Path]) -> list[int]:
    """The rows a cache has; each with its own pixels, or the test fails."""
    rows = []
    for row, file in enumerate(sources):
        found = cache.find(row, str(file), file.stat())
        if found is not None:
            assert np.array_equal(found, pixels_of(row))
            rows.append(row)
    return rows


def only_file_in(folder: Path) -> Path:
    (file,) = folder.glob(f"{CACHE_PREFIX}*")
    return file


CHILD = f"""
import os, signal, sys
sys.path[:0] = [{str(Path(common.__file__).parent.parent)!r}, {str(Path(__file__).parent)!r}]
import test_cache as t
from pathlib import Path
from producer import cache_file

folder, *sources = map(Path, sys.argv[1:])
"""


def child(script: str, folder: Path, sources: list[Path]) -> subprocess.Popen[bytes]:
    """Another producer on the same host."""
    return subprocess.Popen([sys.executable, "-c", CHILD + script, folder, *sources])


def test_what_was_kept_is_found_and_recalled_read_only(folder: Path, sources: list[Path]) -> None:
    cache = cache_in(folder)
    assert held(cache, sources) == []
    keep(cache, sources, 3, 1)
    assert held(cache, sources) == [1, 3]
    recalled = cache.recall(3, sources[3].stat())
    assert recalled is not None
    assert np.array_equal(recalled, pixels_of(3))
    assert not recalled.flags.writeable
    assert cache.recall(2, sources[2].stat()) is None


def test_16_bit_pixels_come_back_with_their_depth_and_channels(folder: Path, sources: list[Path]) -> None:
    image = ImageSpec(7, 5, "rgba", dtype="uint16")
    pixels = np.arange(7 * 5 * 4, dtype=np.uint16).reshape(7, 5, 4) * 401
    cache = cache_in(folder, image=image)
    cache.keep(0, str(sources[0]), sources[0].stat(), pixels)
    found = cache.find(0, str(sources[0]), sources[0].stat())
    assert found is not None
    assert found.dtype == np.uint16
    assert np.array_equal(found, pixels)


def test_another_producer_finds_what_one_has_kept_before_and_after_it_came(
    folder: Path, sources: list[Path]
) -> None:
    one = cache_in(folder)
    keep(one, sources, 1)
    other = cache_in(folder)
    keep(one, sources, 2)
    assert held(other, sources) == [1, 2]
    keep(other, sources, 1, 2, 3)
    assert len(other) == 3
    assert held(one, sources) == [1, 2, 3]


def test_a_changed_source_is_not_found_and_kept_anew(folder: Path, sources: list[Path]) -> None:
    cache = cache_in(folder)
    keep(cache, sources, 0)
    sources[0].write_text("longer than before")
    changed = sources[0].stat()
    assert cache.recall(0, changed) is None
    assert cache.find(0, str(sources[0]), changed) is None
    cache.keep(0, str(sources[0]), changed, pixels_of(99))
    found = cache.recall(0, changed)
    assert found is not None
    assert np.array_equal(found, pixels_of(99))


def test_a_source_of_equal_size_is_known_by_its_time_and_a_replaced_one_by_its_inode(
    folder: Path, sources: list[Path]
) -> None:
    cache = cache_in(folder)
    keep(cache, sources, 0, 1)
    os.utime(sources[0], ns=(0, sources[0].stat().st_mtime_ns + 1))
    times = sources[1].stat()
    other = sources[1].with_suffix(".new")
    other.write_text("1")
    other.replace(sources[1])
    os.utime(sources[1], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert held(cache, sources) == []


def test_a_source_that_changes_while_it_is_decoded_is_not_kept(folder: Path, sources: list[Path]) -> None:
    cache = cache_in(folder)
    before = sources[0].stat()
    sources[0].write_text("longer than before")
    cache.keep(0, str(sources[0]), before, pixels_of(0))
    assert len(cache) == 0


@pytest.mark.parametrize("num_slots", [0, 1, 10])
def test_a_small_budget_holds_the_first_samples_in_every_epoch_and_after_a_restart(
    num_slots: int, folder: Path, sources: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    # Beside the slots there are a page of header and one of records, the latter from the first slot on.
    budget = num_slots * STRIDE + 2 * 4096
    caplog.set_level("INFO")
    cache = cache_in(folder, budget)
    for _ in range(2):
        keep(cache, sources, *range(NUM_ROWS))
        assert held(cache, sources) == list(range(num_slots))
    assert len([line for line in caplog.messages if "others are decoded each time" in line]) == 1
    cache.close()
    assert held(cache_in(folder, budget), sources) == list(range(num_slots))
    assert only_file_in(folder).stat().st_blocks * 512 <= budget


def test_caches_of_one_folder_share_its_limit_and_unused_ones_give_way(
    folder: Path, sources: list[Path]
) -> None:
    old, image = cache_in(folder, 30 * STRIDE), ImageSpec(64, 64, "rgb")
    keep(old, sources, *range(NUM_ROWS))
    num_old = len(held(old, sources))
    assert 25 <= num_old < 30
    new = cache_in(folder, 30 * STRIDE, image)
    pixels = np.zeros(image.shape, np.uint8)
    new.keep(0, str(sources[0]), sources[0].stat(), pixels)
    assert len(new) == 0  # the other one is in use
    old.close()
    new = cache_in(folder, 30 * STRIDE, image)
    new.keep(0, str(sources[0]), sources[0].stat(), pixels)
    assert len(new) == 1
    assert len(list(folder.glob(f"{CACHE_PREFIX}*"))) == 1


def test_a_cache_on_disk_is_there_in_the_next_run(folder: Path, sources: list[Path]) -> None:
    writer = child("t.keep(t.cache_in(folder), sources, *range(0, 40, 2))", folder, sources)
    assert writer.wait() == 0
    assert held(cache_in(folder), sources) == list(range(0, NUM_ROWS, 2))


def test_a_larger_limit_in_the_next_run_adds_to_what_is_there(folder: Path, sources: list[Path]) -> None:
    cache = cache_in(folder, 5 * STRIDE + 2 * 4096)
    keep(cache, sources, *range(NUM_ROWS))
    larger = cache_in(folder)
    keep(larger, sources, *range(NUM_ROWS))
    assert held(larger, sources) == list(range(NUM_ROWS))
    assert held(cache, sources) == [0, 1, 2, 3, 4]


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


def test_pixels_of_an_earlier_boot_are_compared_with_their_check_sum(
    folder: Path, sources: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_in(folder)
    keep(cache, sources, 0, 1)
    with only_file_in(folder).open("r+b") as stream:  # what a loss of power may do
        stream.seek(SLOTS_START)
        stream.write(bytes(4096))
    boot = cache_module._boot_number() ^ 1
    monkeypatch.setattr(cache_module, "_boot_number", lambda: boot)
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
    assert np.array_equal(view, pixels_of(0))


def test_what_killed_producers_leave_in_memory_is_swept_and_what_lies_on_disk_is_not(
    tmp_path: Path, sources: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDLINE_SHM", str(tmp_path))
    cache_in(tmp_path).close()
    die = """
from common.caching import CacheSpec
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


def test_without_a_place_there_is_a_warning_and_no_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    spec = CacheSpec(CacheKind.DISK, None, NUM_ROWS)
    assert open_cache(spec, IMAGE, CacheSettings(str(tmp_path / "file"))) is None
    assert "every sample is decoded each time" in caplog.text


def test_the_index_finds_every_key_after_many_were_merged() -> None:
    index = KeyIndex()
    keys = [Key(slot % 7, slot) for slot in range(MAX_RECENT + 10)]
    for slot, key in enumerate(keys):
        index.add(key, slot)
    assert all(index.find(key) == slot for slot, key in enumerate(keys))
    assert index.find(Key(3, MAX_RECENT * 2)) is None
    assert index.find(Key(1 << 63, 0)) is None
    index.extend(*(np.array([n], np.uint64) for n in keys[0]), np.array([77], np.int32))
    assert index.find(keys[0]) == 77, "of two slots the later one counts"
