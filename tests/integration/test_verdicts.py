"""A bottleneck that is planted is the one that is named."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from children import PATIENCE_S, producers_elsewhere, wait_for, wait_for_producers
from gates import gated
from images import write_images
from planted import napping, narrow_line, pictures, report_of

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.trainer.verdict.report import Report
from feedline.trainer.verdict.verdict import Bound

SIZE = (24, 32)


def verdict_of(bound: Bound, data: ImageDataset, *, workers: int, step_s: float, **options: object) -> Report:
    """Train until the verdict is that one, and return it or the last other one."""
    with (
        ProducerPool(workers=workers) as pool,
        BatchSequence(data, pool=pool, **{"batch_size": 8, "image_size": SIZE} | options) as sequence,
    ):
        wait_for_producers(pool, workers)
        report = report_of(sequence, step_s, lambda report: report.verdict.bound is bound)
        assert pool.stats().producers[0].num_batches > 0
        return report


def test_a_slow_transform_is_named_with_the_producers_that_would_do(tmp_path: Path) -> None:
    data = pictures(tmp_path, 160, "png", SIZE)
    report = verdict_of(Bound.TRANSFORM, data, workers=2, step_s=0.01, transforms=[napping(0.004)])
    assert report.verdict.bound is Bound.TRANSFORM, report
    assert report.verdict.num_wanted is not None
    assert report.verdict.num_wanted > 2
    assert report.verdict.more is not None
    assert report.verdict.more.images_per_s > 1.2 * report.verdict.snapshot.images_per_s


def test_a_trainer_that_waits_for_a_batch_that_does_not_come_is_seen_to_wait(tmp_path: Path) -> None:
    gate = tmp_path / "gate-2"
    os.mkfifo(gate)
    names = write_images(tmp_path, 4)
    data = ImageDataset.from_lists(names, range(4), directory=tmp_path)
    options = {"batch_size": 1, "image_size": SIZE, "shuffle": False, "transforms": [gated(tmp_path)]}

    def is_seen(pool: ProducerPool) -> bool:
        stats = pool.stats()
        # More than was waited for all batches that came.
        return stats.report is not None and (
            stats.report.verdict.snapshot.wait_s > stats.taken.trainer_wait_s
            and stats.report.verdict.snapshot.wait_share > 0.9
        )

    def look(pool: ProducerPool) -> None:
        try:
            wait_for("the wait to be seen", lambda: is_seen(pool))
        finally:
            gate.write_bytes(b"")

    with (
        ProducerPool(workers=1) as pool,
        BatchSequence(data, pool=pool, **options) as sequence,
        ThreadPoolExecutor(1) as other,
    ):
        looking = other.submit(look, pool)
        assert [len(x) for x, _ in sequence] == [1] * 4
        looking.result()


@pytest.mark.planted
def test_a_slow_disk_is_named(tmp_path: Path) -> None:
    data = pictures(tmp_path, 160, "bmp", SIZE, fill=8 << 20)
    report = verdict_of(Bound.READ, data, workers=1, step_s=0.002)
    assert report.verdict.bound is Bound.READ, report


@pytest.mark.planted
def test_slow_decoding_is_named_with_the_ways_around_it(tmp_path: Path) -> None:
    data = pictures(tmp_path, 80, "jpg", (1200, 1600))
    report = verdict_of(Bound.DECODE, data, workers=1, step_s=0.002)
    assert report.verdict.bound is Bound.DECODE, report
    assert "jpeg_scaling=True, or cache='memory'" in report.sentence


@pytest.mark.planted
def test_a_slow_trainer_is_the_limit_itself(tmp_path: Path) -> None:
    report = verdict_of(Bound.TRAINER, pictures(tmp_path, 160, "png", SIZE), workers=2, step_s=0.03)
    assert report.verdict.bound is Bound.TRAINER, report
    assert report.verdict.num_wanted == 1
    assert report.remedies == ()


@pytest.mark.planted
def test_many_tiny_batches_are_bound_by_being_handed_over(tmp_path: Path) -> None:
    data = pictures(tmp_path, 1000, "png", (8, 8))
    report = verdict_of(Bound.HAND_OVER, data, workers=2, step_s=0.0, batch_size=1, image_size=(8, 8))
    assert report.verdict.bound is Bound.HAND_OVER, report
    assert "batch_size=2 or more instead of 1" in report.sentence


@pytest.mark.planted
def test_a_narrow_network_is_named(tmp_path: Path) -> None:
    data = pictures(tmp_path, 160, "png", (128, 128))
    with (
        ProducerPool("tcp://127.0.0.1:*", transport="frames") as pool,
        narrow_line(pool.endpoint, 8e6) as endpoint,
        producers_elsewhere(
            "-m", "feedline.producer", "--connect", endpoint, "--data-root", str(tmp_path), "--workers", "2"
        ),
        BatchSequence(data, pool=pool, batch_size=8, image_size=(128, 128)) as sequence,
    ):
        wait_for_producers(pool, 2)
        report = report_of(sequence, 0.01, lambda report: report.verdict.bound is Bound.NETWORK)
    assert report.verdict.bound is Bound.NETWORK, report


def test_no_producer_is_starvation_and_says_what_to_start(tmp_path: Path) -> None:
    data = pictures(tmp_path, 8, "png", SIZE)
    with (
        ProducerPool("tcp://127.0.0.1:*") as pool,
        BatchSequence(data, pool=pool, image_size=SIZE, timeout_s=PATIENCE_S) as sequence,
    ):
        report = sequence.report()
    assert report is not None
    assert report.verdict.bound is Bound.STARVED
    assert "feedline-producer --connect" in report.sentence
