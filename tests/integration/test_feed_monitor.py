"""What Keras shows of how well a training is fed, by `FeedMonitor`."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from planted import napping, pictures

from feedline import BatchSequence
from feedline.callbacks import FeedMonitor

SIZE = (24, 32)
NAMES = {"images_per_s", "data_wait_ms", "data_wait_share", "producers"}
BATCH_SIZE, NUM_STEPS = 8, 20


class Nap(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """A training whose steps take longer, by so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """After each step."""
        del batch, logs
        time.sleep(self._seconds)


def small_model() -> keras.Model:
    """One that trains in no time."""
    model = keras.Sequential(
        [keras.Input((*SIZE, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[BatchSequence]:
    """Twenty batches that one producer makes in 40 ms each."""
    data = pictures(tmp_path, BATCH_SIZE * NUM_STEPS, "png", SIZE)
    transforms = [napping(0.005)]
    with BatchSequence(
        data, batch_size=BATCH_SIZE, image_size=SIZE, workers=1, transforms=transforms
    ) as sequence:
        yield sequence


@pytest.mark.all_backends
def test_history_progress_bar_and_csv_show_it_each_for_real(
    fed: BatchSequence, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "log.csv"
    callbacks = [FeedMonitor(), keras.callbacks.CSVLogger(str(table))]
    with fed.with_options(shuffle=False) as judged:
        history = small_model().fit(fed, validation_data=judged, epochs=2, callbacks=callbacks).history
    assert history.keys() >= NAMES
    assert history["producers"] == [1.0, 1.0]
    assert all(0 < share <= 1 for share in history["data_wait_share"])
    # 40 ms a batch are at most 200 images a second, and what was built before.
    assert all(0 < rate <= 2 * BATCH_SIZE / 0.04 for rate in history["images_per_s"])
    assert set(capfd.readouterr().out.replace(":", " ").split()) >= NAMES
    with table.open() as opened:
        rows = list(csv.DictReader(opened))
    assert [float(row["images_per_s"]) for row in rows] == pytest.approx(history["images_per_s"])


@pytest.mark.exhaustive
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # of Keras, about TensorFlow
def test_tensorboard_shows_it_for_real(fed: BatchSequence, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    summaries = pytest.importorskip("tensorflow").compat.v1.train.summary_iterator
    callbacks = [FeedMonitor(), keras.callbacks.TensorBoard(str(tmp_path))]
    small_model().fit(fed, epochs=2, verbose=0, callbacks=callbacks)
    files = tmp_path.rglob("train/*.v2")
    written = {value.tag for file in files for event in summaries(str(file)) for value in event.summary.value}
    assert {f"epoch_{name}" for name in NAMES} <= written


@pytest.mark.all_backends
def test_a_trainer_that_is_slower_than_its_producers_is_not_said_to_wait_though_somebody_reads_ahead(
    fed: BatchSequence,
) -> None:
    callbacks = [FeedMonitor(), Nap(0.08)]
    history = small_model().fit(fed, epochs=2, verbose=0, callbacks=callbacks).history
    assert history["data_wait_share"][-1] < 0.2
    report = fed.report()
    assert report is not None
    assert report.verdict.snapshot.wait_share < 0.2


@pytest.mark.all_backends
def test_a_trainer_that_is_a_little_too_fast_is_said_to_wait_a_little_though_its_reader_always_does(
    fed: BatchSequence,
) -> None:
    callbacks = [FeedMonitor(), Nap(0.02)]
    history = small_model().fit(fed, epochs=3, verbose=0, callbacks=callbacks).history
    report = fed.report()
    assert report is not None
    assert report.verdict.headspace is not None
    # Of the 40 ms of a batch the trainer uses 20 and what its model takes.
    assert history["data_wait_share"][-1] < 0.6
    assert report.verdict.snapshot.wait_share < 0.6


@pytest.mark.exhaustive
def test_a_training_on_something_else_is_told_so_once(caplog: pytest.LogCaptureFixture) -> None:
    import numpy as np  # noqa: PLC0415 - only here

    x, y = np.zeros((8, *SIZE, 3), np.uint8), np.zeros(8)
    with caplog.at_level(logging.WARNING):
        history = small_model().fit(x, y, epochs=2, verbose=0, callbacks=[FeedMonitor()]).history
    assert not history.keys() & NAMES
    assert [r.getMessage() for r in caplog.records if "FeedMonitor has nothing to show" in r.getMessage()]
