"""Which batch a thread is at, so that log lines can say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from feedline.common.wire.protocol import Ticket

_TICKET: ContextVar[Ticket | None] = ContextVar("ticket", default=None)


@contextmanager
def at(ticket: Ticket) -> Iterator[None]:
    """What is logged in here, by this thread, is about this batch."""
    token = _TICKET.set(ticket)
    try:
        yield
    finally:
        _TICKET.reset(token)


def whereabouts() -> dict[str, int]:
    """Job, epoch and step that this thread is at; empty if it is at none."""
    ticket = _TICKET.get()
    if ticket is None:
        return {}
    return {"job": ticket.job_id, "epoch": ticket.epoch, "step": ticket.step}
