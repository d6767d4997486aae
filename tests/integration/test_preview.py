"""A preview shows what is delivered, to the last byte, and disturbs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from images import SIZE, numbered

from feedline import BatchSequence, ImageDataset
from feedline.errors import ConfigurationError
from feedline.transforms import RandomBrightness

NUM_ROWS = 10


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    """Images whose label is their row."""
    return numbered(tmp_path_factory.mktemp("images"), NUM_ROWS)


@pytest.fixture
def sequence(data: ImageDataset) -> Iterator[BatchSequence]:
    """Shuffled and augmented, its outputs by names."""
    with BatchSequence(
        data,
        batch_size=4,
        image_size=SIZE,
        transforms=[RandomBrightness(0.5)],
        workers=1,
        output_names=["row"],
    ) as sequence:
        yield sequence


def test_what_is_shown_is_what_is_delivered_and_what_is_on_disk(
    sequence: BatchSequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    monkeypatch.setattr("feedline.trainer.preview.picture.draw", lambda samples, *_: shown.extend(samples))
    sequence.preview(num_samples=7)
    names = sequence.filenames
    x = np.concatenate([x for x, _ in sequence])
    assert len(shown) == 7
    for number, sample in enumerate(shown):
        before, after = sample.panels
        assert np.array_equal(after.picture, x[number])
        on_disk = cv2.imread(str(Path(sequence.dataset.root, names[number])))[..., ::-1]
        assert np.array_equal(before.picture, on_disk)
        assert sample.caption.endswith(names[number])


def test_it_shows_the_epoch_that_is_under_way_and_leaves_it_whole(sequence: BatchSequence) -> None:
    first = [y["row"].tolist() for _, y in sequence]
    sweep = iter(sequence)
    rows = [next(sweep)[1]["row"].tolist()]
    named = [batch["y"].tolist() for batch in sequence.named_batches()]
    rows += [y["row"].tolist() for _, y in sweep]
    assert named == rows
    assert rows != first
    assert sorted(row for batch in rows for row in batch) == list(range(NUM_ROWS))


def test_it_is_written_as_a_picture_and_shown_by_a_notebook(sequence: BatchSequence, tmp_path: Path) -> None:
    figure = sequence.preview(tmp_path / "batch.png", num_samples=3)
    assert hasattr(figure, "savefig")
    picture = cv2.imread(str(tmp_path / "batch.png"))
    assert picture is not None
    assert picture.std() > 10


def test_what_cannot_be_written_or_shown_is_refused_in_words(sequence: BatchSequence, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write the picture '.*nowhere/a.png'"):
        sequence.preview(tmp_path / "nowhere/a.png", num_samples=1)
    with pytest.raises(ConfigurationError, match="num_samples must be"):
        sequence.preview(num_samples=0)
