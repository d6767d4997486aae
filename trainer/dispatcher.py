"""Events in, instructions out: who builds what next.

The dispatcher knows no socket, thread or clock. Every public method is an event, told by the pool's
thread with the time in seconds (any clock that only goes forward), and returns the instructions
that follow from it. What it promises, for any order of events:

- a step is delivered as often as it was asked for, and its samples never get lost or doubled;
- no request stays unanswered while a producer lives and has its files;
- slots never take more than the budget, and a slot is never in two hands.

How it chooses: steps somebody waits for come first, in the order asked; then, of the jobs that may
prefetch, the one with the least in hand. A producer has at most `TICKETS_AHEAD` tickets beside
those that somebody waits for: enough never to idle, and little to lose when it dies.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from common.errors import BatchError, ConfigurationError, StarvedError
from common.protocol import LOST_AFTER_S, Failure, FailureKind
from trainer.binding import StepKey
from trainer.instructions import (
    Deliver,
    Discard,
    Instruction,
    Keep,
    Note,
    Reject,
    SendCancel,
    SendCloseJob,
    SendJob,
    SendTicket,
)
from trainer.ledger import Ledger, StepEvent, StepState
from trainer.slots import MIN_SLOTS, SlotEvent, SlotId, SlotNeed, SlotState, SlotTable
from trainer.work import Demand, Lease, Peer, Work

TICKETS_AHEAD = 2
DEMANDED_AHEAD = 4
MAX_LOST = 3
MAX_UNREAD = 20
FIRST_NOTE_S, NEXT_NOTE_S = 5.0, 30.0
STALL_S = 3.0
UNLISTED_HEARTBEATS = 2


class Dispatcher:
    """Leases steps to producers and answers the consumer's demands.

    Parameters
    ----------
    budget_bytes : int
        Bound on all slots of all producers and jobs.
    advice : str
        How to start a producer, for whoever reads that one is missing.
    read_grace_s : float
        How long a demanded step that no producer can read waits for another producer to come.
    """

    def __init__(self, budget_bytes: int, advice: str, read_grace_s: float = 0.0) -> None:
        self._budget_bytes = budget_bytes
        self._advice = advice
        self._read_grace_s = read_grace_s
        self._slots = SlotTable(budget_bytes)
        self._peers: dict[bytes, Peer] = {}
        self._works: dict[int, Work] = {}
        self._lease_ids = count(1)
        self._idle: set[bytes] = set()
        self._last_tick: float | None = None
        self._out: list[Instruction] = []

    # --- jobs ---------------------------------------------------------------------------------

    def job_opened(
        self,
        job_id: int,
        name: str,
        num_steps: int,
        need: SlotNeed,
        samples_of: Callable[[StepKey], Sequence[str]],
        now: float,
    ) -> list[Instruction]:
        """A sequence was made.

        Raises
        ------
        ConfigurationError
            The budget has no room for `MIN_SLOTS` batches of every job.
        """
        others = sum(work.need.slot_bytes for work in self._works.values())
        least = MIN_SLOTS * (need.slot_bytes + others)
        if least > self._budget_bytes:
            raise ConfigurationError(
                f"memory_budget={self._budget_bytes:,} bytes has no room for {MIN_SLOTS} batches of"
                f" {need.slot_bytes:,} bytes beside those of {len(self._works)} other sequences:"
                f" {least:,} are needed at least"
            )
        self._works[job_id] = Work(job_id, name, Ledger(num_steps), need, samples_of)
        self._out += [SendJob(peer.producer_id, job_id) for peer in self._peers.values()]
        self._allot()
        return self._feed(now)

    def job_closed(self, job_id: int, now: float) -> list[Instruction]:
        """A sequence was closed: its leases are cancelled, its ready batches dropped."""
        work = self._works.pop(job_id, None)
        if work is None:
            return []
        for lease in list(work.leased.values()):
            self._void(work, lease)
        for slot in work.ready.values():
            self._slots.apply(slot, SlotEvent.FREE)
            self._out.append(Discard(slot))
        self._out += [SendCloseJob(peer.producer_id, job_id) for peer in self._peers.values()]
        self._allot()
        return self._feed(now)

    # --- producers ----------------------------------------------------------------------------

    def producer_joined(self, producer_id: bytes, name: str, now: float) -> list[Instruction]:
        """A producer was welcomed."""
        self._peers[producer_id] = Peer(producer_id, name, now)
        self._out += [SendJob(producer_id, job_id) for job_id in self._works]
        self._allot()
        return self._feed(now)

    def producer_left(
        self, producer_id: bytes, last_words: str, now: float, *, by_itself: bool = False
    ) -> list[Instruction]:
        """A producer said goodbye (`by_itself`), died or fell silent; its leases are void."""
        peer = self._peers.get(producer_id)
        if peer is None:
            return []
        self._remove(peer, last_words, by_itself=by_itself)
        return self._feed(now)

    def heard(self, producer_id: bytes, now: float) -> None:
        """Anything came from a producer."""
        if producer_id in self._peers:
            self._peers[producer_id].last_heard = now

    def heartbeat(self, producer_id: bytes, leases: Iterable[int], now: float) -> list[Instruction]:
        """A producer lists its leases: one that it does not know of got lost on the way."""
        self.heard(producer_id, now)
        peer, listed = self._peers.get(producer_id), set(leases)
        for lease in list(peer.leases.values()) if peer else []:
            lease.num_unlisted = 0 if lease.lease_id in listed else lease.num_unlisted + 1
            if lease.num_unlisted >= UNLISTED_HEARTBEATS:
                lease.num_unlisted = 0
                self._expire(lease)
        return self._feed(now)

    # --- answers to tickets -------------------------------------------------------------------

    def batch_came(self, producer_id: bytes, lease_id: int, now: float) -> list[Instruction]:
        """A batch was built. The first answer for a step counts, whichever lease it is for."""
        peer, lease = self._answered(producer_id, lease_id)
        if peer is None or lease is None:
            return []
        peer.num_unread = 0
        work = self._wanting(lease)
        if work is None:
            self._slots.apply(lease.slot, SlotEvent.FREE)
            return self._feed(now, peer)
        work.answer_s.append(now - lease.leased_at)
        self._end_lease(work, lease)
        self._slots.apply(lease.slot, SlotEvent.FILL)
        work.ledger.apply(lease.key, StepEvent.ANSWER)
        work.ready[lease.key] = lease.slot
        self._out.append(Keep(lease.slot))
        if lease.key in work.demands:
            self._deliver(work, lease.key)
        return self._feed(now, peer)

    def batch_failed(
        self, producer_id: bytes, lease_id: int, failure: Failure, now: float
    ) -> list[Instruction]:
        """A batch cannot be built. A failed read is tried elsewhere; anything else counts at once."""
        peer, lease = self._answered(producer_id, lease_id)
        if peer is None or lease is None:
            return []
        self._slots.apply(lease.slot, SlotEvent.FREE)
        work = self._wanting(lease)
        if failure.kind is FailureKind.READ:
            self._count_unread(peer, failure)
        if work is None or (lease.void and lease.key in work.leased):
            return self._feed(now)
        self._end_lease(work, lease)
        text = f"{failure.path}: {failure.text} (producer {peer.name})\n{failure.traceback}".rstrip()
        if failure.kind is FailureKind.READ:
            self._plan_again(work, lease.key)
            record = work.ledger.record(lease.key)
            record.unread_by.add(producer_id)
            record.error = text
        else:
            self._fail(work, lease.key, f"batch {lease.key[1]} of epoch {lease.key[0]} failed: {text}")
        return self._feed(now)

    def lease_cancelled(self, producer_id: bytes, lease_id: int, now: float) -> list[Instruction]:
        """A producer does not hold the lease any more."""
        peer, lease = self._answered(producer_id, lease_id)
        if peer is None or lease is None:
            return []
        self._slots.apply(lease.slot, SlotEvent.FREE)
        work = self._works.get(lease.slot.job_id)
        if work is not None and work.leased.get(lease.key) is lease:
            self._end_lease(work, lease)
            self._plan_again(work, lease.key)
        return self._feed(now)

    def job_unknown(self, producer_id: bytes, job_id: int, lease_id: int, now: float) -> list[Instruction]:
        """A producer was not told of a job, or has forgotten it: tell it again."""
        if producer_id in self._peers and job_id in self._works:
            self._out.append(SendJob(producer_id, job_id))
        return self.lease_cancelled(producer_id, lease_id, now)

    # --- the consumer -------------------------------------------------------------------------

    def demanded(self, job_id: int, key: StepKey, timeout_s: float, now: float) -> list[Instruction]:
        """Somebody waits for a step, at most `timeout_s`. Asking for a later epoch ends the earlier."""
        work = self._works[job_id]
        work.asked = True
        work.demands.setdefault(key, Demand(now, now + timeout_s, now + FIRST_NOTE_S))
        if key[0] > work.ledger.first_epoch:
            self._retire_before(work, key[0])
        match work.ledger.state(key):
            case StepState.READY:
                self._deliver(work, key)
            case StepState.FAILED if work.ledger.record(key).error:
                self._tell_error(work, key)
            case StepState.DELIVERED | StepState.FAILED:
                work.ledger.ask_again(key)
            case _:
                pass
        return self._feed(now)

    def withdrawn(self, job_id: int, key: StepKey, now: float) -> list[Instruction]:
        """Nobody waits for the step any more."""
        if job_id in self._works:
            self._works[job_id].demands.pop(key, None)
        return self._feed(now)

    def expected(self, job_id: int, keys: Iterable[StepKey], now: float) -> list[Instruction]:
        """Delivered steps that will be asked for again: prefetch builds them anew."""
        work = self._works.get(job_id)
        for key in keys:
            if work is not None and work.ledger.state(key) is StepState.DELIVERED:
                work.ledger.ask_again(key)
        return self._feed(now)

    def slot_released(self, slot: SlotId, now: float) -> list[Instruction]:
        """The last array that read the slot is gone, or its bytes were copied."""
        self._slots.apply(slot, SlotEvent.FREE)
        return self._feed(now, self._peers.get(slot.producer_id))

    # --- time ---------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Instruction]:
        """Time passed: look for silent producers, overdue leases and long waits.

        When the caller itself was away (stopped, or starved of CPU), everyone gets that time as a
        present: nobody is judged for what could not be heard.
        """
        away = now - self._last_tick if self._last_tick is not None else 0.0
        self._last_tick = now
        if away > STALL_S:
            self._forgive(away)
        for peer in list(self._peers.values()):
            if now - peer.last_heard > LOST_AFTER_S:
                self._note(logging.WARNING, f"producer {peer.name} fell silent; its batches go to others")
                self._remove(peer, f"silent for {LOST_AFTER_S:g} s")
        for peer in self._peers.values():
            for lease in peer.leases.values():
                self._expire_if_overdue(peer, lease, now)
        for work in self._works.values():
            for key, demand in list(work.demands.items()):
                self._review(work, key, demand, now)
        return self._feed(now)

    @property
    def producer_names(self) -> list[str]:
        """Names of the producers that are there."""
        return [peer.name for peer in self._peers.values()]

    @property
    def used_bytes(self) -> int:
        """Bytes of all slots there are."""
        return self._slots.used_bytes

    # --- feeding producers --------------------------------------------------------------------

    def _feed(self, now: float, only: Peer | None = None) -> list[Instruction]:
        """Give tickets to whoever can take some, then hand out all instructions."""
        for work in self._works.values():
            for key in list(work.demands):
                self._fail_if_unreadable(work, key, now)
        if only is not None and not self._has_unleased_demand():
            while self._feed_one(only, TICKETS_AHEAD, now):
                pass
        else:
            self._feed_all(now)
        out, self._out = self._out, []
        return out

    def _feed_all(self, now: float) -> None:
        """One ticket each, then a second each: work spreads before it queues."""
        for depth in range(1, DEMANDED_AHEAD + 1):
            for peer in sorted(self._peers.values(), key=lambda peer: len(peer.leases)):
                self._feed_one(peer, depth, now)

    def _feed_one(self, peer: Peer, depth: int, now: float) -> bool:
        """Lease one step to a producer that holds fewer than `depth` leases."""
        if peer.barred or len(peer.leases) >= min(depth, DEMANDED_AHEAD):
            return False
        choice = self._demanded_choice(peer)
        if choice is None and len(peer.leases) < min(depth, TICKETS_AHEAD):
            choice = self._prefetch_choice(peer)
        if choice is None:
            return False
        work, key, slot = choice
        self._lease(peer, work, key, slot, now)
        return True

    def _demanded_choice(self, peer: Peer) -> tuple[Work, StepKey, SlotId] | None:
        """The first step that somebody waits for and nobody works on; a slot is found or made."""
        for work in self._works.values():
            for key in work.demands:
                if work.ledger.state(key) is StepState.PLANNED and self._may_read(peer, work, key):
                    slot = self._free_slot(peer, work) or self._take_back(peer, work)
                    if slot is not None:
                        return work, key, slot
        return None

    def _prefetch_choice(self, peer: Peer) -> tuple[Work, StepKey, SlotId] | None:
        """The next step of the job that has least in hand and a free slot."""
        for work in sorted(self._works.values(), key=lambda work: work.ledger.num_ahead):
            slot = self._free_slot(peer, work) if work.wants_more else None
            if slot is not None:
                key = work.ledger.next_planned()
                if self._may_read(peer, work, key):
                    return work, key, slot
        return None

    def _lease(self, peer: Peer, work: Work, key: StepKey, slot: SlotId, now: float) -> None:
        lease = Lease(next(self._lease_ids), key, slot, now)
        self._slots.apply(slot, SlotEvent.LEASE)
        work.ledger.apply(key, StepEvent.LEASE)
        peer.leases[lease.lease_id] = work.leased[key] = lease
        self._out.append(SendTicket(lease.lease_id, key, slot))

    def _free_slot(self, peer: Peer, work: Work) -> SlotId | None:
        return self._slots.free_slot((peer.producer_id, work.job_id))

    def _take_back(self, peer: Peer, work: Work) -> SlotId | None:
        """Give up the ready batch farthest from delivery whose slot helps this producer."""
        for key in sorted(work.ready, reverse=True):
            slot = work.ready[key]
            if slot.producer_id == peer.producer_id or slot.producer_id not in self._peers:
                self._drop_ready(work, key)
                work.ledger.apply(key, StepEvent.TAKE_BACK)
                return self._free_slot(peer, work)
        return None

    def _has_unleased_demand(self) -> bool:
        return any(
            work.ledger.state(key) is StepState.PLANNED
            for work in self._works.values()
            for key in work.demands
        )

    # --- the end of leases --------------------------------------------------------------------

    def _answered(self, producer_id: bytes, lease_id: int) -> tuple[Peer | None, Lease | None]:
        """Whose lease an answer ends; nothing for an answer to no lease, such as a second one."""
        peer = self._peers.get(producer_id)
        return peer, peer.leases.pop(lease_id, None) if peer else None

    def _wanting(self, lease: Lease) -> Work | None:
        """The job for which an answer to this lease still is news."""
        work = self._works.get(lease.slot.job_id)
        if work and work.ledger.state(lease.key) in {StepState.PLANNED, StepState.LEASED}:
            return work
        return None

    def _end_lease(self, work: Work, lease: Lease) -> None:
        """Its step was answered: whoever else works on it can stop."""
        current = work.leased.pop(lease.key, None)
        if current is not None and current is not lease:
            self._quarantine(current)

    def _void(self, work: Work, lease: Lease) -> None:
        """Nobody wants the answer any more, but the producer may still be writing."""
        work.leased.pop(lease.key, None)
        self._quarantine(lease)

    def _quarantine(self, lease: Lease) -> None:
        lease.void = True
        self._slots.apply(lease.slot, SlotEvent.EXPIRE)
        self._out.append(SendCancel(lease.slot.producer_id, lease.lease_id))

    def _expire(self, lease: Lease) -> None:
        """Take a lease for lost: the step goes to another producer, the slot into quarantine."""
        if lease.void:
            self._out.append(SendCancel(lease.slot.producer_id, lease.lease_id))
            return
        work = self._works[lease.slot.job_id]
        self._void(work, lease)
        self._plan_again(work, lease.key)

    def _expire_if_overdue(self, peer: Peer, lease: Lease, now: float) -> None:
        if lease.void or now - lease.leased_at <= self._works[lease.slot.job_id].overdue_s:
            return
        self._expire(lease)
        self._note(
            logging.WARNING,
            f"producer {peer.name} has not answered for {now - lease.leased_at:.0f} s: batch"
            f" {lease.key[1]} of epoch {lease.key[0]} goes to another",
        )

    def _remove(self, peer: Peer, last_words: str, *, by_itself: bool = False) -> None:
        """A producer is gone. Only the lease it worked on can be what killed it."""
        del self._peers[peer.producer_id]
        self._idle.discard(peer.producer_id)
        self._allot()
        suspect = None if by_itself else next((x for x in peer.leases.values() if not x.void), None)
        for lease in peer.leases.values():
            self._slots.apply(lease.slot, SlotEvent.FREE)
            if not lease.void:
                self._lose(peer, lease, last_words, counts=lease is suspect)

    def _lose(self, peer: Peer, lease: Lease, last_words: str, *, counts: bool) -> None:
        work = self._works[lease.slot.job_id]
        del work.leased[lease.key]
        record = work.ledger.record(lease.key)
        record.num_lost += counts
        if record.num_lost <= MAX_LOST:
            self._plan_again(work, lease.key)
            return
        files = ", ".join(work.samples_of(lease.key))
        self._fail(
            work,
            lease.key,
            f"batch {lease.key[1]} of epoch {lease.key[0]} was in work when {record.num_lost} producers died;"
            f" one of its files may be what kills them: {files}. Last words of {peer.name}: {last_words}",
        )

    def _plan_again(self, work: Work, key: StepKey) -> None:
        if work.ledger.state(key) is StepState.LEASED:
            work.ledger.apply(key, StepEvent.LOSE)

    def _drop_ready(self, work: Work, key: StepKey) -> None:
        slot = work.ready.pop(key)
        self._slots.apply(slot, SlotEvent.FREE)
        self._out.append(Discard(slot))

    def _retire_before(self, work: Work, epoch: int) -> None:
        """A later epoch was asked for: what is left of earlier ones is not wanted."""
        for key, lease in list(work.leased.items()):
            if key[0] < epoch and key not in work.demands:
                self._void(work, lease)
        for key in [key for key in work.ready if key[0] < epoch]:
            self._drop_ready(work, key)
        work.ledger.retire_before(epoch, keep=set(work.demands))

    # --- answers to the consumer --------------------------------------------------------------

    def _deliver(self, work: Work, key: StepKey) -> None:
        slot = work.ready.pop(key)
        copy = self._slots.must_copy(slot)
        self._slots.apply(slot, SlotEvent.HOLD)
        work.ledger.apply(key, StepEvent.DELIVER)
        del work.demands[key]
        self._out.append(Deliver(work.job_id, key, slot, copy))

    def _fail(self, work: Work, key: StepKey, text: str) -> None:
        work.ledger.fail(key, text)
        if key in work.demands:
            self._tell_error(work, key)

    def _tell_error(self, work: Work, key: StepKey) -> None:
        record = work.ledger.record(key)
        del work.demands[key]
        self._out.append(Reject(work.job_id, key, BatchError(record.error)))
        record.error = ""

    def _may_read(self, peer: Peer, work: Work, key: StepKey) -> bool:
        return peer.producer_id not in work.ledger.record(key).unread_by

    def _count_unread(self, peer: Peer, failure: Failure) -> None:
        peer.num_unread += 1
        if peer.num_unread >= MAX_UNREAD and not peer.barred:
            peer.barred = True
            self._note(
                logging.WARNING,
                f"producer {peer.name} gets no more tickets: {peer.num_unread} reads running failed,"
                f" the last of {failure.path}: {failure.text}. Check its --data-root",
            )

    def _fail_if_unreadable(self, work: Work, key: StepKey, now: float) -> None:
        """Give up a demanded step when every producer there is has failed to read it."""
        if work.ledger.state(key) is not StepState.PLANNED or not self._peers:
            return
        if any(not peer.barred and self._may_read(peer, work, key) for peer in self._peers.values()):
            return
        if now - work.demands[key].since < self._read_grace_s:
            return
        last = work.ledger.record(key).error or "none gets tickets any more, see the log"
        self._fail(
            work,
            key,
            f"no producer can read batch {key[1]} of epoch {key[0]}"
            f" (tried: {', '.join(self.producer_names)}). Last failure: {last}",
        )

    def _review(self, work: Work, key: StepKey, demand: Demand, now: float) -> None:
        """Say that a wait is long, or end it."""
        text = (
            f"waiting {now - demand.since:.0f} s for batch {key[1]} of epoch {key[0]}: {self._why(work, key)}"
        )
        if now >= demand.until:
            del work.demands[key]
            self._out.append(Reject(work.job_id, key, StarvedError(text)))
        elif now >= demand.next_note_at:
            demand.next_note_at += NEXT_NOTE_S
            self._note(logging.WARNING, text)

    def _why(self, work: Work, key: StepKey) -> str:
        if not self._peers:
            return f"no producer is connected. {self._advice}"
        lease = work.leased.get(key)
        if lease is not None:
            return f"producer {self._peers[lease.slot.producer_id].name} works on it"
        return f"none of the producers {', '.join(self.producer_names)} takes it. {self._advice}"

    # --- shares -------------------------------------------------------------------------------

    def _allot(self) -> None:
        needs = {job_id: work.need for job_id, work in self._works.items()}
        idle = set(self._slots.allot(list(self._peers), needs))
        new = [
            self._peers[producer_id].name for producer_id in self._peers if producer_id in idle - self._idle
        ]
        self._idle = idle
        if new:
            self._note(
                logging.WARNING,
                f"memory_budget={self._budget_bytes:,} bytes has no slots for {', '.join(new)}: idle",
            )

    def _forgive(self, away_s: float) -> None:
        for peer in self._peers.values():
            peer.last_heard += away_s
            for lease in peer.leases.values():
                lease.leased_at += away_s

    def _note(self, level: int, text: str) -> None:
        self._out.append(Note(level, text))
