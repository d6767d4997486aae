"""One call or one variable shows the log of a script that configures none."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

import feedline
from feedline.errors import ConfigurationError

SCRIPT = """if True:
    import feedline, logging
    logging.getLogger("feedline.trainer.pool.exchange").info("producer node7/0 joined")
    logging.getLogger("feedline.trainer.pool.exchange").warning("producer node7/0 left")
    logging.getLogger("somebody.else").info("nothing to do with it")
"""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    logger = logging.getLogger("feedline")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


def test_a_second_call_changes_the_level_and_shows_nothing_twice() -> None:
    before = len(logging.getLogger("feedline").handlers)
    handler = feedline.log_to_stderr()
    assert feedline.log_to_stderr("WARNING") is handler
    assert len(logging.getLogger("feedline").handlers) == before + 1
    assert logging.getLogger("feedline.trainer").getEffectiveLevel() == logging.WARNING


@pytest.mark.parametrize("level", ["loud", "", None, 20])
def test_what_is_no_level_is_refused(level: object) -> None:
    with pytest.raises(ConfigurationError, match="level must be one of"):
        feedline.log_to_stderr(level)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("level", "expected"), [(None, ["left"]), ("info", ["joined", "left"]), ("ERROR", []), ("", ["left"])]
)
def test_the_variable_says_from_which_level_on(level: str | None, expected: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "FEEDLINE_LOG"}
    environment |= {} if level is None else {"FEEDLINE_LOG": level}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert [line.rpartition(" ")[2] for line in done.stderr.splitlines()] == expected


def test_a_variable_that_is_no_level_is_named() -> None:
    environment = {**os.environ, "FEEDLINE_LOG": "loud"}
    done = subprocess.run(
        [sys.executable, "-c", "import feedline"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "FEEDLINE_LOG: level must be one of" in done.stderr.splitlines()[-1]
