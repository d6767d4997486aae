"""Exactly once and the same bytes: jobs with boxes, of one size and several, while producers join and die."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from children import PATIENCE_S, Killer, pool_of, producer, producers_elsewhere, wait_for_producers
from images import write_photos

from common.batch import digest
from trainer import BatchSequence, ImageDataset, ProducerPool
from trainer.yolo import YoloAugment, YoloTargets

pytestmark = pytest.mark.all_kinds

NUM_ROWS = 42
NUM_EPOCHS = 4
KINDS: dict[str, dict[str, Any]] = {
    "boxes": {"image_size": (64, 96)},
    "targets": {"image_size": (64, 96), "targets": YoloTargets(NUM_ROWS)},
    "several sizes": {"image_sizes": [(64, 64), (64, 96), (96, 128)]},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Photographs with a label and two boxes each, all of which are the row."""
    folder = tmp_path_factory.mktemp("detection")
    boxes = [[[0, 0, 64, 48, row], [10, 10, 50, 40, row]] for row in range(NUM_ROWS)]
    return ImageDataset.from_lists(
        write_photos(folder, NUM_ROWS), range(NUM_ROWS), boxes=boxes, directory=folder
    )


def sequence_of(dataset: ImageDataset, pool: ProducerPool, kind: str) -> BatchSequence:
    options = {"batch_size": 4, "transforms": [YoloAugment()], "seed": 3, "timeout_s": PATIENCE_S}
    return BatchSequence(dataset, pool=pool, **options, **KINDS[kind])


def epoch_of(sequence: BatchSequence) -> list[str]:
    """Digests of an epoch, which has every row once, each with its own boxes."""
    rows, digests = [], []
    for x, (labels, *others) in sequence:
        rows += labels.tolist()
        digests.append(digest({"x": x, **{f"y{i}": array for i, array in enumerate(others)}}))
        if len(others) == 1:
            classes = others[0][..., 4]
            assert np.isin(classes, [-1, *labels]).all()
            assert all(set(own) <= {-1, row} for own, row in zip(classes, labels, strict=True))
    assert sorted(rows) == list(range(NUM_ROWS))
    return digests


@pytest.fixture(scope="module", params=list(KINDS))
def reference(dataset: ImageDataset, request: pytest.FixtureRequest) -> tuple[str, list[list[str]]]:
    """A kind of job, and what a single producer makes of it."""
    with pool_of(1) as pool, sequence_of(dataset, pool, request.param) as sequence:
        epochs = [epoch_of(sequence) for _ in range(NUM_EPOCHS)]
    assert len({one for epoch in epochs for one in epoch}) == NUM_EPOCHS * len(epochs[0])
    return request.param, epochs


def test_a_producer_that_joins_at_epoch_3_builds_the_same(
    dataset: ImageDataset, reference: tuple[str, list[list[str]]]
) -> None:
    kind, epochs = reference
    with ExitStack() as stack:
        pool = stack.enter_context(ProducerPool("tcp://127.0.0.1:*"))
        root = str(Path(dataset.directory or ""))
        stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "early", workers=2)))
        wait_for_producers(pool, 2)
        sequence = stack.enter_context(sequence_of(dataset, pool, kind))
        assert [epoch_of(sequence) for _ in range(3)] == epochs[:3]
        stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "late", workers=1)))
        wait_for_producers(pool, 3)
        assert epoch_of(sequence) == epochs[3]


def test_producers_that_are_killed_in_the_middle_lose_nothing(
    dataset: ImageDataset, reference: tuple[str, list[list[str]]]
) -> None:
    kind, epochs = reference
    with (
        pool_of(3) as pool,
        sequence_of(dataset, pool, kind) as sequence,
        Killer(pool, lambda: sequence.stats.num_batches, seed=2) as killer,
    ):
        assert [epoch_of(sequence) for _ in range(NUM_EPOCHS)] == epochs
    assert killer.killed
