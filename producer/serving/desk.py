"""What the two threads of a producer share, and the one that builds.

The talking thread queues tasks and takes answers; the building thread, which is the main one, does
the reverse.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from feedline.common.errors import FeedlineError, RemoteProtocolError
from feedline.common.processes.waker import Waker
from feedline.common.stages import Stage
from feedline.common.wire.checksums import checksum
from feedline.common.wire.protocol import Batch, Cancelled, FromProducer
from feedline.producer.building.batches import CancelledBuildError, failure_of
from feedline.producer.building.builders import TicketBuilder, Workshop
from feedline.producer.building.trial import try_out
from feedline.producer.serving.notices import Notices
from feedline.producer.serving.session import Task
from feedline.producer.serving.whereabouts import at

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""The building thread waits so long for a task at a time, see `Desk.next_task`."""

Answer: TypeAlias = tuple[Task, FromProducer]


@dataclass(slots=True)
class Desk:
    """What the two threads share.

    Attributes
    ----------
    tasks : queue of Task or None
        To the builder, in the order of the tickets; None ends it.
    answers : deque of Answer
        From the builder.
    waker : Waker
        Tells the talking thread of answers, and of the end.
    notices : Notices
        Warnings, from both, to be sent.
    stopping : bool
        Tickets in the queue are not begun any more.
    done : threading.Event
        The builder has ended: say goodbye.
    """

    tasks: queue.SimpleQueue[Task | None] = field(default_factory=queue.SimpleQueue)
    answers: deque[Answer] = field(default_factory=deque)
    waker: Waker = field(default_factory=Waker)
    stopping: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    notices: Notices = field(init=False)

    def __post_init__(self) -> None:
        self.notices = Notices(self.waker)

    def queue(self, task: Task) -> None:
        """Have a batch built. Called by the talking thread."""
        task.came_at = time.monotonic()
        self.tasks.put(task)

    def next_task(self) -> Task | None:
        """Wait for what was queued, or for the end. Called by the building thread.

        Python's handler of a signal runs in the main thread, between two steps of Python. A signal that comes
        when the thread has looked for signals but does not sleep yet, or that another thread took, ends no
        sleep: only the next look finds it.
        """
        while True:
            with suppress(queue.Empty):
                return self.tasks.get(timeout=LOOK_S)

    def stop(self) -> None:
        """End after the batch in hand. Called from a signal handler, in the main thread."""
        self.stopping = True
        self.tasks.put(None)


class Builder:
    """Builds what the talking thread queues. Runs in the main thread.

    Parameters
    ----------
    desk : Desk
        Shared with the talking thread.
    workshop : Workshop
        What builders work with.
    """

    def __init__(self, desk: Desk, workshop: Workshop) -> None:
        self._desk = desk
        self._workshop = workshop
        self._clock = workshop.clock
        self._builders: weakref.WeakSet[TicketBuilder] = weakref.WeakSet()

    def run(self) -> None:
        """Build until None comes, or the batch in hand when `stopping` was set."""
        while (task := self._desk.next_task()) is not None and not self._desk.stopping:
            self._clock.lap(Stage.IDLE)
            self._clock.add(Stage.QUEUED, time.monotonic() - task.came_at)
            with at(task.ticket, task.session.pool_id):
                self._desk.answers.append((task, self._answer(task)))
            self._clock.rest()
            self._desk.waker.wake()
            # While there is nothing to do, a job that was closed must not be kept, nor its cache.
            del task
        for builder in self._builders:
            builder.close()

    def _answer(self, task: Task) -> FromProducer:
        ticket = task.ticket
        try:
            memory, builder = self._shared_slot(task), self._builder(task)
            if ticket.careful:
                try_out(task.known.job, ticket, self._workshop, lambda: task.cancelled or self._desk.stopping)
            data = builder.build(ticket, lambda: task.cancelled, memory)
        except CancelledBuildError:
            return Cancelled(ticket.lease_id)
        except (Exception, SystemExit) as error:
            # Whatever it is, and though code of a user calls sys.exit, the trainer hears of it; a producer
            # goes on with the next ticket.
            if not isinstance(error, FeedlineError):
                logger.exception(f"batch {ticket.step} of epoch {ticket.epoch} failed")
            return failure_of(ticket, error)
        stages = self._clock.take()
        lies_ready = (ticket.job_id, ticket.lease_id, stages.build_us)
        if memory is not None:
            return Batch(*lies_ready, None, stages.to_wire())
        return Batch(*lies_ready, data, stages.to_wire(), checksum(data) if task.known.checksums else b"")

    @staticmethod
    def _shared_slot(task: Task) -> npt.NDArray[np.uint8] | None:
        """The ticket's slot in memory that the trainer sees too, if there is any."""
        known = task.known
        return known.arena.slot(task.ticket.slot) if known.shared and known.arena else None

    def _builder(self, task: Task) -> TicketBuilder:
        """The builder of a job, made at its first ticket and gone when the job is."""
        known = task.known
        if isinstance(known.job, str):
            raise RemoteProtocolError(known.job)
        builder: TicketBuilder | None = known.builder
        if builder is None:
            builder = known.builder = self._workshop.builder_of(known.job)
            self._builders.add(builder)
        return builder
