"""A byte that changes on its way never gets into a batch."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from bare_trainer import BareTrainer, names_in
from children import producers_elsewhere
from images import rows_in, write_images
from wiretap import Change, Wiretap

from feedline import ProducerPool

NUM_ROWS = 24
BATCH_SIZE = 12
PIXELS_BYTES = 24_000
"""The pixels of a batch are the only frames of a message that have so many."""
GREETING_BYTES = 64
"""What either side says before its first frame."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, NUM_ROWS)
    return folder


class Damage:
    """Changes one bit in the pixels of the first batches that pass, however TCP cuts them into pieces."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> Change:
        """What the pieces of one connection go through: frames go on when they are whole."""
        greeting_left = GREETING_BYTES
        held = bytearray()

        def change(piece: bytes) -> bytes:
            nonlocal greeting_left, held
            # The greeting goes on as it comes: one side does not end its own before it has heard the other.
            greeting, rest = piece[:greeting_left], piece[greeting_left:]
            greeting_left -= len(greeting)
            held += rest
            passed = bytearray(greeting)
            while (num_bytes := first_frame_bytes(held)) is not None:
                frame, held = held[:num_bytes], held[num_bytes:]
                if self.left and len(frame) >= PIXELS_BYTES:
                    self.left -= 1
                    frame[len(frame) // 2] ^= 0x80
                passed += frame
            return bytes(passed)

        return change


def first_frame_bytes(stream: bytearray) -> int | None:
    """The size of the frame that `stream` begins with, None while it is not whole.

    ZMTP 3.1 (ZeroMQ RFC 37, "Framing"): flags, whose bit 1 says that the size has eight bytes instead of
    one, the size, the body.
    """
    head = 9 if stream and stream[0] & 0x02 else 2
    if len(stream) < head:
        return None
    whole = head + int.from_bytes(stream[1:head], "big")
    return whole if len(stream) >= whole else None


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
