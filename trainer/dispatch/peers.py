"""Producers as the dispatcher sees them, and the orders that they hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from feedline.trainer.dispatch.slots import SlotId
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.plan.lineups import Lineup

TICKETS_AHEAD = 2
"""Leases of one producer: one in work, one waiting. Enough never to idle, little to lose."""

MOST_AHEAD = 8
"""... of one whose batches are so small that waking up for each would take the most of its time, ..."""

WORTH_WAKING_S = 0.004
"""... which is given what it builds in so long."""

BARRED_S = 10.0
"""A producer all of whose reads failed is given one ticket so often: its folder may be back."""


@dataclass(slots=True)
class Lease:
    """One order to build one step, given to one producer.

    Attributes
    ----------
    leased_at : float
        Seconds on the pool's clock.
    void : bool
        Expired or cancelled: the slot is in quarantine until the producer answers.
    overdue : bool
        It expired because the producer took too long.
    num_unlisted : int
        Heartbeats of the producer that did not list it, in a row.
    took_s : float
        What the producer was at it, once it was answered.
    lineup : Lineup or None
        The samples that were ordered, once the ticket was made.
    """

    lease_id: int
    key: StepKey
    slot: SlotId
    leased_at: float
    void: bool = False
    overdue: bool = False
    num_unlisted: int = 0
    took_s: float = 0.0
    lineup: Lineup | None = None


@dataclass(slots=True)
class Peer:
    """A producer, from its welcome to its end.

    Attributes
    ----------
    leases : dict of int to Lease
        In the order given, which is the order in which it works: only the first can be in work.
    number : int
        How many joined before it.
    joined_at : float
        When, on the pool's clock.
    num_unread : int
        Read failures in a row.
    has_read : bool
        It has built a batch, so some files are where it looks for them.
    doing : str
        What it is at, by its last heartbeat; empty if it has nothing to do.
    answered_at : float
        When it last answered, and could begin with the next of its leases.
    paces : dict of int to float
        What it takes for a batch, in seconds, by job; lately more than long ago.
    guessed : set of int
        The jobs of which its pace is a guess: it did not come to the end of a batch.
    rhythm_s : float
        What it takes from one answer to the next, in seconds, of whatever job; lately more than long ago.
    barred : bool
        Gets no tickets because its reads failed too often.
    retry_at : float or None
        When a barred producer gets one ticket all the same.
    """

    producer_id: bytes
    name: str
    last_heard: float
    number: int = 0
    joined_at: float = 0.0
    leases: dict[int, Lease] = field(default_factory=dict)
    num_unread: int = 0
    has_read: bool = False
    barred: bool = False
    retry_at: float | None = None
    doing: str = ""
    answered_at: float = 0.0
    paces: dict[int, float] = field(default_factory=dict)
    guessed: set[int] = field(default_factory=set)
    rhythm_s: float = WORTH_WAKING_S

    @property
    def named(self) -> str:
        """Its name, and what it is at."""
        return f"{self.name} ({self.doing})" if self.doing else self.name

    @property
    def tickets_ahead(self) -> int:
        """How many leases it may hold, beside those that somebody waits for."""
        return min(max(TICKETS_AHEAD, int(WORTH_WAKING_S / max(self.rhythm_s, 1e-6))), MOST_AHEAD)

    @property
    def is_stuck(self) -> bool:
        """Whether an answer is overdue: nothing it is given now would be begun before."""
        return any(lease.overdue for lease in self.leases.values())
