"""Which batch a thread is at, so that log lines and notices can say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from feedline.common.wire.protocol import Ticket

_TICKET: ContextVar[Ticket | None] = ContextVar("ticket", default=None)
_POOL_ID: ContextVar[bytes] = ContextVar("pool_id", default=b"")


@contextmanager
def at(ticket: Ticket, pool_id: bytes = b"") -> Iterator[None]:
    """What is logged in here, by this thread, is about this batch, of the trainer with this id."""
    tokens = _TICKET.set(ticket), _POOL_ID.set(pool_id)
    try:
        yield
    finally:
        _TICKET.reset(tokens[0])
        _POOL_ID.reset(tokens[1])


def whereabouts() -> dict[str, int]:
    """Job, epoch and step that this thread is at; empty if it is at none."""
    ticket = _TICKET.get()
    if ticket is None:
        return {}
    return {"job": ticket.job_id, "epoch": ticket.epoch, "step": ticket.step}


def with_job(topic: str) -> str:
    """The topic, as one of the job that this thread is at: trainers number theirs alike."""
    ticket = _TICKET.get()
    if ticket is None or not topic:
        return topic
    return f"{topic} of job {ticket.job_id} of {_POOL_ID.get().hex()}"
