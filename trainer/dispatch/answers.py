"""What whoever waits for a step gets: its batch, or an error that is enough to act on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from feedline.common.errors import BatchError, StarvedError
from feedline.common.wire.protocol import Failure, FailureKind
from feedline.trainer.dispatch.books import Books, Demand, Peer, Work
from feedline.trainer.dispatch.instructions import Deliver, Reject
from feedline.trainer.dispatch.ledger import StepEvent, StepState
from feedline.trainer.dispatch.slots import SlotEvent
from feedline.trainer.plan.epochs import StepKey

NEXT_NOTE_S = 30.0
"""Seconds between two log lines about the same wait, after the first."""


NUM_SHOWN = 8
"""Samples of a step that a text names."""


class Answers:
    """Ends demands.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    advice : str
        How to start a producer, for whoever reads that one is missing.
    read_grace_s : float
        How long a demanded step that no producer can read waits for another producer to come.
    """

    def __init__(self, books: Books, advice: str, read_grace_s: float) -> None:
        self._books = books
        self._advice = advice
        self._read_grace_s = read_grace_s

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
        """Give up a demanded step when every producer there is has failed to read it."""
        if work.ledger.state(key) is not StepState.PLANNED or not self._books.peers:
            return
        if any(
            not peer.barred and self._books.may_read(peer, work, key) for peer in self._books.peers.values()
        ):
            return
        if now - work.demands[key].since < self._read_grace_s:
            return
        last = work.ledger.record(key).error or "none gets tickets any more, see the log"
        self.fail(
            work,
            key,
            f"no producer can read {key}"
            f" (tried: {', '.join(self._books.producer_names)}). Last failure: {last}",
        )

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
        if not self._books.peers:
            return f"no producer is connected. {self._advice}"
        lease = work.leased.get(key)
        if lease is not None:
            return f"producer {self._books.peers[lease.slot.producer_id].name} works on it"
        silent = self._silent(work, key, now)
        if silent:
            return (
                f"{silent}, and has not answered. Reading a file or code of yours may take long, or hang; it"
                f" is made of {_some(work.samples_of(key))}"
            )
        return f"none of the producers {', '.join(self._books.producer_names)} takes it. {self._advice}"

    def _silent(self, work: Work, key: StepKey, now: float) -> str:
        """Who was given the step, and not heard of for so long that it was to go to another."""
        held = [
            f"producer {peer.name} has had it for {now - lease.leased_at:.0f} s"
            for peer in self._books.peers.values()
            for lease in peer.leases.values()
            if lease.overdue and (lease.slot.job_id, lease.key) == (work.job_id, key)
        ]
        return " and ".join(held)


def _some(samples: Sequence[str]) -> str:
    """The first samples of a step, and how many more there are."""
    more = len(samples) - NUM_SHOWN
    return ", ".join(samples[:NUM_SHOWN]) + (f" and {more} more" if more > 0 else "")
