"""Who gets which ticket next."""

from __future__ import annotations

from feedline.trainer.dispatch.books import Books
from feedline.trainer.dispatch.leases import Leases
from feedline.trainer.dispatch.ledger import StepState
from feedline.trainer.dispatch.paces import is_slow, num_ahead
from feedline.trainer.dispatch.peers import Peer
from feedline.trainer.dispatch.slots import SlotId
from feedline.trainer.dispatch.works import Work
from feedline.trainer.plan.epochs import StepKey

DEMANDED_AHEAD = 4
"""When somebody waits, a producer may hold so many leases, though its `Peer.tickets_ahead` be fewer."""


class Feeder:
    """Gives tickets to producers.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    leases : Leases
        Makes the leases.
    """

    def __init__(self, books: Books, leases: Leases) -> None:
        self._books = books
        self._leases = leases

    def feed(self, now: float, only: Peer | None = None) -> None:
        """Give tickets to whoever can take some; to one producer only, if nobody else can."""
        if self._books.slots.is_starving:
            self._drop_spare()
        if only is not None and not self.has_unleased_demand:
            while self._feed_one(only, only.tickets_ahead, now):
                pass
        else:
            self._feed_all(now)

    def _feed_all(self, now: float) -> None:
        """One ticket each, then a second each, and so on: work spreads before it queues."""
        deepest = max((peer.tickets_ahead for peer in self._books.peers.values()), default=0)
        for depth in range(1, max(DEMANDED_AHEAD, deepest) + 1):
            for peer in self._candidates():
                self._feed_one(peer, depth, now)

    def _candidates(self) -> list[Peer]:
        """Whoever may get a ticket: the least busy first, who has built any, then in the order of joining."""
        everyone = self.has_unleased_demand
        peers = self._books.peers.values() if everyone else self._books.hungry
        return sorted(peers, key=lambda peer: (len(peer.leases), not peer.has_read, peer.number))

    def _feed_one(self, peer: Peer, depth: int, now: float) -> bool:
        """Lease one step to a producer that holds fewer than `depth` leases."""
        num_held = len(peer.leases)
        if peer.barred or peer.is_stuck or num_held >= depth:
            return False
        choice = self._demanded_choice(peer) if num_held < DEMANDED_AHEAD else None
        if choice is None and num_held < peer.tickets_ahead:
            choice = self._prefetch_choice(peer, now)
        if choice is None:
            return False
        work, key, slot = choice
        self._leases.lease(peer, work, key, slot, now)
        return True

    def _demanded_choice(self, peer: Peer) -> tuple[Work, StepKey, SlotId] | None:
        """The first step that somebody waits for and nobody works on; a slot is found or made."""
        for work in self._books.works.values():
            for key in work.demands:
                if work.ledger.state(key) is StepState.PLANNED and self._books.may_read(peer, work, key):
                    slot = self._leases.slot_for_demand(peer, work)
                    if slot is not None:
                        return work, key, slot
        return None

    def _prefetch_choice(self, peer: Peer, now: float) -> tuple[Work, StepKey, SlotId] | None:
        """The next step of the job that has least in hand and a free slot."""
        for work in sorted(self._books.works.values(), key=lambda work: work.ledger.num_ahead):
            slot = self._leases.free_slot(peer, work) if work.wants_more else None
            if slot is not None:
                key = self._next_planned(peer, work, now)
                if self._books.may_read(peer, work, key):
                    return work, key, slot
        return None

    def _next_planned(self, peer: Peer, work: Work, now: float) -> StepKey:
        """The next step in plan order; of a slow producer, that which is next when it has built it."""
        if not is_slow(peer, work):
            return work.ledger.next_planned()
        return work.ledger.planned_ahead(num_ahead(peer, work, self._books.peers.values(), now))

    def _drop_spare(self) -> None:
        """Give up ready batches whose owners can spare their slots, until nobody starves.

        Those that are farthest from delivery go first.
        """
        ready = [(key, work) for work in self._books.works.values() for key in work.ready]
        for key, work in sorted(ready, key=lambda item: item[0], reverse=True):
            if not self._books.slots.is_starving:
                return
            if self._books.slots.can_spare(work.ready[key].owner):
                self._leases.drop_ready(work, key)

    @property
    def has_unleased_demand(self) -> bool:
        """Whether somebody waits for a step that nobody works on."""
        return any(
            work.ledger.state(key) is StepState.PLANNED
            for work in self._books.works.values()
            for key in work.demands
        )
