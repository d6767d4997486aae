"""What is shown of a pool, as plain values that JSON has: the page, metrics and terminal show this. Pure.

Its fields are described in ``docs/monitoring.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice, zip_longest
from typing import Any, TypeAlias

from feedline.trainer.monitor.facts import Event, Facts, JobFacts, ProducerFacts
from feedline.trainer.monitor.history import History, wanted_of
from feedline.trainer.verdict.report import Report, step_ms
from feedline.trainer.verdict.snapshot import ProducerSpan

MOST_BAD = 50
"""So many bad samples are shown, the last ones; how many there are is said, too."""

View: TypeAlias = dict[str, Any]

MemoryOf: TypeAlias = Callable[[ProducerFacts], int | None]
"""Bytes that a producer's process takes, where that is known."""


def view_of(
    facts: Facts,
    history: History,
    since_s: float = float("-inf"),
    *,
    memory_of: MemoryOf = lambda _: None,
    can_scale: bool = False,
    pool: str = "",
) -> View:
    """Show a pool as it is.

    Parameters
    ----------
    facts : Facts
        The latest.
    history : History
        That has them.
    since_s : float
        Of the history, what came after this moment.
    memory_of : callable
        See `MemoryOf`.
    can_scale : bool
        Whether whoever has the token may change the number of producers.
    pool : str
        What no other pool has: of which one this is a view.
    """
    report = facts.report
    return {
        "pool": pool,
        "at_s": facts.at_s,
        "verdict": _verdict(report),
        "rates": _rates(facts, history),
        "history": [[point.at_s, point.made, point.wanted] for point in history.points(since_s)],
        "step_ms": step_ms(report.verdict.snapshot) if report else {},
        "slots": dict(facts.slots),
        "jobs": [_job(job, history) for job in facts.jobs],
        "producers": _producers(facts, memory_of),
        "num_asked": facts.num_asked,
        "num_wanted": report.verdict.num_wanted if report else None,
        "num_bad": sum(len(job.standing.found) for job in facts.jobs),
        "bad": _bad(facts),
        "events": [_event(event, facts.at_s) for event in reversed(facts.events)],
        "totals": {"images": facts.num_images, "batches": facts.num_batches, "wait_s": facts.wait_s},
        "memory_budget": facts.memory_budget,
        "refused": dict(facts.refused),
        "can_scale": can_scale and facts.num_asked is not None,
    }


def _verdict(report: Report | None) -> View:
    if report is None:
        return {"bound": "warming up", "sentence": "nothing is known yet", "is_bad": False, "text": ""}
    verdict = report.verdict
    is_bad = verdict.waits_much or verdict.bound == "starved"
    return {"bound": str(verdict.bound), "sentence": report.sentence, "is_bad": is_bad, "text": str(report)}


def _rates(facts: Facts, history: History) -> View:
    points = history.points()
    return {
        "made": points[-1].made if points else 0.0,
        "wanted": wanted_of(facts),
        "wait_share": facts.report.verdict.snapshot.wait_share if facts.report else 0.0,
    }


def _job(job: JobFacts, history: History) -> View:
    standing = job.standing
    pace, left = history.steps_per_s(standing.job_id), standing.num_steps - job.step
    return {
        "job": standing.job_id,
        "name": standing.name,
        "epoch": job.epoch,
        "step": job.step,
        "num_steps": standing.num_steps,
        "steps_per_s": pace,
        "eta_s": left / pace if pace else None,
        "ready": standing.num_ready + job.num_laid_out,
        "queue_size": standing.queue_size,
        "in_work": standing.num_in_work,
        "waited_for": standing.num_waited_for,
        "is_resting": standing.is_resting,
        "num_bad": len(standing.found),
    }


def _producers(facts: Facts, memory_of: MemoryOf) -> list[View]:
    spans: dict[tuple[str, int, str], ProducerSpan] = {}
    seconds = samples = 0.0
    if facts.report:
        snapshot = facts.report.verdict.snapshot
        seconds, samples = snapshot.seconds, snapshot.samples_per_batch
        spans = {(span.host, span.pid, span.name): span for span in snapshot.producers}
    shown = []
    for one in facts.producers:
        span = spans.get((one.host, one.pid, one.name)) or ProducerSpan(one.name, one.host, seconds)
        rate = samples * span.num_batches / span.present_s if span.present_s else 0.0
        shown.append(_producer(one, rate, span.busy_share, memory_of(one)))
    return shown


def _producer(one: ProducerFacts, images_per_s: float, busy_share: float, memory: int | None) -> View:
    standing, stages = one.standing, one.stages
    return {
        "name": one.name,
        "host": one.host,
        "pid": one.pid,
        "images_per_s": images_per_s,
        "busy_share": busy_share,
        "in_flight": standing.num_in_flight,
        "doing": standing.doing,
        "is_able": standing.is_able,
        "is_straggler": standing.is_straggler,
        "failures": one.num_failures,
        "last_error": one.last_error,
        "memory_bytes": memory,
        "batches": one.num_batches,
        "frame_bytes": one.frame_bytes,
        "stage_s": {
            "idle": stages.idle_us / 1e6,
            "read": stages.read_us / 1e6,
            "decode": stages.decode_us / 1e6,
            "transform": stages.transform_us / 1e6,
        },
    }


def _bad(facts: Facts) -> list[View]:
    """The latest of each job, then those before them, and so on: nobody knows which job found one first."""
    turns = zip_longest(*(_bad_of(job) for job in facts.jobs))
    return list(islice((one for one in chain.from_iterable(turns) if one is not None), MOST_BAD))


def _bad_of(job: JobFacts) -> Iterator[View]:
    """The latest first."""
    found = job.standing.found
    for number in reversed(range(len(found))):
        one = found[number]
        epoch, step = one.key.planned
        place = {"job": job.standing.job_id, "number": number, "epoch": epoch, "step": step}
        yield {"path": one.path, "reason": one.reason, "producer": one.producer, **place}


def _event(event: Event, now_s: float) -> View:
    return {"ago_s": max(0.0, now_s - event.at_s), "kind": str(event.kind), "text": event.text}
