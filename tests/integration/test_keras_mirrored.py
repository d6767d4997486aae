"""A distribution strategy begins an epoch of which it takes one batch, before the first real one."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from children import PATIENCE_S, pool_of
from images import SIZE, numbered
from recorder import recording_model

from feedline import BatchSequence


def test_a_mirrored_strategy_trains_every_sample_once_per_epoch_in_two_fits(tmp_path: Path) -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model, recorder = recording_model()
    with (
        pool_of(2) as pool,
        BatchSequence(
            numbered(tmp_path, 27), batch_size=5, image_size=SIZE, pool=pool, timeout_s=PATIENCE_S
        ) as sequence,
    ):
        for _ in range(2):
            model.fit(sequence, epochs=2, verbose=0)
            rows = recorder.take_rows()
            assert [sorted(rows[:27]), sorted(rows[27:])] == [list(range(27))] * 2
