"""``workers="auto"`` with real processes: what a training needs, and no more."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import pytest
from children import PATIENCE_S, wait_for_producers
from planted import napping, pictures

from feedline import BatchSequence, ImageDataset, ProducerPool
from feedline.callbacks import FeedMonitor
from feedline.common.memory.arena import whole_pages
from feedline.errors import ConfigurationError
from feedline.trainer.dispatch.queue_size import FIRST_SLOTS, MOST_SLOTS
from feedline.trainer.pool import sizer
from feedline.trainer.pool.settings import WorkersArgument
from feedline.trainer.pool.shared import SHARED
from feedline.trainer.verdict import sizing

SIZE = (24, 32)
SIZER = "feedline.trainer.pool.sizer"


class Decisions(logging.Handler):
    """Collects them from the log: from how many producers to how many."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[int, int]] = []
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One decision more."""
        text = record.getMessage()
        after, before = map(int, re.findall(r"(\d+) producers? instead of (\d+)", text)[0])
        self.made.append((before, after))
        self.texts.append(text)


@pytest.fixture
def decisions() -> Iterator[Decisions]:
    handler, logger = Decisions(), logging.getLogger(SIZER)
    logger.addHandler(handler)
    before, logger.level = logger.level, logging.INFO
    yield handler
    logger.setLevel(before)
    logger.removeHandler(handler)


@pytest.fixture
def data(tmp_path: Path) -> ImageDataset:
    return pictures(tmp_path, 320, "png", SIZE)


def train_until(sequence: BatchSequence, step_s: float, is_enough: Callable[[], object]) -> None:
    """Train by hand, epoch after epoch, until something is as it should be."""
    until = time.monotonic() + PATIENCE_S
    while True:
        for _ in sequence:
            if is_enough():
                return
            assert time.monotonic() < until, f"trained for {PATIENCE_S:g} s"
            time.sleep(step_s)


def seconds_later(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


@pytest.mark.exhaustive
def test_there_are_no_more_than_have_memory_for_their_batches(
    data: ImageDataset, decisions: Decisions
) -> None:
    slot_bytes = whole_pages(8 * (SIZE[0] * SIZE[1] * 3 + 8))
    with (
        ProducerPool(workers=(1, 6), memory_budget=4 * slot_bytes) as pool,
        BatchSequence(data, pool=pool, batch_size=8, image_size=SIZE, transforms=[napping(0.01)]) as sequence,
    ):
        train_until(sequence, 0.01, lambda: len(decisions.made) >= 2)
        assert "memory_budget has slots for no more" in decisions.texts[-1]
        num = decisions.made[-1][1]
        wait_for_producers(pool, num)
        train_until(sequence, 0.01, seconds_later(10.0))
        assert len(decisions.made) == 2
        assert 1 < len(pool.producers) == num < decisions.made[0][1]


@pytest.mark.exhaustive
def test_a_heavy_load_gets_what_it_needs_at_once_and_keeps_it(
    data: ImageDataset, decisions: Decisions
) -> None:
    with (
        ProducerPool(workers=(1, 6)) as pool,
        BatchSequence(data, pool=pool, batch_size=8, image_size=SIZE, transforms=[napping(0.01)]) as sequence,
    ):
        # A batch takes 80 ms, a step 40: two are needed, and a third has the time that is lost in between.
        train_until(sequence, 0.04, lambda: decisions.made and pool.num_producers > 1)
        assert decisions.made[0] in {(1, 2), (1, 3), (1, 4)}, decisions.texts
        assert "transform-bound" in decisions.texts[0]
        wait_for_producers(pool, decisions.made[0][1])
        train_until(sequence, 0.04, seconds_later(1.0))
        assert len(decisions.made) == 1, decisions.texts


@pytest.mark.exhaustive
def test_a_trainer_that_is_the_limit_has_as_few_as_there_may_be(
    data: ImageDataset, decisions: Decisions
) -> None:
    with (
        ProducerPool(workers="auto") as pool,
        BatchSequence(
            data, pool=pool, batch_size=8, image_size=SIZE, transforms=[napping(0.001)]
        ) as sequence,
    ):
        train_until(sequence, 0.04, seconds_later(12.0))
        assert decisions.made == []
        assert pool.num_producers == 1


@pytest.mark.planted
@pytest.mark.parametrize("is_told", [True, False])
def test_in_fit_two_decisions_are_enough(data: ImageDataset, decisions: Decisions, is_told: bool) -> None:
    """Without `FeedMonitor` TensorFlow does not let on how fast it would be: one more decision."""

    class Slow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            del batch, logs
            time.sleep(0.04)
            self.model.stop_training = is_over()

    model = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    is_over = seconds_later(25.0)
    options = {"batch_size": 8, "image_size": SIZE, "transforms": [napping(0.01)]}
    with ProducerPool(workers=(1, 6)) as pool, BatchSequence(data, pool=pool, **options) as sequence:
        model.fit(sequence, epochs=100, verbose=0, callbacks=[Slow(), *[FeedMonitor()] * is_told])
        assert 1 <= len(decisions.made) <= 2, decisions.texts
        assert decisions.made[-1][1] in {2, 3, 4}, decisions.texts


@pytest.mark.planted
def test_producers_that_idle_leave_and_those_that_are_missed_come_back(
    data: ImageDataset, decisions: Decisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (sizing, sizer):
        monkeypatch.setattr(room, "PATIENCE_S", 3.0)
    with (
        ProducerPool(workers=(1, 6)) as pool,
        BatchSequence(data, pool=pool, batch_size=8, image_size=SIZE, transforms=[napping(0.01)]) as sequence,
    ):
        train_until(sequence, 0.04, lambda: decisions.made)
        large = decisions.made[0][1]
        wait_for_producers(pool, large)
        # Ten times the step is a fifth of what one producer makes.
        train_until(sequence, 0.4, lambda: len(decisions.made) > 1)
        assert decisions.made[1] == (large, 1), decisions.texts
        wait_for_producers(pool, 1)
        train_until(sequence, 0.04, lambda: len(decisions.made) > 2)
        wait_for_producers(pool, decisions.made[2][1])
        # Nobody trains any more.
        wait_for_producers(pool, 1)
        assert "no batch was asked for" in decisions.texts[-1]


def test_a_number_is_the_least_for_all_and_a_range_goes_as_far_as_any(data: ImageDataset) -> None:
    options = {"batch_size": 8, "image_size": SIZE}
    with BatchSequence(data, workers=(1, 2), **options) as sequence:
        wait_for_producers(sequence.pool, 1)
        with BatchSequence(data, workers=2, **options):
            assert SHARED._largest[0] == sizing.Workers(2, 2)
            wait_for_producers(sequence.pool, 2)
        # What there are is within the range: they stay until they are not needed.
        assert SHARED._largest[0] == sizing.Workers(1, 2)
        sequence.resize("auto")
        assert SHARED._largest[0].least == 1
        sequence.resize(workers=1)
        wait_for_producers(sequence.pool, 1)
        assert sequence.with_options(workers="auto").pool is sequence.pool


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        ("many", "workers must be a whole number, at least 1, 'auto' or (min, max), got 'many'"),
        ((1, 2, 3), "workers must be (min, max), two whole numbers, got (1, 2, 3)"),
        ((4, 2), "workers must be (min, max), got (4, 2)"),
        ((0, 2), "workers=(0, 2): each must be a whole number, at least 1, got 0"),
        (True, "workers must be a whole number, at least 1, got True"),
        (5000, "workers must be at most 4,096, got 5000"),
    ],
)
def test_what_is_no_number_of_producers_is_refused(data: ImageDataset, workers: object, words: str) -> None:
    for make in (lambda: BatchSequence(data, workers=workers), lambda: ProducerPool(workers=workers)):
        with pytest.raises(ConfigurationError, match=re.escape(words)):
            make()
    with pytest.raises(ConfigurationError, match="an endpoint is for producers elsewhere"):
        ProducerPool("tcp://127.0.0.1:*", workers="auto")


@pytest.mark.parametrize(("workers", "expected"), [((1, 2), MOST_SLOTS), (1, FIRST_SLOTS)])
def test_a_queue_is_found_out_where_a_pool_finds_out_its_producers(
    data: ImageDataset, workers: WorkersArgument, expected: int
) -> None:
    with ProducerPool(workers=workers) as pool, BatchSequence(data, pool=pool, image_size=SIZE) as sequence:
        assert sequence.max_queue_size == expected


@pytest.mark.exhaustive
def test_a_queue_becomes_as_long_as_pauses_of_the_trainer_need(
    data: ImageDataset, caplog: pytest.LogCaptureFixture
) -> None:
    """It is away for a second after each epoch, which it takes without a pause."""
    caplog.set_level(logging.INFO)
    slow = {"batch_size": 8, "image_size": SIZE, "transforms": [napping(0.004)]}
    with (
        ProducerPool(workers=1) as pool,
        BatchSequence(data, pool=pool, max_queue_size="auto", **slow) as sequence,
    ):
        wait_for_producers(pool, 1)
        lengths = []
        for _ in range(3):
            sum(1 for _ in sequence)
            lengths.append(length_when_full(pool))
            time.sleep(1.0)
    assert lengths[0] == 10
    assert lengths[-1] >= 20
    assert [text for text in caplog.messages if "batches of each producer in hand instead of 10" in text]


def length_when_full(pool: ProducerPool) -> int:
    """Wait until nothing is built any more; returns how many batches the producer may have in hand."""
    until = time.monotonic() + PATIENCE_S
    while True:
        standings = pool._call(lambda _: pool._thread.exchange.standings)
        (job,) = standings.jobs
        if not job.num_in_work and not standings.slots.get("free"):
            assert isinstance(job.queue_size, int)
            return job.queue_size
        assert time.monotonic() < until
        time.sleep(0.01)
