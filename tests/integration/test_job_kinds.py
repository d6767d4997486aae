"""Exactly once, and the same bytes, for every kind of job: whoever builds, joins and dies."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from children import Killer, pool_of, producer, producers_elsewhere, wait_for_producers
from job_kinds import CACHED_KINDS, JOB_KINDS, NUM_BATCHES, NUM_ROWS, JobKind

from feedline import ProducerPool
from feedline.common.batch.layout import digest

pytestmark = pytest.mark.all_kinds

NUM_EPOCHS = 4
JOINS_AT = 3
"""The epoch, counted from 1, that begins with one producer more."""

Epoch = list[tuple[str, list[int]]]
"""Of each batch, SHA-256 of its arrays, and its labels: rows of the dataset."""


@pytest.fixture(scope="module", params=JOB_KINDS.values(), ids=JOB_KINDS)
def kind(request: pytest.FixtureRequest) -> JobKind:
    """Each kind in turn."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def data(kind: JobKind, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Its dataset."""
    return kind.data(tmp_path_factory.mktemp("kind"))


@pytest.fixture(scope="module")
def reference(kind: JobKind, data: Any) -> list[Epoch]:
    """What a single producer makes of it."""
    with pool_of(1) as pool, kind.sequence(data, pool) as sequence:
        return [epoch_of(sequence) for _ in range(NUM_EPOCHS)]


def epoch_of(sequence: Any) -> Epoch:
    """Take one epoch."""
    batches = []
    for x, y, *others in sequence:
        labels, *targets = y if isinstance(y, tuple) else (y,)
        arrays = {f"array{i}": array for i, array in enumerate((x, labels, *targets, *others))}
        batches.append((digest(arrays), labels.tolist()))
    return batches


def test_every_sample_comes_once_an_epoch_and_every_batch_has_other_bytes(reference: list[Epoch]) -> None:
    for epoch in reference:
        assert sorted(row for _, rows in epoch for row in rows) == list(range(NUM_ROWS))
    hashes = {hash_ for epoch in reference for hash_, _ in epoch}
    assert len(hashes) == NUM_EPOCHS * NUM_BATCHES


def test_three_producers_make_the_same_batches_while_they_are_killed(
    kind: JobKind, data: Any, reference: list[Epoch]
) -> None:
    with (
        pool_of(3) as pool,
        kind.sequence(data, pool) as sequence,
        Killer(pool, lambda: sequence.stats.num_batches, seed=1) as killer,
    ):
        epochs = [epoch_of(sequence) for _ in range(NUM_EPOCHS)]

    assert killer.killed
    assert epochs == reference


def test_a_producer_that_joins_late_makes_the_same_batches(
    kind: JobKind, data: Any, reference: list[Epoch]
) -> None:
    root = data.directory
    with ProducerPool("tcp://127.0.0.1:*") as pool, ExitStack() as stack:
        stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "early", workers=2)))
        wait_for_producers(pool, 2)
        sequence = stack.enter_context(kind.sequence(data, pool))
        epochs = []
        for number in range(1, NUM_EPOCHS + 1):
            if number == JOINS_AT:
                stack.enter_context(producers_elsewhere(*producer(pool.endpoint, root, "late")))
                wait_for_producers(pool, 3)
            epochs.append(epoch_of(sequence))

    assert epochs == reference


@pytest.mark.parametrize("cache", ["memory", "disk"])
@pytest.mark.parametrize("kind", CACHED_KINDS.values(), ids=CACHED_KINDS, indirect=True)
def test_batches_are_the_same_from_a_cache(
    cache: str,
    kind: JobKind,
    data: Any,
    reference: list[Epoch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pool_of(2) as pool, kind.sequence(data, pool, cache=cache, cache_bytes=1 << 26) as sequence:
        assert [epoch_of(sequence) for _ in range(2)] == reference[:2]
