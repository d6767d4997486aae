"""What the server shows, wherever that comes from: the pool of this process, or a training elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError, FeedlineError
from feedline.trainer.monitor.glimpses import Glimpses
from feedline.trainer.monitor.metrics import exposition
from feedline.trainer.monitor.pictures import png_of
from feedline.trainer.monitor.recorder import Recorder
from feedline.trainer.monitor.reply import Reply
from feedline.trainer.monitor.thumbnails import BusyError, Thumbnails


class Source(Protocol):
    """Answers requests. Each may take a moment, and is called outside the server's loop."""

    def view(self, since_s: float, authorization: str, /) -> Reply:
        """The view, as JSON; of the history, what came after a moment."""

    def picture(self, job_id: int, authorization: str, /) -> Reply:
        """Some images of a job's last batch, as PNG."""

    def bad(self, job_id: int, number: int, authorization: str, /) -> Reply:
        """What can be seen of a bad file, by its number in the view, as PNG.

        Nothing (204) if that is nothing, and "ask again" (202) while another is looked at.
        """

    def metrics(self, authorization: str, /) -> Reply:
        """What Prometheus scrapes."""

    def scale(self, body: bytes, authorization: str, /) -> Reply:
        """Have another number of producers; the body is JSON, ``{"producers": 4}``."""

    def review(self) -> None:
        """A second went by."""

    def close(self) -> None:
        """Nobody asks any more; ends what is under way."""


class PoolSource:
    """The pool of this process.

    Parameters
    ----------
    recorder : Recorder
        Has its views.
    glimpses : Glimpses
        Has its pictures.
    resize : callable or None
        Has so many embedded producers; None where producers are started elsewhere, or nobody may scale.
    """

    def __init__(self, recorder: Recorder, glimpses: Glimpses, resize: Callable[[int], None] | None) -> None:
        self._recorder, self._glimpses, self._resize = recorder, glimpses, resize
        self._thumbnails = Thumbnails()

    def view(self, since_s: float, _authorization: str, /) -> Reply:
        """See `Source`."""
        return Reply.json(self._recorder.view(since_s, can_scale=self._resize is not None))

    def picture(self, job_id: int, _authorization: str, /) -> Reply:
        """See `Source`."""
        glimpse = self._glimpses.take(job_id)
        if glimpse is None:
            # The next batch will be one.
            return Reply(204, "image/png", b"")
        return Reply(200, "image/png", png_of(glimpse))

    def bad(self, job_id: int, number: int, _authorization: str, /) -> Reply:
        """See `Source`."""
        path = self._recorder.bad_file(job_id, number)
        if path is None:
            return Reply.error(404, "there is no such job, or it has no such bad file")
        try:
            png = self._thumbnails.take(path)
        except BusyError:
            return Reply(202, "image/png", b"")
        return Reply(204, "image/png", b"") if png is None else Reply(200, "image/png", png)

    def metrics(self, _authorization: str, /) -> Reply:
        """See `Source`."""
        body, content_type = exposition(self._recorder.view(float("inf")))
        return Reply(200, content_type, body)

    def scale(self, body: bytes, _authorization: str, /) -> Reply:
        """See `Source`."""
        if self._resize is None:
            return Reply.error(409, "producers of this pool are started elsewhere, and scaled there")
        try:
            self._resize(wanted_producers(body))
        except ConfigurationError as error:
            return Reply.error(400, str(error))
        except FeedlineError as error:
            return Reply.error(409, str(error))
        return Reply.json({"ok": True})

    def review(self) -> None:
        """See `Source`."""
        self._recorder.review()

    def close(self) -> None:
        """See `Source`."""
        self._thumbnails.close()


MOST_PRODUCERS = 4096
"""As `ProducerPool` takes at most."""


def wanted_producers(body: bytes) -> int:
    """Read ``{"producers": 4}``.

    Raises
    ------
    ConfigurationError
        It is anything else.
    """
    try:
        value = json.loads(body)["producers"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f'the body is {{"producers": N}} in JSON, got {body[:80]!r}') from error
    return whole("producers", value, at_least=1, at_most=MOST_PRODUCERS)
