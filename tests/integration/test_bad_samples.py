"""Bad files: the same bytes with any producers and any cache, those files told, the rest exactly once."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import keras
import numpy as np
import pytest
from children import faulty_producer, pool_of, producer, producers_elsewhere, wait_for_producers
from images import SIZE, numbered, rows_in, write_photos
from recorder import ReadRow

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.errors import BadSamplesError, BatchError
from feedline.legacy import DataGenerator, predict_generator, predictions_frame
from feedline.trainer.commands.cli import main
from feedline.transforms import Mosaic, RandomFlip, RandomRotation

NUM_FILES, NUM_CLASSES = 400, 3
SMALL = (24, 32)


class Broken(NamedTuple):
    """A folder of photographs, 1 % of which are bad."""

    folder: Path
    names: list[str]
    bad: dict[str, str]

    @property
    def data(self) -> ImageDataset:
        """With labels of classes, and weights."""
        labels = np.arange(len(self.names)) % NUM_CLASSES
        return ImageDataset.from_lists(
            self.names, labels, weights=np.ones(len(labels)), directory=self.folder
        )

    @property
    def bad_rows(self) -> list[int]:
        """Where they are."""
        return [row for row, name in enumerate(self.names) if name in self.bad]


def break_some(folder: Path, names: list[str]) -> dict[str, str]:
    """Truncate, empty, overwrite and remove a file; returns a part of what is to be said of each."""
    cut, empty, text, gone = (names[place * len(names) // 7] for place in (1, 3, 4, 6))
    whole = (folder / cut).read_bytes()
    (folder / cut).write_bytes(whole[: len(whole) // 2])
    (folder / empty).write_bytes(b"")
    (folder / text).write_text("not an image")
    (folder / gone).unlink()
    return {cut: "cut off", empty: "is empty", text: "is not an image", gone: "not found"}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Broken:
    folder = tmp_path_factory.mktemp("broken")
    names = write_photos(folder, NUM_FILES)
    return Broken(folder, names, break_some(folder, names))


class Seen(NamedTuple):
    """What came of two epochs."""

    digest: str
    names: list[list[str]]
    labels: list[list[int]]
    failures: dict[str, str]


def two_epochs(broken: Broken, pool: ProducerPool, **options: Any) -> Seen:
    digest = hashlib.sha256()
    names, labels = [], []
    whole = {"transforms": [RandomFlip(), RandomRotation(0.1)], "shuffle": True, **options}
    with BatchSequence(
        broken.data, batch_size=16, image_size=SMALL, seed=3, max_bad_share=0.02, pool=pool, **whole
    ) as sequence:
        for _ in range(2):
            epoch = []
            for x, y, weight in sequence:
                for array in (x, y, weight):
                    digest.update(array.tobytes())
                epoch += y.tolist()
            names.append(sequence.filenames)
            assert sequence.labels.tolist() == epoch
            labels.append(epoch)
        failures = sequence.failures
        assert sequence.bad_rows.tolist() == broken.bad_rows
    assert failures["path"].is_unique
    return Seen(
        digest.hexdigest(), names, labels, dict(zip(failures["path"], failures["reason"], strict=True))
    )


def check(broken: Broken, seen: Seen, on_error: str) -> None:
    """Exactly the bad files are told; every other comes once, but for those in the places of bad ones."""
    assert seen.failures.keys() == broken.bad.keys()
    assert all(part in seen.failures[name] for name, part in broken.bad.items())
    good = set(broken.names) - set(broken.bad)
    for names in seen.names:
        times = Counter(names)
        assert times.keys() == good
        num_more = sum(times.values()) - len(good)
        assert num_more == (len(broken.bad) if on_error == "replace" else 0)
    if on_error == "replace":
        expected = Counter((np.arange(NUM_FILES) % NUM_CLASSES).tolist())
        assert [Counter(labels) for labels in seen.labels] == [expected, expected]


@pytest.mark.parametrize("on_error", ["replace", pytest.param("skip", marks=pytest.mark.exhaustive)])
def test_two_producers_make_the_same_bytes_as_one_of_a_folder_with_bad_files(
    broken: Broken, on_error: str
) -> None:
    seen = []
    for workers, cache in ((1, None), (2, "memory")):
        with pool_of(workers) as pool:
            seen.append(two_epochs(broken, pool, on_error=on_error, cache=cache))
    check(broken, seen[0], on_error)
    assert seen[0].digest == seen[1].digest
    assert seen[0].names == seen[1].names


@pytest.mark.exhaustive
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("on_error", ["replace", "skip"])
def test_bad_files_make_no_difference_between_any_producers_and_caches(
    broken: Broken, on_error: str, shuffle: bool
) -> None:
    digests = set()
    for workers in (1, 8):
        for cache in (None, "memory", "disk"):
            with pool_of(workers) as pool:
                seen = two_epochs(broken, pool, on_error=on_error, cache=cache, shuffle=shuffle)
                digests.add(seen.digest)
                assert seen.failures.keys() == broken.bad.keys()
                if shuffle or on_error == "skip":
                    check(broken, seen, on_error)
    assert len(digests) == 1


def test_check_finds_the_same_files_and_writes_them_down(
    broken: Broken, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["filename,class", *(f"{name},a" for name in broken.names)]))
    options = ["--directory", str(broken.folder), "--workers", "2", "--csv", str(tmp_path / "bad.csv")]
    assert main(["check", str(table), *options]) == 1
    *lines, summary = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == sorted(broken.bad)
    assert all(part in line for line, (_, part) in zip(lines, sorted(broken.bad.items()), strict=True))
    assert summary.endswith("of 400 samples, 4 files or rows cannot be used")
    with (tmp_path / "bad.csv").open(newline="") as file:
        assert {row["path"] for row in csv.DictReader(file)} == broken.bad.keys()


@pytest.mark.exhaustive
def test_check_of_what_is_good_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbered(tmp_path, 3)
    assert main(["check", str(tmp_path), "--workers", "1"]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: all 3 samples can be used\n"


# --- in order -----------------------------------------------------------------------------------


@pytest.fixture
def rows(tmp_path: Path) -> tuple[Path, ImageDataset]:
    """Images that say their rows, of which 4 and 9 are bad."""
    data = numbered(tmp_path, 20)
    (tmp_path / "0004.png").write_bytes(b"")
    (tmp_path / "0009.png").write_text("text")
    return tmp_path, data


OPTIONS = {"batch_size": 5, "image_size": SIZE, "max_bad_share": 0.1, "workers": 1}


def test_in_order_the_place_of_a_bad_sample_is_zeros_and_weighs_nothing(
    rows: tuple[Path, ImageDataset],
) -> None:
    folder, data = rows
    weighted = ImageDataset.from_lists(data.paths, np.arange(20), weights=np.full(20, 2.0), directory=folder)
    with BatchSequence(weighted, shuffle=False, on_error="replace", **OPTIONS) as sequence:
        x, y, weight = (np.concatenate(parts) for parts in zip(*sequence, strict=True))
        assert sequence.failures["replaced_by"].tolist() == [None, None]
        assert sequence.failures["row"].tolist() == sequence.bad_rows.tolist() == [4, 9]
    assert y.tolist() == list(range(20))
    assert np.flatnonzero(~x.any(axis=(1, 2, 3))).tolist() == np.flatnonzero(weight == 0).tolist() == [4, 9]


def test_predictions_keep_their_rows_and_those_of_bad_samples_are_nothing(
    rows: tuple[Path, ImageDataset],
) -> None:
    """A generator that leaves bad samples out of a training has a place for each when a model predicts."""
    folder, _ = rows
    names = [f"{row:04}" for row in range(20)]
    model = keras.Sequential([keras.Input((*SIZE, 3)), ReadRow()])
    with DataGenerator(
        names,
        None,
        5,
        SIZE,
        folder,
        n_channels=3,
        scale="uint8",
        on_error="skip",
        max_bad_share=0.1,
        workers=1,
    ) as generator:
        frame = predictions_frame(generator, predict_generator(model, generator))
        assert set(generator.failures["path"]) == {"0004.png", "0009.png"}
    assert np.flatnonzero(frame[0].isna()).tolist() == [4, 9]
    good = [row for row in range(20) if row not in {4, 9}]
    assert frame[0].iloc[good].round().tolist() == good


def test_a_batch_is_never_empty_and_keras_trains_on_what_is_left(rows: tuple[Path, ImageDataset]) -> None:
    folder, data = rows
    for row in range(5, 10):
        (folder / f"{row:04}.png").write_bytes(b"")
    model = keras.Sequential([keras.Input((*SIZE, 3)), ReadRow()])
    model.compile("sgd", "mse", jit_compile=False)
    options = {**OPTIONS, "max_bad_share": 0.5}
    with BatchSequence(data, shuffle=False, on_error="skip", **options) as sequence:
        model.fit(sequence, epochs=2, shuffle=False, verbose=0)
        sizes = [len(x) for x, _ in sequence]
    assert sizes == [4, 1, 5, 5]


# --- too many, and which ------------------------------------------------------------------------


def test_too_many_bad_samples_end_the_training_and_the_file_tells_which(
    rows: tuple[Path, ImageDataset], tmp_path: Path
) -> None:
    _, data = rows
    table = tmp_path / "failures.csv"
    options = {**OPTIONS, "max_bad_share": 0.05, "batch_size": 20}
    with (
        BatchSequence(data, on_error="skip", failures_csv=table, **options) as sequence,
        pytest.raises(
            BadSamplesError, match=r"(?s)2 of 20 samples.*max_bad_share=0.05 allows 1.*0004\.png: is empty"
        ),
    ):
        sequence[0]
    with table.open(newline="") as file:
        assert {row["path"] for row in csv.DictReader(file)} == {"0004.png", "0009.png"}


def test_one_bad_part_makes_the_whole_sample_bad(tmp_path: Path) -> None:
    """A mask, or a further input; of several that are mixed see below."""
    data = numbered(tmp_path, 20)
    for kind in ("masks", "inputs"):
        (tmp_path / kind).mkdir()
        for name in data.paths:
            cv2.imwrite(str(tmp_path / kind / name), np.zeros(SIZE, np.uint8))
    (tmp_path / "masks" / "0003.png").write_text("text")
    (tmp_path / "inputs" / "0011.png").unlink()
    further = {"masks": [f"masks/{name}" for name in data.paths]}
    inputs = [[f"inputs/{name}" for name in data.paths]]
    whole = ImageDataset.from_lists(data.paths, inputs=inputs, directory=tmp_path, **further)
    with BatchSequence(whole, on_error="skip", **OPTIONS) as sequence:
        rows = [row for (x, _), _ in sequence for row in rows_in(x)]
        assert set(sequence.failures["path"]) == {"masks/0003.png", "inputs/0011.png"}
    assert sorted(rows) == [row for row in range(20) if row not in {3, 11}]


@pytest.mark.exhaustive
def test_a_mosaic_with_a_bad_part_is_replaced_as_a_whole(rows: tuple[Path, ImageDataset]) -> None:
    folder, data = rows
    hot = ImageDataset.from_lists(data.paths, np.eye(20, dtype=np.float32), directory=folder)
    digests = set()
    for workers in (1, 2):
        options = {**OPTIONS, "workers": None, "transforms": [Mosaic()], "on_error": "replace"}
        with pool_of(workers) as pool, BatchSequence(hot, pool=pool, **options) as sequence:
            y = np.concatenate([y for _, y in sequence])
            assert not y[:, [4, 9]].any()
            assert len(y) == 20
            digests.add(y.tobytes())
            assert set(sequence.failures["path"]) <= {"0004.png", "0009.png"}
    assert len(digests) == 1


# --- files that kill ----------------------------------------------------------------------------


@contextmanager
def deadly_producers(pool: ProducerPool, folder: Path, flags: Path) -> Iterator[None]:
    """Producers that are killed by one file, each started when the one before is dead."""
    over = threading.Event()

    def start() -> None:
        while not over.is_set():
            with producers_elsewhere(
                *faulty_producer(pool.endpoint, folder, "dies-of-0007", flags)
            ) as process:
                while process.poll() is None and not over.wait(0.05):
                    pass

    thread = threading.Thread(target=start)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("on_error", [pytest.param("raise", marks=pytest.mark.exhaustive), "replace"])
def test_a_file_that_kills_its_producer_is_found_out(tmp_path: Path, on_error: str) -> None:
    (tmp_path / "images").mkdir()
    data = numbered(tmp_path / "images", 20)
    options = {**OPTIONS, "workers": None, "on_error": on_error}
    with (
        ProducerPool(f"ipc://{tmp_path}/pool") as pool,
        deadly_producers(pool, tmp_path / "images", tmp_path),
        BatchSequence(data, pool=pool, **options) as sequence,
    ):
        if on_error == "raise":
            with pytest.raises(BatchError, match=r"0007\.png: kills who uses it: 3 times.*SIGSEGV"):
                list(sequence)
            return
        rows = [row for x, _ in sequence for row in rows_in(x)]
        assert sequence.failures["path"].tolist() == ["0007.png"]
    assert 7 not in rows
    assert set(rows) == set(range(20)) - {7}


# --- several producers, not all of which have all -----------------------------------------------


@pytest.mark.exhaustive
def test_a_file_is_bad_only_if_no_producer_has_it(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    data = numbered(here, 20)
    shutil.copytree(here, there)
    (here / "0003.png").unlink()
    for folder in (here, there):
        (folder / "0011.png").unlink()
    with ProducerPool(f"ipc://{tmp_path}/pool") as pool:
        first, second = (
            producers_elsewhere(*producer(pool.endpoint, folder, folder.name)) for folder in (here, there)
        )
        with first, second:
            wait_for_producers(pool, 2)
            options = {**OPTIONS, "workers": None, "on_error": "skip"}
            with BatchSequence(data, pool=pool, **options) as sequence:
                rows = [row for x, _ in sequence for row in rows_in(x)]
                assert sequence.failures["path"].tolist() == ["0011.png"]
    assert sorted(rows) == [row for row in range(20) if row != 11]


def test_names_that_are_no_text_are_printed_and_steer_no_terminal(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    odd = os.fsdecode(b"caf\xe9\x1b[2J\n2.png")
    (tmp_path / odd).write_text("no image")
    for words, status in (["check"], 1), (["doctor", "--workers", "1", "--seconds", "0.1"], 1):
        assert main([*words, str(tmp_path)]) == status
    said = capsysbinary.readouterr().out
    assert rb"caf\udce9\x1b[2J\n2.png: " in said
    assert b"\x1b" not in said
