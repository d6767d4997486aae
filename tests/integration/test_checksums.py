"""A byte that changes on its way never gets into a batch."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from bare_trainer import BareTrainer, names_in
from children import producers_elsewhere
from images import rows_in, write_images
from wiretap import Wiretap

from feedline import ProducerPool

NUM_ROWS = 24
BATCH_SIZE = 12
PIECE_BYTES = 12_000
"""A piece of so many bytes is in the middle of the pixels of a batch, which has twice as many."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, NUM_ROWS)
    return folder


class Damage:
    """Changes one bit of the first pieces that are large enough."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, data: bytes) -> bytes:
        """A piece as it goes on."""
        if self.left == 0 or len(data) < PIECE_BYTES:
            return data
        self.left -= 1
        changed = bytearray(data)
        changed[len(data) // 2] ^= 0x80
        return bytes(changed)


def rows_of_an_epoch(images: Path, damage: Damage, *, checksums: bool) -> list[int]:
    """What the images say that they are."""
    with (
        ProducerPool("tcp://127.0.0.1:*", transport="frames", checksums=checksums) as pool,
        Wiretap(int(pool.endpoint.rsplit(":", 1)[1]), damage) as tap,
        producers_elsewhere(
            *("-m", "feedline.producer", "--connect", tap.endpoint, "--data-root", str(images)),
            *("--workers", "1", "--name", "far"),
        ),
    ):
        trainer = BareTrainer(pool, images, names_in(images), batch_size=BATCH_SIZE)
        batches = [trainer.fetch_arrays(step) for step in range(trainer.num_steps)]
        assert damage.left == 0
        # Of two batches on their way the second comes when the producer was sent away for the first.
        assert ("checksum" in pool.stats().refused) is checksums
        return [row for batch in batches for row in rows_in(batch["x"])]


def test_a_batch_with_other_bytes_than_were_built_is_built_again(
    images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert rows_of_an_epoch(images, Damage(2), checksums=True) == list(range(NUM_ROWS))
    assert "are not those that were built: their checksum is wrong" in caplog.text


@pytest.mark.exhaustive
def test_without_checksums_nobody_would_know(images: Path) -> None:
    """Else the test before would show nothing: the byte that it changes is one of a pixel."""
    with pytest.raises(AssertionError, match="an image has pixels of different rows"):
        rows_of_an_epoch(images, Damage(2), checksums=False)
