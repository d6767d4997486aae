"""Whoever waits for a batch, and how each wait ends. Used by the pool's thread alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from feedline.common.errors import FeedlineError
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.pool.handover.delivery import Delivery


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """Somebody who waits for a step.

    Attributes
    ----------
    future : Future of Delivery
        Gets the batch, or the reason why not.
    timeout_s : float
        The longest it may wait.
    dealt_with_interrupts : bool
        Every Ctrl-C so far has raised KeyboardInterrupt where this waits: it is about what comes after.
    asked_at : float
        When it began, in seconds of the system's monotonic clock.
    """

    future: Future[Delivery]
    timeout_s: float
    dealt_with_interrupts: bool = False
    asked_at: float = field(default_factory=time.monotonic)

    @property
    def waited_s(self) -> float:
        """Seconds that it has waited so far."""
        return time.monotonic() - self.asked_at

    def give(self, delivery: Delivery) -> None:
        """Hand the batch over; who has gone away in the meantime leaves it where it is."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_result(delivery)
        else:
            delivery.release()

    def refuse(self, error: FeedlineError) -> None:
        """Raise `error` where the batch is waited for."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


@dataclass(slots=True)
class Waiters:
    """All waits of a pool, by job and step; two threads may wait for the same."""

    _by_step: dict[tuple[int, StepKey], list[Waiter]] = field(default_factory=dict)

    def add(self, job_id: int, key: StepKey, waiter: Waiter) -> None:
        """A wait begins."""
        self._by_step.setdefault((job_id, key), []).append(waiter)

    def take(self, job_id: int, key: StepKey) -> list[Waiter]:
        """All waits for a step, which are the caller's to end."""
        return self._by_step.pop((job_id, key), [])

    def refuse(self, job_id: int, key: StepKey, error: FeedlineError) -> None:
        """End all waits for a step with an error."""
        for waiter in self.take(job_id, key):
            waiter.refuse(error)

    def drop(self, job_id: int, key: StepKey, future: Future[Delivery]) -> bool:
        """A wait ended by itself; whether it was the last one for its step."""
        others = [waiter for waiter in self.take(job_id, key) if waiter.future is not future]
        for waiter in others:
            self.add(job_id, key, waiter)
        return not others

    def steps(self, of_job: Callable[[int], bool] = lambda _: True) -> list[tuple[int, StepKey]]:
        """All (job_id, step) waited for, of the jobs that `of_job` accepts."""
        return [(job_id, key) for job_id, key in self._by_step if of_job(job_id)]

    def __contains__(self, step: tuple[int, StepKey]) -> bool:
        return step in self._by_step
