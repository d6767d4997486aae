"""How many batches a producer may have in hand, by what was said of it and of the producers."""

from __future__ import annotations

import pytest

from feedline.trainer.pool.settings import WorkersArgument
from feedline.trainer.sequences.service import QueueSizeArgument, Service


@pytest.mark.parametrize(
    ("workers", "said", "expected"),
    [
        (None, None, 10),
        (3, None, 10),
        ((2, 2), None, 10),
        ("auto", None, "auto"),
        ((1, 4), None, "auto"),
        ("auto", 10, 10),
        (3, "auto", "auto"),
    ],
)
def test_a_queue_is_found_out_with_the_number_of_producers_unless_it_is_said(
    workers: WorkersArgument, said: QueueSizeArgument | None, expected: QueueSizeArgument
) -> None:
    assert Service(None, workers, None, said, 1.0).max_queue_size == expected
