"""Where everybody stands, for whoever watches: read out of the books, and never written to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from feedline.trainer.dispatch.bad_samples import Found
from feedline.trainer.dispatch.books import Books
from feedline.trainer.dispatch.paces import is_slow
from feedline.trainer.dispatch.peers import Peer
from feedline.trainer.dispatch.works import Work


@dataclass(frozen=True, slots=True)
class ProducerStanding:
    """One producer.

    Attributes
    ----------
    num_in_flight : int
        Batches that it was told to build and has not answered.
    is_able : bool
        Whether it gets tickets: its reads have not failed too often.
    is_straggler : bool
        It takes more than twice what others take for a batch of some job, or owes an answer for too long.
    doing : str
        What it is at, by its last heartbeat; empty if it has nothing to do.
    """

    num_in_flight: int = 0
    is_able: bool = True
    is_straggler: bool = False
    doing: str = ""


@dataclass(frozen=True, slots=True)
class JobStanding:
    """One job.

    Attributes
    ----------
    name : str
        As in log lines.
    num_steps : int
        Of an epoch.
    num_ready, num_in_work, num_waited_for : int
        Steps that are built and not delivered; that producers build; that somebody waits for.
    queue_size : int
        Batches that each producer may have in hand, as far as the budget goes.
    is_resting : bool
        Nobody reads it: it has no slots.
    found : tuple of Found
        Its bad files.
    folder : str
        See `BadSamples`.
    """

    job_id: int
    name: str
    num_steps: int
    num_ready: int = 0
    num_in_work: int = 0
    num_waited_for: int = 0
    queue_size: int = 0
    is_resting: bool = False
    found: tuple[Found, ...] = ()
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Standings:
    """All of them.

    Attributes
    ----------
    producers : mapping of bytes to ProducerStanding
        By producer_id.
    jobs : tuple of JobStanding
        The open ones, by job_id.
    slots : mapping of str to int
        How many slots are in which state, see `SlotState`.
    """

    producers: Mapping[bytes, ProducerStanding] = field(default_factory=dict)
    jobs: tuple[JobStanding, ...] = ()
    slots: Mapping[str, int] = field(default_factory=dict)


def standings_of(books: Books) -> Standings:
    """Look into the books; in the thread that they belong to."""
    works = sorted(books.all_works, key=lambda work: work.job_id)
    return Standings(
        {producer_id: _producer(peer, books) for producer_id, peer in books.peers.items()},
        tuple(_job(work, books) for work in works),
        Counter(str(state) for _, state in books.slots),
    )


def _producer(peer: Peer, books: Books) -> ProducerStanding:
    is_straggler = peer.is_stuck or any(is_slow(peer, work) for work in books.works.values())
    return ProducerStanding(len(peer.leases), not peer.barred, is_straggler, peer.doing)


def _job(work: Work, books: Books) -> JobStanding:
    return JobStanding(
        work.job_id,
        work.name,
        work.ledger.num_steps,
        num_ready=len(work.ready),
        num_in_work=len(work.leased),
        num_waited_for=len(work.demands),
        queue_size=books.slots.num_due(work.job_id),
        is_resting=work.job_id in books.resting,
        found=work.bad.found,
        folder=work.bad.folder,
    )
