"""The view as metrics, in the text format that Prometheus scrapes.

Each metric is a row of a table, with its unit and meaning; ``docs/monitoring.md`` has the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from feedline.trainer.monitor.view import View
from feedline.trainer.verdict.verdict import Bound

Sample: TypeAlias = tuple[tuple[str, ...], float]
"""Values of the labels, and the number."""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric.

    Attributes
    ----------
    name : str
        Without the suffix ``_total`` of counters.
    meaning : str
        With its unit.
    samples : callable
        Its numbers in a view; those that are not known are left out.
    labels : tuple of str
        Their names.
    is_counter : bool
        Whether it only grows, while the pool lives.
    """

    name: str
    meaning: str
    samples: Callable[[View], Iterable[Sample]]
    labels: tuple[str, ...] = ()
    is_counter: bool = False

    @property
    def shown_name(self) -> str:
        """As Prometheus knows it."""
        return f"{self.name}_total" if self.is_counter else self.name

    def family(self, view: View) -> Metric:
        """Fill it."""
        kind = CounterMetricFamily if self.is_counter else GaugeMetricFamily
        family = kind(self.name, self.meaning, labels=self.labels)
        for labels, value in self.samples(view):
            family.add_metric(labels, value)
        return family


def _one(*path: str) -> Callable[[View], Iterator[Sample]]:
    """A number of the view, by the keys that lead to it."""

    def samples(view: View) -> Iterator[Sample]:
        value: Any = view
        for key in path:
            value = value[key]
        if value is not None:
            yield (), value

    return samples


def _each(key: str) -> Callable[[View], Iterator[Sample]]:
    """All numbers of a mapping."""

    def samples(view: View) -> Iterator[Sample]:
        mapping: Mapping[str, float] = view[key]
        for name, value in mapping.items():
            yield (name,), value

    return samples


def _of_producers(value: str) -> Callable[[View], Iterator[Sample]]:
    def samples(view: View) -> Iterator[Sample]:
        for one in view["producers"]:
            if one[value] is not None:
                yield _labels(one), one[value]

    return samples


def _stages(view: View) -> Iterator[Sample]:
    for one in view["producers"]:
        for stage, seconds in one["stage_s"].items():
            yield (*_labels(one), stage), seconds


def _labels(one: View) -> tuple[str, ...]:
    """The values of `_PRODUCER`."""
    return one["name"], one["host"], str(one["pid"])


def _of_jobs(value: str) -> Callable[[View], Iterator[Sample]]:
    def samples(view: View) -> Iterator[Sample]:
        for job in view["jobs"]:
            if job[value] is not None:
                yield (str(job["job"]), job["name"]), job[value]

    return samples


def _bounds(view: View) -> Iterator[Sample]:
    for bound in Bound:
        yield (str(bound),), float(view["verdict"]["bound"] == bound)


def _able(view: View) -> Iterator[Sample]:
    yield (), sum(one["is_able"] for one in view["producers"])


_PRODUCER, _JOB = ("producer", "host", "pid"), ("job", "name")

ROWS = (
    Row("feedline_images", "images delivered to the trainer", _one("totals", "images"), is_counter=True),
    Row("feedline_batches", "batches delivered to the trainer", _one("totals", "batches"), is_counter=True),
    Row(
        "feedline_wait_seconds",
        "seconds in which the trainer had no batch",
        _one("totals", "wait_s"),
        is_counter=True,
    ),
    Row(
        "feedline_wait_ratio",
        "share, 0 to 1, of the same: of the last ten seconds, or of the last eight steps if they took longer",
        _one("rates", "wait_share"),
    ),
    Row(
        "feedline_wanted_images_per_second",
        "images per second that the trainer would take if it never waited; absent while not known",
        _one("rates", "wanted"),
    ),
    Row("feedline_verdict", "1 for the verdict that holds, 0 for the others", _bounds, ("bound",)),
    Row("feedline_producers", "producers that are connected", lambda view: [((), len(view["producers"]))]),
    Row("feedline_producers_able", "producers that get tickets: their reads do not all fail", _able),
    Row(
        "feedline_producers_wanted",
        "producers with which the trainer would not wait, as few as possible; absent while not known",
        _one("num_wanted"),
    ),
    Row("feedline_slots", "batches that there is room for, by what is in it", _each("slots"), ("state",)),
    Row("feedline_memory_budget_bytes", "bytes that all batches in hand may take", _one("memory_budget")),
    Row(
        "feedline_refused_messages",
        "messages that were refused, by the rule that they broke",
        _each("refused"),
        ("rule",),
        is_counter=True,
    ),
    Row("feedline_job_epoch", "epoch of the next batch", _of_jobs("epoch"), _JOB),
    Row("feedline_job_step", "step of the next batch", _of_jobs("step"), _JOB),
    Row("feedline_job_steps", "steps of an epoch", _of_jobs("num_steps"), _JOB),
    Row("feedline_job_ready_batches", "batches that are built and not delivered", _of_jobs("ready"), _JOB),
    Row(
        "feedline_job_queue_size",
        "batches that each producer may have in hand: max_queue_size, or what it has come to",
        _of_jobs("queue_size"),
        _JOB,
    ),
    Row("feedline_job_bad_samples", "files that cannot be used", _of_jobs("num_bad"), _JOB),
    Row(
        "feedline_producer_batches",
        "batches that came from it and were wanted",
        _of_producers("batches"),
        _PRODUCER,
        is_counter=True,
    ),
    Row(
        "feedline_producer_stage_seconds",
        "seconds that it was idle, read, decoded and transformed",
        _stages,
        (*_PRODUCER, "stage"),
        is_counter=True,
    ),
    Row(
        "feedline_producer_frame_bytes",
        "bytes of its batches that came over the socket",
        _of_producers("frame_bytes"),
        _PRODUCER,
        is_counter=True,
    ),
    Row(
        "feedline_producer_failures",
        "batches that it could not build",
        _of_producers("failures"),
        _PRODUCER,
        is_counter=True,
    ),
    Row(
        "feedline_producer_busy_ratio",
        "share, 0 to 1, of the span of `feedline_wait_ratio` in which it built",
        _of_producers("busy_share"),
        _PRODUCER,
    ),
    Row(
        "feedline_producer_in_flight",
        "batches that it was told to build",
        _of_producers("in_flight"),
        _PRODUCER,
    ),
    Row(
        "feedline_producer_straggler",
        "1 if it takes more than twice what others take",
        _of_producers("is_straggler"),
        _PRODUCER,
    ),
    Row(
        "feedline_producer_memory_bytes",
        "bytes of its process, of those on the trainer's machine",
        _of_producers("memory_bytes"),
        _PRODUCER,
    ),
)
"""All metrics."""


class _Collector(Collector):
    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        return (row.family(self._view) for row in ROWS)


def exposition(view: View) -> tuple[bytes, str]:
    """All metrics of a view in the text format, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(view))
    return generate_latest(registry), CONTENT_TYPE_LATEST
