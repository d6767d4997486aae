"""A cache of decoded samples makes epochs faster, and nothing else different."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from children import wait_for, wait_for_producers
from images import write_photos

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.common.batch.layout import digest
from feedline.common.memory.arena import CACHE_PREFIX
from feedline.common.memory.sweeping import sweep
from feedline.transforms import RandomBrightness, RandomCrop, RandomFlip, RandomRotation

NUM_ROWS = 61
RANDOM = [RandomFlip("horizontal"), RandomRotation(0.1), RandomCrop(40, 56), RandomBrightness(0.2)]


@pytest.fixture
def photos(tmp_path: Path) -> ImageDataset:
    """JPEG files full of detail."""
    return ImageDataset.from_lists(write_photos(tmp_path, NUM_ROWS), np.arange(NUM_ROWS), directory=tmp_path)


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where caches on disk lie; those of the user stay out of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "feedline"


@pytest.fixture(autouse=True)
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where caches in memory lie; nothing may stay there."""
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setenv("FEEDLINE_SHM", str(folder))
    yield folder
    assert not list(folder.iterdir())


def sequence_of(
    photos: ImageDataset, pool: ProducerPool, cache: str | None, cache_bytes: int | None = None
) -> BatchSequence:
    """Every batch of it depends on random draws."""
    return BatchSequence(
        photos,
        batch_size=4,
        image_size=(48, 64),
        transforms=RANDOM,
        seed=3,
        pool=pool,
        cache=cache,
        cache_bytes=cache_bytes,
    )


def epoch_of(sequence: BatchSequence) -> list[str]:
    """SHA-256 of each batch of the next epoch."""
    return [digest({"x": x, "y": y}) for x, y in sequence]


def two_epochs(
    photos: ImageDataset, workers: int, cache: str | None, cache_bytes: int | None = None
) -> list[str]:
    """SHA-256 of each batch of the first two epochs."""
    with ProducerPool(workers=workers) as pool, sequence_of(photos, pool, cache, cache_bytes) as sequence:
        return [hash_ for _ in range(2) for hash_ in epoch_of(sequence)]


def kill_one(pool: ProducerPool, rng: random.Random, num: int) -> None:
    """Kill one of `num` producers at any moment of whatever it does, when all are there.

    Four that die within a blink at what is tried out after a death would be taken for its doing.
    """
    until = time.monotonic() + 60
    while len(victims := connected(pool)) < num:
        assert time.monotonic() < until, "not all producers came"
        time.sleep(0.01)
    with suppress(psutil.NoSuchProcess):  # one that was killed just before may still be on the list
        rng.choice(victims).kill()


def connected(pool: ProducerPool) -> list[psutil.Process]:
    """The producers that are there and alive."""
    names, found = set(pool.producers), []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if names & set(child.cmdline()):
                found.append(child)
    return found


@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("cache", ["disk", pytest.param("memory", marks=pytest.mark.exhaustive)])
def test_batches_have_the_same_bytes_with_a_cache(cache: str, workers: int, photos: ImageDataset) -> None:
    expected = two_epochs(photos, 1, None)
    assert two_epochs(photos, workers, cache) == expected
    assert two_epochs(photos, workers, cache) == expected, "in the next run"


@pytest.mark.parametrize("cache", ["memory", pytest.param("disk", marks=pytest.mark.exhaustive)])
def test_batches_have_the_same_bytes_when_only_a_part_of_the_samples_fits(
    cache: str, photos: ImageDataset
) -> None:
    assert two_epochs(photos, 2, cache, cache_bytes=30 * 48 * 64 * 3) == two_epochs(photos, 1, None)


@pytest.mark.parametrize("cache", ["disk", pytest.param("memory", marks=pytest.mark.exhaustive)])
def test_batches_have_the_same_bytes_when_producers_are_killed_while_they_fill_and_read_it(
    cache: str, photos: ImageDataset
) -> None:
    rng, hashes = random.Random(5), []
    with ProducerPool(workers=3) as pool, sequence_of(photos, pool, cache) as sequence:
        for _ in range(2):
            for step, (x, y) in enumerate(sequence):
                hashes.append(digest({"x": x, "y": y}))
                if step % 6 == 3:
                    kill_one(pool, rng, 3)
    assert hashes == two_epochs(photos, 1, None)


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_later_epochs_do_not_decode(cache: str, photos: ImageDataset) -> None:
    """Shown by files that are not images any more, though their size, time and inode say they are."""
    folder = Path(photos.directory or "")
    expected = two_epochs(photos, 1, None)
    with ProducerPool(workers=2) as pool, sequence_of(photos, pool, cache) as sequence:
        assert epoch_of(sequence) == expected[: len(sequence)]
        # Producers are at the second epoch already: they must not see a file while it is written to.
        producers = connected(pool)
        for process in producers:
            process.suspend()
        for file in folder.glob("*.jpg"):
            spoil_silently(file)
        for process in producers:
            process.resume()
        assert epoch_of(sequence) == expected[len(sequence) :]


def spoil_silently(file: Path) -> None:
    """Write zeros, and leave size, time and inode as they were."""
    status = file.stat()
    with file.open("r+b") as stream:
        stream.write(bytes(status.st_size))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.exhaustive
def test_a_source_that_changed_between_two_runs_is_decoded_anew(photos: ImageDataset, caches: Path) -> None:
    two_epochs(photos, 2, "disk")
    assert list(caches.glob(f"{CACHE_PREFIX}*"))
    picture = np.full((48, 64, 3), 200, np.uint8)
    assert cv2.imwrite(str(Path(photos.directory or "") / photos.filenames[7]), picture)
    assert two_epochs(photos, 2, "disk") == two_epochs(photos, 1, None)


def test_a_cache_in_memory_goes_when_its_sequence_is_closed_though_the_producers_stay(
    photos: ImageDataset, shared_memory: Path
) -> None:
    with ProducerPool(workers=2) as pool:
        with sequence_of(photos, pool, "memory") as sequence:
            epoch_of(sequence)
            assert list(shared_memory.glob(f"{CACHE_PREFIX}*"))
        until = time.monotonic() + 60
        while list(shared_memory.glob(f"{CACHE_PREFIX}*")):
            assert time.monotonic() < until, "it stays"
            time.sleep(0.01)


def test_training_and_validation_share_a_cache_and_keep_it_as_long_as_one_of_them_is_open(
    photos: ImageDataset, shared_memory: Path
) -> None:
    with ProducerPool(workers=2) as pool, sequence_of(photos, pool, "memory") as training:
        with sequence_of(photos, pool, "memory") as validation:
            assert epoch_of(training) == epoch_of(validation)
        assert len(list(shared_memory.glob(f"{CACHE_PREFIX}*"))) == 1
        assert len(set(epoch_of(training))) == len(training)


@pytest.mark.exhaustive
def test_a_cache_in_memory_whose_producers_were_all_killed_is_swept_at_the_next_start(
    photos: ImageDataset, shared_memory: Path
) -> None:
    with ProducerPool(workers=1) as pool, sequence_of(photos, pool, "memory") as sequence:
        epoch_of(sequence)
        (file,) = shared_memory.glob(f"{CACHE_PREFIX}*")
        sweep()
        assert file.exists(), "it is in use"
        with file.open("rb") as old:
            kill_one(pool, random.Random(0), 1)
            epoch_of(sequence)  # by the producer that took its place, which swept
            (file,) = shared_memory.glob(f"{CACHE_PREFIX}*")
            assert not os.path.samestat(os.fstat(old.fileno()), file.stat())


def test_that_no_cache_can_be_kept_is_said_once_in_the_log_of_the_trainer(
    photos: ImageDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("where the folder of caches would be")
    with ProducerPool(workers=2) as pool:
        wait_for_producers(pool, 2)
        with sequence_of(photos, pool, "disk") as sequence:
            for _ in range(2):
                assert len(list(sequence)) == len(sequence)
            wait_for("the warning", lambda: "no disk cache" in caplog.text)
    warnings = [r.getMessage() for r in caplog.records if "no disk cache" in r.getMessage()]
    assert len(warnings) == 1
    assert warnings[0].startswith("producer embedded/")
    assert "every sample is decoded each time" in warnings[0]
