"""Warnings of a producer are kept until somebody hears them."""

from __future__ import annotations

import logging

import pytest

from feedline.common.processes.waker import Waker
from feedline.common.wire.protocol import MAX_TEXT_CHARS, Notice
from feedline.producer.serving.notices import MAX_NOTICES, Notices


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.Logger("a producer's")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(Notices(Waker()))
    return logger


def taken(logger: logging.Logger) -> list[str]:
    (notices,) = logger.handlers
    assert isinstance(notices, Notices)
    return [notice.text for notice in notices.take()]


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
