"""Feedline's log lines on the terminal, for scripts that configure no logging of their own."""

from __future__ import annotations

import logging
import os
from typing import TextIO

from feedline.common.errors import ConfigurationError

ENV = "FEEDLINE_LOG"

LEVELS = ("debug", "info", "warning", "error")

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Handler(logging.StreamHandler[TextIO]):
    """Ours: there is never a second one."""


def log_to_stderr(level: str = "info") -> logging.Handler:
    """Show Feedline's log lines from `level` on: who joined and left, and what is waited for.

    May be called again, with another level. What else is logged in this process, and where to, stays as it
    is. Without this call Python shows warnings and errors. ``FEEDLINE_LOG=info`` in the environment does
    the same.

    Parameters
    ----------
    level : {"debug", "info", "warning", "error"}
        In capitals, too.

    Returns
    -------
    logging.Handler
        On the logger ``"feedline"``; take it away with ``logging.getLogger("feedline").removeHandler``.

    Raises
    ------
    ConfigurationError
        There is no such level.
    """
    if not isinstance(level, str) or level.lower() not in LEVELS:
        raise ConfigurationError(f"level must be one of {LEVELS}, got {level!r}")
    logger = logging.getLogger("feedline")
    ours = [handler for handler in logger.handlers if isinstance(handler, _Handler)]
    handler = ours[0] if ours else _Handler()
    handler.setFormatter(logging.Formatter(FORMAT))
    logger.setLevel(level.upper())
    if not ours:
        logger.addHandler(handler)
    return handler


def log_as_environment_says() -> None:
    """Call `log_to_stderr` if ``FEEDLINE_LOG`` is set. Raises ConfigurationError if that is no level."""
    level = os.environ.get(ENV)
    if level:
        try:
            log_to_stderr(level)
        except ConfigurationError as error:
            raise ConfigurationError(f"{ENV}: {error}") from error
