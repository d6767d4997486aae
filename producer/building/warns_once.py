"""A warning of the first of many like it: one for each job, however many producers find one."""

from __future__ import annotations

import logging


class WarnsOnce:
    """Warns of the first thing of a kind, for one job.

    Each producer of the job finds a first one of its own; the trainer knows by the topic that they are alike.

    Parameters
    ----------
    logger : Logger
        Of who finds it.
    topic : str
        The kind, in a word.
    """

    def __init__(self, logger: logging.Logger, topic: str) -> None:
        self._logger = logger
        self._extra = {"topic": topic}
        self.has_warned = False

    def warn(self, text: str) -> None:
        """Say it, in whole sentences, if nothing of the kind was said yet."""
        if not self.has_warned:
            self.has_warned = True
            self._logger.warning(f"{text} Others like it are not told", extra=self._extra)
