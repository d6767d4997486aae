"""Facts of a pool, made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from feedline.common.wire.protocol import FailureKind
from feedline.trainer.dispatch.bad_samples import Found
from feedline.trainer.dispatch.standings import JobStanding, ProducerStanding
from feedline.trainer.monitor.facts import Event, EventKind, Facts, JobFacts, ProducerFacts
from feedline.trainer.plan.epochs import StepKey
from feedline.trainer.verdict.report import Report
from feedline.trainer.verdict.snapshot import ProducerSpan, Snapshot

FOUND = Found("a.png", FailureKind.DECODE, "not a whole image", "node1/0", StepKey(1, 3), 0, 7)


def of_one_name(at_s: float) -> Facts:
    """The same two, each of a ``feedline-producer`` of its own on one host: both have the default name."""
    one = facts(at_s)
    assert one.report is not None
    span = one.report.verdict.snapshot
    spans = tuple(replace(producer, name="node1/0") for producer in span.producers)
    producers = tuple(replace(producer, name="node1/0") for producer in one.producers)
    return replace(one, report=Report.of(replace(span, producers=spans)), producers=producers)


def facts(at_s: float, **changes: Any) -> Facts:
    """A pool of two producers, one of them slow, and one job."""
    span = Snapshot(
        10.0,
        100,
        800,
        0.1,
        producers=(
            ProducerSpan("node1/0", "node1", 10.0, 75, pid=11),
            ProducerSpan("node1/1", "node1", 10.0, 25, pid=12),
        ),
        num_able=2,
        embedded=False,
    )
    standing = JobStanding(1, "sequence 1", 50, num_ready=3, num_in_work=2, found=(FOUND,))
    usual: dict[str, Any] = {
        "report": Report.of(span),
        "num_images": round(80 * at_s),
        "num_batches": round(10 * at_s),
        "wait_s": 0.5,
        "producers": (
            ProducerFacts("node1/0", "node1", 11, ProducerStanding(2), num_batches=75),
            ProducerFacts("node1/1", "node1", 12, ProducerStanding(1, is_straggler=True), last_error="b.png"),
        ),
        "jobs": (JobFacts(standing, 1, round(10 * at_s) % 50, num_laid_out=4),),
        "slots": {"free": 3, "ready": 3},
        "events": (Event(at_s - 2, EventKind.JOINED, "one"), Event(at_s - 1, EventKind.DIED, "two")),
    }
    return Facts(at_s, **{**usual, **changes})
