"""Log lines as JSON say who logs, and at which batch."""

from __future__ import annotations

import json
import logging
import threading

from feedline.common.wire.protocol import Ticket
from feedline.producer.__main__ import JsonFormatter
from feedline.producer.serving.whereabouts import at

TICKET = Ticket(3, 2, 17, 1, 0, (), ())


def line(formatter: JsonFormatter) -> dict[str, object]:
    record = logging.LogRecord("feedline.producer", logging.WARNING, "", 1, "slow %s", ("disk",), None)
    found: dict[str, object] = json.loads(formatter.format(record))
    return found


def test_a_line_about_a_batch_carries_job_epoch_step_and_producer() -> None:
    with at(TICKET):
        said = line(JsonFormatter("node7/0"))
    assert {
        "job": 3,
        "epoch": 2,
        "step": 17,
        "producer": "node7/0",
        "text": "slow disk",
    }.items() <= said.items()


def test_a_line_about_no_batch_carries_none_nor_does_one_of_another_thread() -> None:
    said = [line(JsonFormatter())]
    with at(TICKET):
        other = threading.Thread(target=lambda: said.append(line(JsonFormatter())))
        other.start()
        other.join()
    assert all({"job", "epoch", "step", "producer"}.isdisjoint(one) for one in said)
    assert len(said) == 2
