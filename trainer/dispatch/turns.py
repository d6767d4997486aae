"""Which jobs have slots: those that are read. The others rest until they are asked for something.

Keras keeps every sequence alive that ``fit`` ever saw, so most jobs of a long session will never be asked
again, and nobody says which. A job that rests has no slots and no leases, and its plan stands where it stood.
One that was not asked for long rests; so does, when the budget has no room for a job that is asked, the one
that was asked least recently. If more are read at a time than there is room for, they take turns.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from feedline.common.errors import ConfigurationError
from feedline.trainer.dispatch.books import Books
from feedline.trainer.dispatch.instructions import ForgetJob, RestJob, SendCloseJob, SendJob
from feedline.trainer.dispatch.leases import Leases
from feedline.trainer.dispatch.shares import Shares
from feedline.trainer.dispatch.slots import MIN_SLOTS, SlotNeed
from feedline.trainer.dispatch.works import Work

MAX_AWAKE = 64
"""So many jobs have slots at a time, however small they are: each takes descriptors at every producer."""

MAX_KNOWN_AT_REST = 16
"""So many resting jobs are still known to producers, with their caches and what users' code has loaded."""

TURN_S = 1.0
"""A job that is asked all the time gives way to one that waits when it has had slots for so long."""

RECENT_S = 10.0
"""Who was asked so recently is being read: that it has to rest is worth a warning."""


class Turns:
    """Puts jobs to rest, and wakes them.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    leases : Leases
        What a job that rests gives up.
    shares : Shares
        Divide the budget among the others.
    """

    def __init__(self, books: Books, leases: Leases, shares: Shares) -> None:
        self._books = books
        self._leases = leases
        self._shares = shares
        self._has_warned = False

    def admit(self, work: Work) -> None:
        """A job was opened: it has slots at once if there is room, or else when it is asked for something.

        Raises
        ------
        ConfigurationError
            The budget has no room for `MIN_SLOTS` of its batches, though all others rest.
        """
        budget_bytes, least = self._books.slots.budget_bytes, MIN_SLOTS * work.need.slot_bytes
        if least > budget_bytes:
            raise ConfigurationError(
                f"memory_budget={budget_bytes:,} bytes has no room for {MIN_SLOTS} batches of"
                f" {work.need.slot_bytes:,} bytes: {least:,} are needed at least"
            )
        if self._has_room_for([work.need]):
            self._rouse(work)
        else:
            self._books.resting[work.job_id] = work

    def change_budget(self, budget_bytes: int) -> None:
        """There is more or less to divide, but never less than the largest job needs by itself."""
        needs = [work.need.slot_bytes for work in self._books.all_works]
        self._books.slots.budget_bytes = max(budget_bytes, MIN_SLOTS * max(needs, default=0))
        for work in sorted(self._books.works.values(), key=_least_wanted_first):
            if self._has_room_for([]):
                break
            self.rest(work)
        self._shares.divide()

    def wake(self, now: float) -> None:
        """Let those have slots that are waited for, the longest wait first."""
        waiting = [work for work in self._books.waiting.values() if work.demands]
        self._books.waiting = {work.job_id: work for work in waiting}
        for work in sorted(waiting, key=lambda work: next(iter(work.demands.values())).since):
            if not self._make_room(work, now):
                return
            del self._books.resting[work.job_id], self._books.waiting[work.job_id]
            self._rouse(work, now)
            self._shares.divide()

    def review(self, now: float) -> None:
        """Time passed: put to rest who was not asked for long, and let producers forget the oldest."""
        idle = [work for work in self._books.works.values() if work.is_idle(now)]
        for work in idle:
            self.rest(work)
        if idle:
            self._shares.divide()
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        known = sorted((work for work in self._books.resting.values() if work.told), key=_least_wanted_first)
        for work in known[: max(0, len(known) - MAX_KNOWN_AT_REST)]:
            self._forget(work)

    def rest(self, work: Work) -> None:
        """Take a job's slots; its plan goes on when it is asked again. The caller divides the budget anew."""
        self._leases.put_down_all(work)
        self._books.resting[work.job_id] = self._books.works.pop(work.job_id)
        if work.demands:
            self._books.waiting[work.job_id] = work
        self._books.out.append(RestJob(work.job_id))

    def tell(self, work: Work, producers: Iterable[bytes]) -> None:
        """Tell producers of a job, unless they know it."""
        new = [producer_id for producer_id in producers if producer_id not in work.told]
        self._books.out += [SendJob(producer_id, work.job_id) for producer_id in new]
        work.told.update(new)

    def _rouse(self, work: Work, now: float | None = None) -> None:
        work.woken_at, work.num_served = work.asked_at if now is None else now, 0
        self._books.works[work.job_id] = work
        self.tell(work, self._books.peers)

    def _forget(self, work: Work) -> None:
        """Let producers forget a job, and the memory they share for it, unless some of it is still in use."""
        owners = [(producer_id, work.job_id) for producer_id in work.told]
        if any(True for owner in owners for _ in self._books.slots.of_owner(owner)):
            return
        present = [producer_id for producer_id in work.told if producer_id in self._books.peers]
        self._books.out += [SendCloseJob(producer_id, work.job_id) for producer_id in present]
        self._books.out.append(ForgetJob(work.job_id))
        work.told.clear()

    def _make_room(self, work: Work, now: float) -> bool:
        """Put others to rest until there is room; none, if all who can rest would not make enough."""
        resting: list[Work] = []
        for other in sorted(self._books.works.values(), key=_least_wanted_first):
            if self._has_room_for([work.need], without=resting):
                break
            if _can_rest(other, now):
                resting.append(other)
        if not self._has_room_for([work.need], without=resting):
            return False
        if any(now - other.asked_at < RECENT_S for other in resting):
            self._warn()
        for other in resting:
            self.rest(other)
        self._forget_oldest()
        return True

    def _has_room_for(self, needs: Iterable[SlotNeed], without: Iterable[Work] = ()) -> bool:
        gone = {work.job_id for work in without}
        awake = [work.need for work in self._books.works.values() if work.job_id not in gone]
        together = [*awake, *needs]
        least = MIN_SLOTS * sum(need.slot_bytes for need in together)
        return least <= self._books.slots.budget_bytes and len(together) <= max(MAX_AWAKE, len(awake))

    def _warn(self) -> None:
        """Say once that batches are built in vain."""
        if not self._has_warned:
            self._has_warned = True
            self._books.note(logging.WARNING, f"{self._books.why_turns}. Until then they take turns")


def _least_wanted_first(work: Work) -> tuple[bool, float]:
    return bool(work.demands), work.asked_at


def _can_rest(work: Work, now: float) -> bool:
    """Whether nobody waits for it, or it has had its turn: one in which it got nothing is none."""
    return not work.demands or (work.num_served > 0 and now - work.woken_at >= TURN_S)
