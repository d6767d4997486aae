"""A training waits, the log says why; the one change that it names is made, and it does not wait any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from planted import napping, pictures
from test_feed_monitor import Nap, small_model

from feedline import BatchSequence, ImageDataset
from feedline.callbacks import FeedMonitor
from feedline.trainer.verdict.remedies import Lever, Remedy
from feedline.trainer.verdict.report import Report
from feedline.trainer.verdict.verdict import WAITS_MUCH_SHARE, Bound

SIZE = (24, 32)
Lines = Callable[[], list[str]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """What the log has said of epochs."""
    caplog.set_level(logging.INFO, "feedline.trainer.sequences.passes")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "feedline.trainer.sequences.passes"]


class Away(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """A training that is at something else after each epoch, for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Such as writing a checkpoint."""
        del epoch, logs
        time.sleep(self._seconds)


def fit(sequence: BatchSequence, step_s: float, epochs: int = 2, away_s: float = 0.0) -> Report:
    """Train; what the last epoch showed."""
    callbacks = [FeedMonitor(), Nap(step_s), Away(away_s)]
    small_model().fit(sequence, epochs=epochs, verbose=0, callbacks=callbacks)
    report = sequence.report()
    assert report is not None
    return report


def named(report: Report, lever: Lever) -> Remedy:
    """The change that the report names."""
    (remedy,) = [remedy for remedy in report.remedies if remedy.lever is lever]
    return remedy


def train_until_fed(sequence: BatchSequence, step_s: float) -> Report:
    """Some epochs, of which the first may fill a cache or meet producers that begin."""
    for _ in range(4):
        report = fit(sequence, step_s)
        if report.verdict.snapshot.wait_share < WAITS_MUCH_SHARE / 2:
            break
    return report


def assert_says(line: str, report: Report, remedy: Remedy) -> None:
    """The log's line has the verdict and the change in words."""
    assert report.sentence in line
    assert "the trainer waits" in line
    assert remedy.text in line


def waits(report: Report) -> float:
    """The share of its time that the trainer waited."""
    return report.verdict.snapshot.wait_share


@pytest.mark.planted
def test_too_few_producers(tmp_path: Path, lines: Lines) -> None:
    data = pictures(tmp_path, 320, "png", SIZE)
    with BatchSequence(
        data, batch_size=8, image_size=SIZE, workers=1, transforms=[napping(0.01)]
    ) as sequence:
        before = fit(sequence, 0.04)
        assert before.verdict.bound is Bound.TRANSFORM
        remedy = named(before, Lever.PRODUCERS)
        assert_says(lines()[-1], before, remedy)
        assert isinstance(remedy.value, int)
        sequence.resize(workers=remedy.value)
        after = train_until_fed(sequence, 0.05)
    assert waits(before) > WAITS_MUCH_SHARE
    assert waits(after) < waits(before) / 2


@pytest.mark.planted
def test_a_trainer_that_is_away_between_epochs(tmp_path: Path, lines: Lines) -> None:
    data = pictures(tmp_path, 320, "png", SIZE)
    slow = {"batch_size": 8, "image_size": SIZE, "workers": 1, "transforms": [napping(0.005)]}
    with BatchSequence(data, **slow) as sequence:
        before = fit(sequence, 0.02, epochs=3, away_s=2.0)
        remedy = named(before, Lever.MAX_QUEUE_SIZE)
        assert_says(lines()[-1], before, remedy)
        assert isinstance(remedy.value, str)
        sequence.resize(max_queue_size=remedy.value)
        after = fit(sequence, 0.02, epochs=5, away_s=2.0)
    assert waits(before) > WAITS_MUCH_SHARE
    assert waits(after) < waits(before) / 2


@pytest.mark.planted
def test_large_photographs(tmp_path: Path, lines: Lines) -> None:
    data = pictures(tmp_path, 80, "jpg", (2400, 3200))
    waiting, after = _changed(data, Lever.JPEG_SCALING, lines)
    assert waits(after) < waits(waiting) / 2


@pytest.mark.planted
def test_the_same_files_read_and_decoded_in_each_epoch(tmp_path: Path, lines: Lines) -> None:
    data = pictures(tmp_path, 96, "jpg", (1200, 1600))
    waiting, after = _changed(data, Lever.CACHE, lines)
    assert waits(after) < waits(waiting) / 2


def _changed(data: ImageDataset, lever: Lever, lines: Lines) -> tuple[Report, Report]:
    """Train with all that is usual, then with the one change that is named; what both show.

    A step takes half of what this machine decodes a batch in, with what Keras takes of it.
    """
    with BatchSequence(data, batch_size=4, image_size=SIZE, workers=1) as sequence:
        alone = fit(sequence, 0.0).verdict.snapshot
        step_s = max(0.0, alone.build_s / 2 - alone.step_s)
        before = fit(sequence, step_s)
        assert before.verdict.bound is Bound.DECODE
        assert waits(before) > WAITS_MUCH_SHARE
        remedy = named(before, lever)
        assert_says(lines()[-1], before, remedy)
        with sequence.with_options(**{remedy.lever.value: remedy.value}) as changed:
            return before, train_until_fed(changed, step_s)
