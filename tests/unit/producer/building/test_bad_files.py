"""All files of a ticket that cannot be used are told at once, each with its place."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from feedline.common.batch.layout import ArraySpec
from feedline.common.job.caching import CacheKind, CacheSpec
from feedline.common.job.images import Job
from feedline.common.sample.boxes import BoxSpec, pack
from feedline.common.sample.companions import Companion, ImageOptions, Role
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import FailureKind, Sample, Ticket
from feedline.producer.building import samples as samples_module
from feedline.producer.building.bad_files import BadFilesError
from feedline.producer.building.batches import BatchBuilder, CancelledBuildError, failure_of
from feedline.producer.building.builders import Workshop
from feedline.producer.building.trial import MAX_DEATHS, try_out
from feedline.producer.cache.folder import CacheSettings
from feedline.producer.plugins import NO_PLUGINS
from feedline.producer.reading.roots import DataRoots
from feedline.transforms import Mosaic, RandomFlip

JOB = Job(1, 5, 8, ImageSpec(8, 8), (), "uint8", (ArraySpec("y", (), "float32"),))
READ, DECODE = FailureKind.READ, FailureKind.DECODE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight good files, one that is cut off and one that is empty; gone.png is not there."""
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((16, 16, 3), 10 * number + 50, np.uint8))
    (tmp_path / "cut.png").write_bytes((tmp_path / "0.png").read_bytes()[:-20])
    (tmp_path / "empty.png").touch()
    return tmp_path


def num_open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def ticket(files: Sequence[tuple[str, ...]], targets: tuple[Any, ...] | None = None) -> Ticket:
    samples = tuple(Sample(paths, row) for row, paths in enumerate(files))
    labels = (np.arange(len(files), dtype=np.float32),)
    return Ticket(1, 0, 3, 11, 0, samples, labels if targets is None else targets)


def bad_of(folder: Path, job: Job, order: Ticket, cache: CacheSettings | None = None) -> list[Any]:
    """(sample, file, kind) of all bad files."""
    builder = BatchBuilder(job, DataRoots([str(folder)]), *([] if cache is None else [cache]))
    with pytest.raises(BadFilesError) as caught:
        builder.build(order, lambda: False)
    builder.close()
    failure = failure_of(order, caught.value)
    assert all(one.reason for one in failure.bad_files)
    return [one[:3] for one in failure.bad_files]


def test_all_bad_files_of_a_batch_are_told_and_what_is_no_image_decides(folder: Path) -> None:
    order = ticket([("gone.png",), ("1.png",), ("cut.png",), ("empty.png",)])
    assert bad_of(folder, JOB, order) == [(0, 0, READ), (2, 0, DECODE), (3, 0, READ)]
    with pytest.raises(BadFilesError, match=r"^cut\.png: .*cut off.* \(and 2 more of its files") as caught:
        BatchBuilder(JOB, DataRoots([str(folder)])).build(order, lambda: False)
    assert failure_of(order, caught.value).kind is DECODE


def test_masks_and_further_inputs_have_their_own_places(folder: Path) -> None:
    further = (Companion("x1", Role.INPUT, ImageOptions()), Companion("m", Role.MASK, ImageOptions()))
    job = replace(JOB, companions=further)
    good = ("1.png", "2.png", "3.png")
    order = ticket([("0.png", "gone.png", "cut.png"), good, ("cut.png", "2.png", "3.png")])
    assert bad_of(folder, job, order) == [(0, 1, READ), (0, 2, DECODE), (2, 0, DECODE)]


def test_of_samples_that_are_mixed_the_bad_one_is_told(folder: Path) -> None:
    job = replace(JOB, transforms=(Mosaic(),))
    names = ["0", "1", "cut", "3", "4", "5", "6", "7"]
    assert bad_of(folder, job, ticket([(f"{name}.png",) for name in names])) == [(2, 0, DECODE)]


def test_a_bad_file_is_never_in_the_cache(folder: Path) -> None:
    job = replace(JOB, cache=CacheSpec(CacheKind.DISK, 1 << 20, 4))
    settings = CacheSettings(str(folder / "cache"))
    order = ticket([("0.png",), ("cut.png",)])
    for _ in range(2):
        assert bad_of(folder, job, order, settings) == [(1, 0, DECODE)]
    (folder / "cut.png").write_bytes((folder / "7.png").read_bytes())
    arrays = BatchBuilder(job, DataRoots([str(folder)]), settings)
    x = job.layout(2).views(arrays.build(order, lambda: False))["x"]
    assert x[1, 0, 0].tolist() == [120, 120, 120]
    arrays.close()


@pytest.mark.parametrize("transforms", [(), (RandomFlip(),), (Mosaic(),)])
def test_the_place_of_a_sample_without_files_is_left_zero_but_for_its_label(
    folder: Path, transforms: tuple[Any, ...]
) -> None:
    job = replace(JOB, transforms=transforms, boxes=BoxSpec(2))
    num = job.num_sources
    names = [("0.png",)] * num + [()] * num + [("1.png",)] * num
    box = np.array([[1, 1, 9, 9, 0]], np.float32)
    boxes = [box if one else box[:0] for one in names]
    labels = np.repeat(np.array([3, 4, 5], np.float32), num)
    order = ticket(names, (labels, *pack(boxes)))
    builder = BatchBuilder(job, DataRoots([str(folder)]))
    for _ in range(2):  # the second time into memory that has the first
        arrays = job.layout(3).views(builder.build(order, lambda: False))
        assert not arrays["x"][1].any()
        assert arrays["x"][[0, 2]].any(axis=(1, 2, 3)).all()
        assert arrays["y"].tolist() == [3, 4, 5]
        assert (arrays["boxes"][1] == -1).all()
        arrays["x"][:] = 9


# --- files that kill ----------------------------------------------------------------------------


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that kills its process at some files."""
    decode = samples_module.load_sized

    def load(data: bytes, path: str, *rest: Any) -> Any:
        if path in {"2.png", "5.png"}:
            faulthandler.disable()  # it would fill the log of the tests
            os.kill(os.getpid(), signal.SIGSEGV)
        return decode(data, path, *rest)

    monkeypatch.setattr(samples_module, "load_sized", load)


def shop_of(folder: Path) -> Workshop:
    return Workshop(DataRoots([str(folder)]), CacheSettings(None, 0), NO_PLUGINS)


@pytest.mark.usefixtures("deadly")
def test_files_that_kill_are_found_out_and_the_process_that_asks_lives(folder: Path) -> None:
    order = ticket([(f"{number}.png",) for number in range(8)])
    with pytest.raises(
        BadFilesError, match=r"2\.png: kills who uses it: 3 times.*decoding it .*SIGSEGV"
    ) as caught:
        try_out(JOB, order, shop_of(folder), lambda: False)
    assert MAX_DEATHS == 3
    assert [one[:3] for one in failure_of(order, caught.value).bad_files] == [(2, 0, DECODE), (5, 0, DECODE)]


@pytest.mark.usefixtures("deadly")
def test_a_trial_of_a_batch_that_nobody_wants_ends(folder: Path) -> None:
    with pytest.raises(CancelledBuildError):
        try_out(JOB, ticket([("2.png",)]), shop_of(folder), lambda: True)


def test_a_trial_leaves_alone_what_the_producer_itself_will_meet(folder: Path) -> None:
    before = num_open_files()
    try_out(JOB, ticket([("0.png",), ("cut.png",), ("gone.png",)]), shop_of(folder), lambda: False)
    assert num_open_files() == before
