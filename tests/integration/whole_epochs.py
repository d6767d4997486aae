"""Epochs that are checked by what is in them, for tests of faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from children import PATIENCE_S
from images import rows_in, write_images

from feedline import BatchSequence, ImageDataset, ProducerPool

NUM_ROWS = 60
BATCH_SIZE = 4
LARGE = (240, 320)
"""Large enough that producers hold leases at any moment."""


def rows_dataset(folder: Path, num_rows: int = NUM_ROWS) -> ImageDataset:
    """Photographs whose label is their row."""
    names = write_images(folder, num_rows, "jpg", LARGE)
    return ImageDataset.from_lists(names, range(num_rows), directory=folder)


def rows_sequence(data: ImageDataset, pool: ProducerPool, **options: Any) -> BatchSequence:
    """Its batches, shuffled."""
    usual = {"batch_size": BATCH_SIZE, "image_size": LARGE, "timeout_s": PATIENCE_S}
    return BatchSequence(data, pool=pool, **usual | options)


def take_whole_epochs(sequence: BatchSequence, num: int = 1) -> None:
    """Take epochs, and fail unless each has every sample once, with its own image."""
    for _ in range(num):
        rows = []
        for x, y in sequence:
            assert rows_in(x) == y.tolist()
            rows += y.tolist()
        assert sorted(rows) == list(range(len(sequence.labels)))
