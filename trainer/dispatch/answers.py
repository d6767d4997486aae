"""What whoever waits for a step gets: its batch, or an error that is enough to act on."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from feedline.common.errors import BatchError, StarvedError
from feedline.common.wire.protocol import Failure, FailureKind
from feedline.trainer.dispatch.books import Books, listed
from feedline.trainer.dispatch.instructions import Deliver, Reject
from feedline.trainer.dispatch.ledger import StepEvent, StepState
from feedline.trainer.dispatch.peers import Peer
from feedline.trainer.dispatch.slots import SlotEvent
from feedline.trainer.dispatch.works import Demand, Work
from feedline.trainer.plan.epochs import StepKey

NEXT_NOTE_S = 30.0
"""Seconds between two log lines about the same wait, after the first."""


@dataclass(frozen=True, slots=True)
class Grace:
    """How long somebody who waits for files that no producer has waits for another producer to come.

    Attributes
    ----------
    one_file_s : float
        When the producers that are there have read others: seconds.
    everything_s : float
        When none of them has read anything yet, as with a wrong folder. `timeout_s` bounds it.
    """

    one_file_s: float = 0.0
    everything_s: float = 0.0


NO_GRACE = Grace()
"""Where no other producer will come."""


class Answers:
    """Ends demands.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    advice : str
        How to start a producer, for whoever reads that one is missing.
    grace : Grace
        How long a demanded step that no producer can read waits for another producer to come.
    """

    def __init__(self, books: Books, advice: str, grace: Grace) -> None:
        self._books = books
        self._advice = advice
        self._grace = grace

    def deliver(self, work: Work, key: StepKey) -> None:
        """Hand a ready batch to whoever waits for it, or soon will."""
        slot = work.ready.pop(key)
        copy = self._books.slots.must_copy(slot)
        self._books.slots.apply(slot, SlotEvent.HOLD)
        work.ledger.apply(key, StepEvent.DELIVER)
        work.demands.pop(key, None)
        self._books.out.append(Deliver(work.job_id, key, slot, copy))

    def told(self, peer: Peer, failure: Failure) -> str:
        """What is said of a failure: of a file in one line, of code of users with its traceback."""
        # What is said of a Sequence begins with its name already, which stands for a file here.
        named = "" if failure.text.startswith(failure.path) else f"{failure.path}: "
        text = f"{named}{failure.text} (producer {peer.name})"
        whole = f"{text}\n{failure.traceback}".rstrip()
        if failure.kind is FailureKind.BUILD:
            return whole
        if failure.traceback:
            self._books.note(logging.INFO, whole)
        return text

    def fail(self, work: Work, key: StepKey, text: str) -> None:
        """A step cannot be built: tell whoever waits for it, now or when it is asked for."""
        work.ledger.fail(key, text)
        if key in work.demands:
            self.tell_error(work, key)

    def tell_error(self, work: Work, key: StepKey) -> None:
        """Raise the step's error in whoever waits for it; the next demand tries again."""
        record = work.ledger.record(key)
        work.ledger.apply(key, StepEvent.DELIVER)
        del work.demands[key]
        self._books.out.append(Reject(work.job_id, key, BatchError(record.error)))
        record.error = ""

    def fail_if_unreadable(self, work: Work, key: StepKey, now: float) -> None:
        """Give up a demanded step when every producer there is has failed to read it, and no other came.

        Before a job that does without bad samples does so, it is known which those are.
        """
        if work.bad.is_tolerant and self._books.willing and not self.has_been_tried_by_all(work, key, now):
            return
        if self._is_unreadable(work, key) and now - work.demands[key].since >= self._grace_s:
            self.fail(work, key, self._why_unreadable(work, key))

    def _is_unreadable(self, work: Work, key: StepKey) -> bool:
        if work.ledger.state(key) is not StepState.PLANNED or not self._books.peers:
            return False
        return not any(self._books.may_read(peer, work, key) for peer in self._books.willing)

    def has_been_tried_by_all(self, work: Work, key: StepKey, now: float) -> bool:
        """Whether every producer there is has failed to read a step, and no other has come for a while."""
        if not self._books.willing or not self._is_unreadable(work, key):
            return False
        last_joined_at = max(peer.joined_at for peer in self._books.peers.values())
        return now - last_joined_at >= self._grace_s

    def _why_unreadable(self, work: Work, key: StepKey) -> str:
        last = work.ledger.record(key).error or "none gets tickets any more, see the log"
        return (
            f"no producer can read {key} (tried: {listed(self._books.producer_names)}). Last failure: {last}"
        )

    @property
    def _grace_s(self) -> float:
        """A file is missing where others are found; where nothing was found yet, the folder is."""
        anything = any(peer.has_read for peer in self._books.peers.values())
        return self._grace.one_file_s if anything else self._grace.everything_s

    def review(self, work: Work, key: StepKey, demand: Demand, now: float) -> None:
        """Say that a wait is long, or end it."""
        if now < min(demand.until, demand.next_note_at):
            return
        text = f"waiting {now - demand.since:.0f} s for {key}: {self._why(work, key, now)}"
        if now >= demand.until:
            del work.demands[key]
            self._books.out.append(Reject(work.job_id, key, StarvedError(text)))
        else:
            demand.next_note_at = now + NEXT_NOTE_S
            self._books.note(logging.WARNING, text)

    def _why(self, work: Work, key: StepKey, now: float) -> str:
        if work.job_id in self._books.waiting:
            return f"its turn has not come. {self._books.why_turns}"
        if not self._books.peers:
            return f"no producer is connected. {self._advice}"
        if self._is_unreadable(work, key):
            return f"{self._why_unreadable(work, key)}\nOne that can is waited for. {self._advice}"
        lease = work.leased.get(key)
        if lease is not None:
            return f"producer {self._books.peers[lease.slot.producer_id].named} works on it"
        silent = self._silent(work, key, now)
        if silent:
            return (
                f"{silent}, and has not answered. Reading a file or code of yours may take long, or hang; it"
                f" is made of {listed(work.samples_of(key))}"
            )
        names = [peer.named for peer in self._books.peers.values()]
        return f"none of the producers {listed(names)} takes it. {self._advice}"

    def _silent(self, work: Work, key: StepKey, now: float) -> str:
        """Who was given the step, and not heard of for so long that it was to go to another."""
        held = [
            f"producer {peer.named} has had it for {now - lease.leased_at:.0f} s"
            for peer in self._books.peers.values()
            for lease in peer.leases.values()
            if lease.overdue and (lease.slot.job_id, lease.key) == (work.job_id, key)
        ]
        return " and ".join(held)
