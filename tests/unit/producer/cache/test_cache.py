"""What the cache gives back is what was put in, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from caches import IMAGE, NUM_ROWS, STRIDE, cache_in, child, held, keep, only_file_in, pixels_of

from feedline.common.job.caching import CacheKind, CacheSpec
from feedline.common.memory.arena import CACHE_PREFIX
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import Sample
from feedline.producer.building.samples import Samples
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.cache import store
from feedline.producer.cache.folder import CacheSettings
from feedline.producer.cache.index import MAX_RECENT, Key, KeyIndex
from feedline.producer.cache.store import Decoded, SampleCache, identity_of, open_cache
from feedline.producer.reading.roots import DataRoots

SIZE = (480, 640)


def test_what_was_kept_is_found_and_recalled_read_only(folder: Path, sources: list[Path]) -> None:
    cache = cache_in(folder)
    assert held(cache, sources) == []
    keep(cache, sources, 3, 1)
    assert held(cache, sources) == [1, 3]
    recalled = cache.recall(3, sources[3].stat())
    assert recalled is not None
    assert np.array_equal(recalled.pixels, pixels_of(3))
    assert not recalled.pixels.flags.writeable
    assert cache.recall(2, sources[2].stat()) is None


def test_16_bit_pixels_come_back_with_their_depth_and_channels(folder: Path, sources: list[Path]) -> None:
    image = ImageSpec(7, 5, "rgba", dtype="uint16")
    pixels = np.arange(7 * 5 * 4, dtype=np.uint16).reshape(7, 5, 4) * 401
    cache = cache_in(folder, image=image)
    cache.keep(0, str(sources[0]), sources[0].stat(), Decoded(pixels, SIZE))
    found = cache.find(0, str(sources[0]), sources[0].stat())
    assert found is not None
    assert found.pixels.dtype == np.uint16
    assert np.array_equal(found.pixels, pixels)
    assert found.size == SIZE


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
    cache.keep(0, str(sources[0]), changed, Decoded(pixels_of(99), SIZE))
    found = cache.recall(0, changed)
    assert found is not None
    assert np.array_equal(found.pixels, pixels_of(99))


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
    cache.keep(0, str(sources[0]), before, Decoded(pixels_of(0), SIZE))
    assert len(cache) == 0


def test_a_source_that_vanishes_while_it_is_decoded_is_not_kept(folder: Path, sources: list[Path]) -> None:
    cache = cache_in(folder)
    before = sources[0].stat()
    sources[0].unlink()
    cache.keep(0, str(sources[0]), before, Decoded(pixels_of(0), SIZE))
    assert len(cache) == 0


@pytest.mark.parametrize("operation", ["find", "keep"])
def test_a_cache_that_fails_costs_no_batch(
    operation: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, IMAGE.size, np.uint8)
    assert cv2.imwrite(str(tmp_path / "a.png"), picture)
    samples = Samples(IMAGE, DataRoots([str(tmp_path)]), StageClock(), cache_in(folder))

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(SampleCache, operation, fail)
    for _ in range(2):
        assert np.array_equal(samples.decoded(Sample(("a.png",), 0)).pixels[..., 0], picture)
    assert len([line for line in caplog.messages if "the cache is left" in line]) == 1


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
    new.keep(0, str(sources[0]), sources[0].stat(), Decoded(pixels, SIZE))
    assert len(new) == 0  # the other one is in use
    old.close()
    new = cache_in(folder, 30 * STRIDE, image)
    new.keep(0, str(sources[0]), sources[0].stat(), Decoded(pixels, SIZE))
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


def test_what_was_kept_before_files_became_other_pixels_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    now = identity_of(IMAGE)
    assert now == identity_of(IMAGE)
    monkeypatch.setattr(store, "PIXELS_VERSION", store.PIXELS_VERSION + 1)
    assert identity_of(IMAGE) != now
