"""Steps that somebody waits for do not wait for a slow producer while a faster one could build them.

A step that lies behind another one at a slow producer is not begun: it goes elsewhere. One that is in work is
given to a second producer if that one has nothing else to do, and the first answer counts: backup tasks (Dean
and Ghemawat, "MapReduce: Simplified Data Processing on Large Clusters", OSDI 2004). Whoever builds it, it has
the same bytes. A producer that is known to be slow is given steps that others do not come to before it has
built them: see `feedline.trainer.dispatch.feeder`.
"""

from __future__ import annotations

from collections.abc import Iterable

from feedline.trainer.dispatch.books import Books
from feedline.trainer.dispatch.leases import Leases
from feedline.trainer.dispatch.paces import (
    SLOW_FACTOR,
    free_in_s,
    guess_pace,
    is_begun,
    is_slow,
    learn_pace,
    left_s,
)
from feedline.trainer.dispatch.peers import Lease, Peer
from feedline.trainer.dispatch.works import Work
from feedline.trainer.plan.epochs import StepKey


class Stragglers:
    """Gives demanded steps of slow producers to faster ones.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    leases : Leases
        Ends the old lease and makes the new one.
    """

    def __init__(self, books: Books, leases: Leases) -> None:
        self._books = books
        self._leases = leases

    def learn(self, peer: Peer, work: Work, lease: Lease) -> None:
        """A producer has built a batch."""
        was_slow = is_slow(peer, work)
        learn_pace(peer, work, lease)
        if not was_slow:
            self._take_what_comes_too_soon(peer, work)

    def _take_what_comes_too_soon(self, peer: Peer, work: Work) -> None:
        """Of one that turns out to be slow: it holds the steps of one that is not."""
        for lease in list(peer.leases.values()) if is_slow(peer, work) else ():
            if lease.slot.job_id == work.job_id and not lease.void:
                self._leases.expire(lease)

    def relieve(self, now: float) -> None:
        """Look at the steps that somebody waits for, when whoever could take a ticket has got one."""
        for work in self._books.works.values():
            for key in list(work.demands) if work.pace_s else ():
                lease = work.leased.get(key)
                if lease is not None:
                    self._relieve(work, key, lease, now)

    def _relieve(self, work: Work, key: StepKey, lease: Lease, now: float) -> None:
        """Give a step to whoever has it soonest, if that is much sooner."""
        slow = self._books.peers[lease.slot.producer_id]
        left = left_s(slow, now)[lease.lease_id]
        if left <= SLOW_FACTOR * work.pace_s:
            return
        others = [
            (peer.paces[work.job_id] + free_in_s(peer, now), peer.number, peer)
            for peer in self._others(slow, work, key, lease)
        ]
        for takes_s, _, peer in sorted(others):
            if left > SLOW_FACTOR * takes_s and self._move(lease, peer, now):
                self._take_what_comes_too_soon(slow, work)
                return

    def _move(self, lease: Lease, peer: Peer, now: float) -> bool:
        """Have another producer build a step, too, if it has a slot for it."""
        work = self._books.works[lease.slot.job_id]
        slot = self._leases.slot_for_demand(peer, work)
        if slot is None:
            return False
        guess_pace(self._books.peers[lease.slot.producer_id], work, now)
        self._leases.expire(lease)
        self._leases.lease(peer, work, lease.key, slot, now)
        return True

    def _others(self, slow: Peer, work: Work, key: StepKey, lease: Lease) -> Iterable[Peer]:
        """Who could have a step instead, is known to be able to, and does not hold too many already."""
        # What a slow producer has done is lost: that is worth it only if others have nothing better to do.
        by_the_idle = is_begun(slow, lease) and work.job_id in slow.paces
        for peer in self._books.peers.values():
            most_held = 0 if by_the_idle else peer.tickets_ahead
            is_free = len(peer.leases) <= most_held and not (peer.barred or peer.is_stuck or peer is slow)
            if is_free and work.job_id in peer.paces and self._books.may_read(peer, work, key):
                yield peer
