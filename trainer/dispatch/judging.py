"""What it means that a batch could not be built: for its samples, for its step, and for the training.

A file that is no whole image is bad at once. One that cannot be read is bad when no producer that is there
can read it, and none has joined for a while that could.
"""

from __future__ import annotations

import logging

from feedline.common.errors import BadSamplesError
from feedline.common.wire.protocol import Failure, FailureKind
from feedline.trainer.dispatch.answers import Answers
from feedline.trainer.dispatch.bad_samples import Found
from feedline.trainer.dispatch.books import Books
from feedline.trainer.dispatch.instructions import Reject, Report
from feedline.trainer.dispatch.leases import Leases
from feedline.trainer.dispatch.peers import Lease, Peer
from feedline.trainer.dispatch.works import Work
from feedline.trainer.plan.epochs import StepKey

NUM_TOLD = 3
"""A log line names so many files."""


class Judging:
    """Decides what comes of failures.

    Parameters
    ----------
    books : Books
        Shared with the dispatcher's other parts.
    answers : Answers
        Where a step goes that cannot be built.
    leases : Leases
        Has steps planned again.
    """

    def __init__(self, books: Books, answers: Answers, leases: Leases) -> None:
        self._books = books
        self._answers = answers
        self._leases = leases

    def failed(self, peer: Peer, work: Work, lease: Lease, failure: Failure) -> None:
        """A batch that is wanted cannot be built."""
        text = self._answers.told(peer, failure)
        findings = work.bad.findings(failure, lease.lineup, lease.key, peer.name)
        unread = tuple(one for one in findings if one.kind is FailureKind.READ)
        if not findings and failure.kind is not FailureKind.READ:
            self._answers.fail(work, lease.key, f"{lease.key} failed: {text}")
            return
        self._leases.plan_again(work, lease.key)
        if unread or not findings:
            record = work.ledger.record(lease.key)
            record.unread_by[peer.producer_id] = unread
            record.error = text
        if unread:
            work.bad.unsettled.add(lease.key)
        self._take(work, [one for one in findings if one.kind is FailureKind.DECODE])

    def settle(self, work: Work, now: float) -> None:
        """Samples are bad that every producer has failed to read, and nobody else is expected to."""
        for key in list(work.bad.unsettled):
            if not work.ledger.record(key).unread_by:
                work.bad.unsettled.discard(key)
            elif work.bad.is_tolerant and self._answers.has_been_tried_by_all(work, key, now):
                self._settle_step(work, key)

    def _settle_step(self, work: Work, key: StepKey) -> None:
        record = work.ledger.record(key)
        tried = [record.unread_by.get(peer.producer_id, ()) for peer in self._books.willing]
        unread_by_all = [
            one for one in tried[0] if all(any(one.path == other.path for other in told) for told in tried)
        ]
        if unread_by_all:
            record.unread_by.clear()
            record.error = ""
            work.bad.unsettled.discard(key)
            self._take(work, unread_by_all)

    def _take(self, work: Work, findings: list[Found]) -> None:
        if not findings:
            return
        new = work.bad.take(findings)
        if new:
            named = "; ".join(f"{one.path}: {one.reason}" for one in new[:NUM_TOLD])
            more = f"; and {len(new) - NUM_TOLD} more" if len(new) > NUM_TOLD else ""
            text = f"{new[0].key} has bad samples, {work.bad.lineups.remedy}: {named}{more}"
            self._books.note(logging.WARNING, text)
            self._books.out.append(Report(work.job_id))
        if work.bad.doom:
            for key in list(work.demands):
                self.refuse(work, key)

    def refuse(self, work: Work, key: StepKey) -> None:
        """Too many samples are bad: whoever waits for any is told so."""
        del work.demands[key]
        self._books.out.append(Reject(work.job_id, key, BadSamplesError(work.bad.doom)))
