"""How the memory budget is divided: which producer has how many slots of which job."""

from __future__ import annotations

import logging

from feedline.trainer.dispatch.books import Books, listed


class Shares:
    """Divides the budget.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._idle: set[bytes] = set()
        self._named: set[bytes] = set()

    @property
    def num_idle(self) -> int:
        """How many producers have no slot; the next division may serve them."""
        return len(self._idle)

    def divide(self) -> None:
        """Give everybody a share; where there is none for all, who is stuck or cannot read comes last."""
        needs = {job_id: work.need for job_id, work in self._books.works.items()}
        takers = [peer for peer in self._books.peers.values() if not peer.barred]
        takers.sort(key=lambda peer: (peer.is_stuck, self._books.num_unreadable(peer), peer.num_unread))
        self._idle = set(self._books.slots.allot([peer.producer_id for peer in takers], needs))
        new = [peer.name for peer in takers if peer.producer_id in self._idle - self._named]
        self._named = (self._named | self._idle) & self._books.peers.keys()
        if new:
            budget = f"memory_budget={self._books.slots.budget_bytes:,} bytes"
            self._books.note(logging.WARNING, f"{budget} has no slots for {listed(new)}: idle")
