"""Events in, instructions out: who builds what next.

The dispatcher knows no socket, thread or clock. Every public method is an event, told by the pool's
thread with the time in seconds (any clock that only goes forward), and returns the instructions
that follow from it. What it promises, for any order of events:

- a step is delivered as often as it was asked for, and its samples never get lost or doubled;
- no request stays unanswered while a producer lives and has its files;
- slots never take more than the budget, and a slot is never in two hands.

How it chooses: steps somebody waits for come first, in the order asked; then, of the jobs that may
prefetch, the one with the least in hand. A producer has at most `Peer.tickets_ahead` tickets beside
those that somebody waits for: enough never to idle, and little to lose when it dies. What somebody waits for
does not stay with a slow producer (`feedline.trainer.dispatch.stragglers`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import count

from feedline.common.errors import LocalProtocolError
from feedline.common.wire.protocol import LOST_AFTER_S, Failure, FailureKind
from feedline.trainer.dispatch.answers import NO_GRACE, Answers, Grace
from feedline.trainer.dispatch.books import Books
from feedline.trainer.dispatch.feeder import Feeder
from feedline.trainer.dispatch.instructions import Instruction, Keep, SendCloseJob, SendJob
from feedline.trainer.dispatch.judging import Judging
from feedline.trainer.dispatch.leases import Leases
from feedline.trainer.dispatch.ledger import StepEvent, StepState
from feedline.trainer.dispatch.paces import forget_job
from feedline.trainer.dispatch.peers import Lease, Peer
from feedline.trainer.dispatch.queues import Queues
from feedline.trainer.dispatch.shares import Shares
from feedline.trainer.dispatch.slots import Owner, SlotEvent, SlotId, SlotTable
from feedline.trainer.dispatch.standings import Standings, standings_of
from feedline.trainer.dispatch.stragglers import Stragglers
from feedline.trainer.dispatch.turns import Turns
from feedline.trainer.dispatch.works import UNPROVEN_S, Demand, Opening, Work
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.plan.lineups import Lineup


class Dispatcher:
    """Leases steps to producers and answers the consumer's demands.

    Parameters
    ----------
    budget_bytes : int
        Bound on all slots of all producers and jobs.
    advice : str
        How to start a producer, for whoever reads that one is missing.
    grace : Grace
        How long a demanded step that no producer can read waits for another producer to come.
    unproven_s : float
        How long a producer may take for a batch before anybody knows how long one takes.
    """

    def __init__(
        self, budget_bytes: int, advice: str, grace: Grace = NO_GRACE, unproven_s: float = UNPROVEN_S
    ) -> None:
        self._books = Books(SlotTable(budget_bytes), unproven_s)
        self._answers = Answers(self._books, advice, grace)
        self._leases = Leases(self._books, self._answers)
        self._judging = Judging(self._books, self._answers, self._leases)
        self._feeder = Feeder(self._books, self._leases)
        self._stragglers = Stragglers(self._books, self._leases)
        self._shares = Shares(self._books)
        self._queues = Queues(self._books, self._shares)
        self._turns = Turns(self._books, self._leases, self._shares)
        self._numbers = count()

    # --- jobs ---------------------------------------------------------------------------------

    def job_opened(self, opening: Opening, now: float) -> list[Instruction]:
        """A sequence was made.

        Raises
        ------
        ConfigurationError
            The budget has no room for `MIN_SLOTS` of its batches.
        """
        self._turns.admit(Work.begun(opening, now))
        self._shares.divide()
        return self._feed(now)

    def job_closed(self, job_id: int, now: float) -> list[Instruction]:
        """A sequence was closed: its leases are cancelled, its ready batches dropped."""
        work = self._books.work(job_id)
        if work is None:
            return []
        self._leases.put_down_all(work)
        for jobs in (self._books.works, self._books.resting, self._books.waiting):
            jobs.pop(job_id, None)
        for peer in self._books.peers.values():
            forget_job(peer, job_id)
        told = [producer_id for producer_id in self._books.peers if producer_id in work.told]
        self._books.out += [SendCloseJob(producer_id, job_id) for producer_id in told]
        self._shares.divide()
        return self._feed(now)

    def budget_changed(self, budget_bytes: int, now: float) -> list[Instruction]:
        """There is more or less room, but never less than the largest open job needs.

        Slots above the new shares go when they become free.
        """
        self._turns.change_budget(budget_bytes)
        return self._feed(now)

    # --- producers ----------------------------------------------------------------------------

    def producer_joined(self, producer_id: bytes, name: str, now: float) -> list[Instruction]:
        """A producer was welcomed."""
        peer = self._books.peers[producer_id] = Peer(producer_id, name, now, next(self._numbers), now)
        self._books.count_leases(peer)
        for work in self._books.works.values():
            self._turns.tell(work, [producer_id])
        self._shares.divide()
        return self._feed(now)

    def producer_left(
        self, producer_id: bytes, last_words: str, now: float, *, by_itself: bool = False
    ) -> list[Instruction]:
        """A producer said goodbye (`by_itself`), died or fell silent; its leases are void."""
        peer = self._books.peers.get(producer_id)
        if peer is None:
            return []
        self._remove(peer, last_words, by_itself=by_itself)
        return self._feed(now)

    def lives(self, producer_id: bytes) -> None:
        """Something came from a producer that may have been taken for dead."""
        self._leases.absolve(producer_id)

    def heard(self, producer_id: bytes, now: float) -> None:
        """Anything came from a producer."""
        if producer_id in self._books.peers:
            self._books.peers[producer_id].last_heard = now

    def heartbeat(
        self, producer_id: bytes, leases: Iterable[int], now: float, doing: str = ""
    ) -> list[Instruction]:
        """A producer lists its leases, and says what it is at."""
        self.heard(producer_id, now)
        if producer_id in self._books.peers:
            self._books.peers[producer_id].doing = doing
            self._leases.expire_unlisted(self._books.peers[producer_id], set(leases))
        return self._feed(now)

    def lined_up(self, producer_id: bytes, lease_id: int, lineup: Lineup) -> None:
        """The ticket of a lease was made of these samples."""
        peer = self._books.peers.get(producer_id)
        if peer is not None and lease_id in peer.leases:
            peer.leases[lease_id].lineup = lineup

    # --- answers to tickets -------------------------------------------------------------------

    def batch_came(self, producer_id: bytes, lease_id: int, now: float) -> list[Instruction]:
        """A batch was built. The first answer for a step counts, whichever lease it is for."""
        peer, lease = self._leases.answered(producer_id, lease_id, now)
        if peer is None or lease is None:
            return []
        peer.num_unread, peer.has_read = 0, True
        work = self._leases.wanting(lease)
        if work is None:
            self._books.slots.apply(lease.slot, SlotEvent.FREE)
            return self._feed(now, peer)
        answer_s = now - lease.leased_at
        work.answer_s.append(answer_s)
        self._leases.end(work, lease)
        self._stragglers.learn(peer, work, lease)
        self._books.slots.apply(lease.slot, SlotEvent.FILL)
        work.ledger.apply(lease.key, StepEvent.ANSWER)
        work.ready[lease.key] = lease.slot
        self._books.out.append(Keep(lease.slot, answer_s, lease.lineup))
        work.num_served += 1
        work.gauge.came_at = now
        if lease.key in work.demands:
            self._queues.awaited(work, work.demands[lease.key].since)
            self._answers.deliver(work, lease.key)
        elif lease.key.epoch < work.ledger.first_epoch:
            self._leases.drop_ready(work, lease.key)
        return self._feed(now, peer)

    def batch_failed(
        self, producer_id: bytes, lease_id: int, failure: Failure, now: float
    ) -> list[Instruction]:
        """A batch cannot be built. A failed read is tried elsewhere; anything else counts at once."""
        peer, lease = self._leases.answered(producer_id, lease_id, now)
        if peer is None or lease is None:
            return []
        self._books.slots.apply(lease.slot, SlotEvent.FREE)
        work = self._leases.wanting(lease)
        if failure.kind is FailureKind.READ:
            self._leases.count_unread(peer, failure, lease.lineup)
            if peer.barred:
                self._shares.divide()
        if work is None or (lease.void and lease.key in work.leased):
            return self._feed(now)
        self._leases.end(work, lease)
        self._judging.failed(peer, work, lease, failure)
        return self._feed(now)

    def lease_cancelled(self, producer_id: bytes, lease_id: int, now: float) -> list[Instruction]:
        """A producer does not hold the lease any more."""
        peer, lease = self._leases.answered(producer_id, lease_id, now)
        if peer is None or lease is None:
            return []
        self._books.slots.apply(lease.slot, SlotEvent.FREE)
        work = self._books.works.get(lease.slot.job_id)
        if work is not None and work.leased.get(lease.key) is lease:
            self._leases.end(work, lease)
            self._leases.plan_again(work, lease.key)
        return self._feed(now)

    def job_unknown(self, producer_id: bytes, job_id: int, lease_id: int, now: float) -> list[Instruction]:
        """A producer was not told of a job, or has forgotten it: tell it again."""
        if producer_id in self._books.peers and self._books.work(job_id) is not None:
            self._books.out.append(SendJob(producer_id, job_id))
        return self.lease_cancelled(producer_id, lease_id, now)

    # --- the consumer -------------------------------------------------------------------------

    def demanded(
        self, job_id: int, key: StepKey, timeout_s: float, now: float, waited_s: float = 0.0
    ) -> list[Instruction]:
        """Somebody waits for a step, for `waited_s` already and at most `timeout_s`.

        Asking for a later epoch ends the earlier.
        """
        work = self._books.work(job_id)
        if work is None:
            raise LocalProtocolError(f"job {job_id} is not open")
        work.asked, work.asked_at = True, now
        work.demands.setdefault(key, Demand.begun(now - waited_s, timeout_s))
        if work.bad.doom:
            self._judging.refuse(work, key)
            return self._feed(now)
        if job_id in self._books.resting:
            self._books.waiting[job_id] = work
        if key.epoch > work.ledger.first_epoch:
            self._leases.retire_before(work, key.epoch)
        match work.ledger.state(key):
            case StepState.READY:
                self._queues.awaited(work, now - waited_s)
                self._answers.deliver(work, key)
            case StepState.FAILED:
                self._answers.tell_error(work, key)
            case StepState.DELIVERED:
                work.ledger.ask_again(key)
            case _:
                pass
        return self._feed(now)

    def withdrawn(self, job_id: int, key: StepKey, now: float) -> list[Instruction]:
        """Nobody waits for the step any more."""
        work = self._books.work(job_id)
        if work is not None:
            work.demands.pop(key, None)
        return self._feed(now)

    def was_awaited(self, job_id: int, since: float) -> None:
        """A batch is there for somebody who has waited since then."""
        work = self._books.works.get(job_id)
        if work is not None:
            self._queues.awaited(work, since)

    def was_read(self, job_id: int, now: float) -> None:
        """Somebody took a batch that had been offered."""
        work = self._books.work(job_id)
        if work is not None:
            work.asked_at = now

    def expected(self, job_id: int, keys: Iterable[StepKey], now: float) -> list[Instruction]:
        """Delivered steps that will be asked for again: prefetch builds them anew."""
        work = self._books.work(job_id)
        for key in keys:
            if work is not None and work.ledger.state(key) is StepState.DELIVERED:
                work.ledger.ask_again(key)
        return self._feed(now)

    def moved(self, job_id: int, key: StepKey, now: float) -> list[Instruction]:
        """The consumer will go on with another step than the next, maybe an earlier one."""
        work = self._books.work(job_id)
        if work is not None:
            self._leases.move_to(work, key)
        return self._feed(now)

    def offered(self, job_id: int, keys: Iterable[StepKey]) -> list[Instruction]:
        """Steps that will be asked for next: those that are ready are delivered, if they can lie there."""
        work = self._books.work(job_id)
        for key in keys:
            if work is not None and key in work.ready and self._books.slots.can_lie(work.ready[key]):
                self._answers.deliver(work, key)
        return self._books.take_out()

    def is_leased(self, job_id: int, key: StepKey) -> bool:
        """Whether a producer works on a step, so that its answer will come. May be asked by any thread."""
        work = self._books.works.get(job_id)
        return work is not None and key in work.leased

    def slot_released(self, slot: SlotId, now: float) -> list[Instruction]:
        """The last array that read the slot is gone, or its bytes were copied."""
        self._books.slots.apply(slot, SlotEvent.FREE)
        return self._feed(now, self._books.peers.get(slot.producer_id))

    # --- time ---------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Instruction]:
        """Time passed: look for silent producers, overdue leases and long waits.

        The caller's clock leaves out its own pauses (`feedline.common.processes.clock`): nobody is judged for
        what could not be heard.
        """
        for peer in list(self._books.peers.values()):
            if now - peer.last_heard > LOST_AFTER_S:
                self._books.note(
                    logging.WARNING, f"producer {peer.named} fell silent; its batches go to others"
                )
                self._remove(peer, f"silent for {LOST_AFTER_S:g} s")
        for peer in self._books.peers.values():
            for lease in peer.leases.values():
                self._leases.expire_if_overdue(peer, lease, now)
        for work in (*self._books.works.values(), *self._books.waiting.values()):
            for key, demand in list(work.demands.items()):
                self._answers.review(work, key, demand, now)
        self._turns.review(now)
        if self._leases.let_try_again(now) or self._shares.num_idle:
            self._shares.divide()
        return self._feed(now)

    @property
    def producer_ids(self) -> set[bytes]:
        """The producers that count as there."""
        return set(self._books.peers)

    def lease_of(self, producer_id: bytes, lease_id: int) -> Lease | None:
        """The lease of that number, if a producer has one that it has not answered. Not to be changed."""
        peer = self._books.peers.get(producer_id)
        return None if peer is None else peer.leases.get(lease_id)

    @property
    def next_lease_id(self) -> int:
        """The number of the next lease: none that there was has this one or a larger one."""
        return self._leases.next_id

    @property
    def num_idle(self) -> int:
        """How many of them the budget has no slots for."""
        return self._shares.num_idle

    @property
    def short_s(self) -> float:
        """Seconds of waiting of all open jobs that longer queues would have saved."""
        return self._queues.short_s

    @property
    def able_ids(self) -> set[bytes]:
        """Those of them that get tickets: not who failed to read too often."""
        return {peer.producer_id for peer in self._books.peers.values() if not peer.barred}

    @property
    def budget_bytes(self) -> int:
        """What all slots may take."""
        return self._books.slots.budget_bytes

    @property
    def wants_slots(self) -> bool:
        """Whether a slot that comes back could be put to use at once."""
        books = self._books
        is_short = bool(books.short or books.waiting) or books.slots.is_starving
        return is_short or self._feeder.has_unleased_demand

    @property
    def awake(self) -> Iterable[int]:
        """The jobs that have slots."""
        return self._books.works.keys()

    @property
    def standings(self) -> Standings:
        """Where everybody stands now."""
        return standings_of(self._books)

    def has_slots(self, owner: Owner) -> bool:
        """Whether there is still a slot of a producer for a job."""
        return any(True for _ in self._books.slots.of_owner(owner))

    # --- inside -------------------------------------------------------------------------------

    def _feed(self, now: float, only: Peer | None = None) -> list[Instruction]:
        """Give tickets to whoever can take some, then hand out all instructions."""
        if self._books.waiting:
            self._turns.wake(now)
        for work in self._books.works.values():
            if work.bad.unsettled:
                self._judging.settle(work, now)
            for key in list(work.demands):
                self._answers.fail_if_unreadable(work, key, now)
        self._feeder.feed(now, only)
        self._stragglers.relieve(now)
        if self._queues.review(now):
            self._feeder.feed(now, None)
        return self._books.take_out()

    def _remove(self, peer: Peer, last_words: str, *, by_itself: bool = False) -> None:
        """A producer is gone."""
        del self._books.peers[peer.producer_id]
        self._books.short.pop(peer.producer_id, None)
        for work in self._books.all_works:
            work.told.discard(peer.producer_id)
        self._shares.divide()
        self._leases.lose_all(peer, last_words, by_itself=by_itself)
