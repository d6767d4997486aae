"""Warnings of a producer are kept until somebody hears them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from feedline.common.job.images import Job
from feedline.common.processes.waker import Waker
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.protocol import MAX_TEXT_CHARS, Notice, Session, Ticket, new_id
from feedline.producer.building.builders import Workshop
from feedline.producer.cache.folder import DEFAULTS
from feedline.producer.plugins import NO_PLUGINS
from feedline.producer.reading.roots import DataRoots
from feedline.producer.serving.desk import Builder, Desk
from feedline.producer.serving.notices import MAX_NOTICES, Notices
from feedline.producer.serving.session import KnownJob, Task
from feedline.producer.serving.whereabouts import at

JOB = Job(3, 0, 1, ImageSpec(8, 8), (), "uint8", ())


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.Logger("a producer's")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(Notices(Waker()))
    return logger


def notices_of(logger: logging.Logger) -> list[Notice]:
    (notices,) = logger.handlers
    assert isinstance(notices, Notices)
    return notices.take()


def taken(logger: logging.Logger) -> list[str]:
    return [notice.text for notice in notices_of(logger)]


def test_warnings_are_kept_in_order_and_taken_once(logger: logging.Logger) -> None:
    for number in range(3):
        logger.warning("no %s", number)
    assert taken(logger) == ["no 0", "no 1", "no 2"]
    assert taken(logger) == []


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.ERROR, logging.CRITICAL])
def test_only_warnings_are(logger: logging.Logger, level: int) -> None:
    logger.log(level, "else")
    assert taken(logger) == []


def test_there_is_a_limit_to_their_number_and_length(logger: logging.Logger) -> None:
    for number in range(MAX_NOTICES + 2):
        logger.warning("%s", number)
    assert taken(logger)[0] == "2"
    logger.warning("x" * (MAX_TEXT_CHARS + 1))
    assert taken(logger) == [Notice("x" * MAX_TEXT_CHARS).text]


def topic_at(logger: logging.Logger, job_id: int, pool_id: bytes, epoch: int = 0) -> str:
    """That of a warning about a batch."""
    with at(Ticket(job_id, epoch, 0, 1, 0, (), ()), pool_id):
        logger.warning("%s has 16 bits", epoch, extra={"topic": "depth"})
    (notice,) = notices_of(logger)
    return notice.topic


def test_a_topic_is_one_of_a_job_of_a_trainer_whatever_the_batch(logger: logging.Logger) -> None:
    topic = topic_at(logger, 3, b"one")
    assert topic.startswith("depth of job 3 ")
    assert topic_at(logger, 3, b"one", epoch=1) == topic
    assert len({topic, topic_at(logger, 4, b"one"), topic_at(logger, 3, b"two")}) == 3


def test_a_topic_at_no_batch_is_as_it_was_said_and_others_have_none(logger: logging.Logger) -> None:
    logger.warning("no cache", extra={"topic": "cache"})
    with at(Ticket(3, 0, 0, 1, 0, (), ())):
        logger.warning("no memory")
    assert notices_of(logger) == [Notice("no cache", "cache"), Notice("no memory")]


class Complainer:
    """Builds batches of which each is worth a warning of one topic."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def build(self, ticket: Ticket, *_: object) -> npt.NDArray[np.uint8]:
        """See `TicketBuilder`."""
        self._logger.warning("step %s has 16 bits", ticket.step, extra={"topic": "depth"})
        return np.zeros(1, np.uint8)


def test_what_a_builder_warns_of_is_told_apart_by_the_trainers_that_it_builds_for(tmp_path: Path) -> None:
    desk, logger = Desk(), logging.Logger("a builder's")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(desk.notices)
    known = KnownJob(JOB, Complainer(logger))
    for step, pool_id in enumerate((b"one", b"one", b"two")):
        desk.queue(Task(Session(new_id(), pool_id), known, Ticket(3, 0, step, step, 0, (), ())))
    desk.tasks.put(None)
    Builder(desk, Workshop(DataRoots([str(tmp_path)]), DEFAULTS, NO_PLUGINS)).run()
    first, second, other = (notice.topic for notice in desk.notices.take())
    assert first == second
    assert first != other
