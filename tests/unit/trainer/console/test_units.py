"""Numbers as people read them."""

from __future__ import annotations

import pytest

from feedline.trainer.console.units import in_bytes


@pytest.mark.parametrize(
    ("num_bytes", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (77_200, "77.2 kB"),
        (328_000, "328 kB"),
        (3.1e9, "3.1 GB"),
        (4e15, "4,000 TB"),
    ],
)
def test_bytes_are_said_in_three_digits(num_bytes: float, words: str) -> None:
    assert in_bytes(num_bytes) == words
