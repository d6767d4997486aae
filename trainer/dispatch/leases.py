"""How leases begin and end, and what came of them; what that means for their steps and slots."""

from __future__ import annotations

import logging
from collections import OrderedDict

from feedline.common.wire.protocol import Failure
from feedline.trainer.dispatch.answers import Answers
from feedline.trainer.dispatch.books import MAX_LOST, Books
from feedline.trainer.dispatch.instructions import Discard, SendCancel, SendTicket
from feedline.trainer.dispatch.ledger import StepEvent, StepState
from feedline.trainer.dispatch.paces import begun_at, learn_rhythm
from feedline.trainer.dispatch.peers import BARRED_S, Lease, Peer
from feedline.trainer.dispatch.slots import SlotEvent, SlotId
from feedline.trainer.dispatch.works import OVERDUE_AFTER_S, RETRY_S, Work
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.plan.lineups import Lineup

MAX_UNREAD = 20
"""A producer with so many failed reads in a row gets no more tickets."""

MAX_SUSPICIONS = 1000
"""Of so many producers that were lost it is remembered what they were at."""

UNLISTED_HEARTBEATS = 2
"""A lease that so many heartbeats in a row do not list never arrived."""


class Leases:
    """Makes and ends leases.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    answers : Answers
        Where a step goes that cannot be built.

    Attributes
    ----------
    next_id : int
        Of the next lease; whoever names this one or a later one makes it up.
    """

    def __init__(self, books: Books, answers: Answers) -> None:
        self._books = books
        self._answers = answers
        self._suspicions: OrderedDict[bytes, tuple[int, StepKey]] = OrderedDict()
        self.next_id = 1

    def lease(self, peer: Peer, work: Work, key: StepKey, slot: SlotId, now: float) -> None:
        """Order a planned step from a producer that has a free slot."""
        lease = Lease(self.next_id, key, slot, now)
        self.next_id += 1
        self._books.slots.apply(slot, SlotEvent.LEASE)
        work.ledger.apply(key, StepEvent.LEASE)
        peer.leases[lease.lease_id] = work.leased[key] = lease
        self._books.count_leases(peer)
        is_suspect = work.ledger.record(key).num_lost > 0
        self._books.out.append(SendTicket(lease.lease_id, key, slot, is_suspect))

    def answered(self, producer_id: bytes, lease_id: int, now: float) -> tuple[Peer | None, Lease | None]:
        """Whose lease an answer ends; nothing for an answer to no lease, such as a second one."""
        peer = self._books.peers.get(producer_id)
        lease = None if peer is None else peer.leases.pop(lease_id, None)
        if peer is None or lease is None:
            return None, None
        lease.took_s = now - begun_at(peer, lease)
        peer.answered_at = now
        learn_rhythm(peer, lease)
        self._books.count_leases(peer)
        return peer, lease

    def wanting(self, lease: Lease) -> Work | None:
        """The job for which an answer to this lease still is news."""
        work = self._books.works.get(lease.slot.job_id)
        if work and work.ledger.state(lease.key) in {StepState.PLANNED, StepState.LEASED}:
            return work
        return None

    def end(self, work: Work, lease: Lease) -> None:
        """Its step was answered: whoever else works on it can stop."""
        current = work.leased.pop(lease.key, None)
        if current is not None and current is not lease:
            self._quarantine(current)

    def void(self, work: Work, lease: Lease) -> None:
        """Nobody wants the answer any more, but the producer may still be writing."""
        work.leased.pop(lease.key, None)
        self._quarantine(lease)

    def _quarantine(self, lease: Lease) -> None:
        lease.void = True
        self._books.slots.apply(lease.slot, SlotEvent.EXPIRE)
        self._books.out.append(SendCancel(lease.slot.producer_id, lease.lease_id))

    def expire(self, lease: Lease) -> None:
        """Take a lease for lost: the step goes to another producer, the slot into quarantine."""
        if lease.void:
            self._books.out.append(SendCancel(lease.slot.producer_id, lease.lease_id))
            return
        work = self._books.works[lease.slot.job_id]
        self.void(work, lease)
        self.plan_again(work, lease.key)

    def expire_if_overdue(self, peer: Peer, lease: Lease, now: float) -> None:
        """Expire a lease that is much older than leases of its job usually get."""
        age_s = now - lease.leased_at
        # The median is taken of those few only that may be late.
        if lease.void or age_s <= OVERDUE_AFTER_S:
            return
        if age_s <= self._books.works[lease.slot.job_id].overdue_s(lease.key, self._books.unproven_s):
            return
        self.expire(lease)
        lease.overdue = True
        self._books.note(
            logging.WARNING,
            f"producer {peer.named} has not answered for {age_s:.0f} s: {lease.key} goes to another",
        )

    def expire_unlisted(self, peer: Peer, listed: set[int]) -> None:
        """A producer listed its leases: expire those that got lost on the way to it."""
        for lease in list(peer.leases.values()):
            lease.num_unlisted = 0 if lease.lease_id in listed else lease.num_unlisted + 1
            if lease.num_unlisted >= UNLISTED_HEARTBEATS:
                lease.num_unlisted = 0
                self.expire(lease)

    def lose_all(self, peer: Peer, last_words: str, *, by_itself: bool) -> None:
        """A producer is gone. Only the lease it worked on can be what killed it."""
        suspect = None if by_itself else next(iter(peer.leases.values()), None)
        for lease in peer.leases.values():
            self._books.slots.apply(lease.slot, SlotEvent.FREE)
            self._lose(peer, lease, last_words, counts=lease is suspect)

    def _lose(self, peer: Peer, lease: Lease, last_words: str, *, counts: bool) -> None:
        """A lease ended with its producer. When it `counts`, it may be what killed the producer."""
        work = self.wanting(lease)
        if work is None:
            return
        record = work.ledger.record(lease.key)
        record.num_lost += counts
        if counts:
            self._suspect(peer.producer_id, work.job_id, lease.key)
        if lease.void and lease.key in work.leased:
            return
        work.leased.pop(lease.key, None)
        if record.num_lost <= MAX_LOST or not (peer.has_read or self._books.nobody_has_read):
            self.plan_again(work, lease.key)
            return
        files = ", ".join(work.samples_of(lease.key))
        self._answers.fail(
            work,
            lease.key,
            f"{lease.key} was in work when {record.num_lost} producers died;"
            f" one of its files may be what kills them: {files}. Last words of {peer.name}: {last_words}",
        )

    def _suspect(self, producer_id: bytes, job_id: int, key: StepKey) -> None:
        self._suspicions[producer_id] = job_id, key
        if len(self._suspicions) > MAX_SUSPICIONS:
            self._suspicions.popitem(last=False)

    def absolve(self, producer_id: bytes) -> None:
        """A producer that was lost has spoken: what it was at did not kill it, its connection was cut."""
        job_id, key = self._suspicions.pop(producer_id, (None, None))
        work = None if job_id is None else self._books.works.get(job_id)
        if work and key and work.ledger.state(key) in {StepState.PLANNED, StepState.LEASED}:
            record = work.ledger.record(key)
            record.num_lost = max(0, record.num_lost - 1)

    def plan_again(self, work: Work, key: StepKey) -> None:
        """The step is not worked on any more."""
        if work.ledger.state(key) is StepState.LEASED:
            work.ledger.apply(key, StepEvent.LOSE)

    def slot_for_demand(self, peer: Peer, work: Work) -> SlotId | None:
        """A free slot, or that of the ready batch of this producer that is farthest from delivery."""
        return self.free_slot(peer, work) or self._take_back(peer, work)

    def free_slot(self, peer: Peer, work: Work) -> SlotId | None:
        """A free slot of a producer for a job; None if all are in use."""
        return self._books.slots.free_slot((peer.producer_id, work.job_id))

    def _take_back(self, peer: Peer, work: Work) -> SlotId | None:
        for key in sorted(work.ready, reverse=True):
            if work.ready[key].producer_id == peer.producer_id:
                self.drop_ready(work, key)
                return self.free_slot(peer, work)
        return None

    def drop_ready(self, work: Work, key: StepKey) -> None:
        """Give up a ready batch and its slot."""
        slot = work.ready.pop(key)
        work.ledger.apply(key, StepEvent.TAKE_BACK)
        self._books.slots.apply(slot, SlotEvent.FREE)
        self._books.out.append(Discard(slot))

    def put_down_all(self, work: Work) -> None:
        """A job is closed, or is to rest: what is in work or ready is not wanted now."""
        for lease in list(work.leased.values()):
            self.expire(lease)
        for key in list(work.ready):
            self.drop_ready(work, key)
        work.gauge.put_down()

    def retire_before(self, work: Work, epoch: int) -> None:
        """A later epoch was asked for: what is left of earlier ones is not wanted."""
        for key, lease in list(work.leased.items()):
            if key.epoch < epoch and key not in work.demands:
                self.void(work, lease)
        for key in [key for key in work.ready if key.epoch < epoch]:
            self.drop_ready(work, key)
            work.gauge.put_down()
        work.ledger.retire_before(epoch, keep=set(work.demands))

    def move_to(self, work: Work, first: StepKey) -> None:
        """The consumer goes on with `first`: nothing else is wanted but what somebody waits for."""
        for key, lease in list(work.leased.items()):
            if key not in work.demands:
                self.void(work, lease)
        for key in list(work.ready):
            self.drop_ready(work, key)
        work.gauge.put_down()
        work.ledger.move_to(first, keep=set(work.demands))

    def count_unread(self, peer: Peer, failure: Failure, lineup: Lineup | None) -> None:
        """A producer could not read a file; bar it when that is all it ever does."""
        # Where other files of the batch were read, it is not the folder that is wrong.
        num_unread = len({bad.sample for bad in failure.bad_files})
        if num_unread and lineup is not None and num_unread < len(lineup.rows):
            peer.num_unread, peer.has_read = 0, True
            return
        peer.num_unread += 1
        if peer.num_unread >= MAX_UNREAD and not peer.barred:
            peer.barred = True
            self._books.note(
                logging.WARNING if peer.num_unread == MAX_UNREAD else logging.INFO,
                f"producer {peer.name} gets no more tickets: {peer.num_unread} reads running failed,"
                f" the last of {failure.path}: {failure.text}. Check its --data-root;"
                f" it may try again every {BARRED_S:g} s",
            )

    def let_try_again(self, now: float) -> bool:
        """Files may be back that were not there; returns whether a barred producer may show it."""
        for work in self._books.works.values():
            for key, demand in work.demands.items():
                if now >= demand.retry_at:
                    demand.retry_at = now + RETRY_S
                    work.ledger.record(key).unread_by.clear()
        return sum(self._let_one_try_again(peer, now) for peer in self._books.peers.values()) > 0

    @staticmethod
    def _let_one_try_again(peer: Peer, now: float) -> bool:
        if not peer.barred:
            return False
        if peer.retry_at is None:
            peer.retry_at = now + BARRED_S
        if now < peer.retry_at:
            return False
        peer.barred, peer.retry_at = False, None
        return True
