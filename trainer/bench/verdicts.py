"""What a pool's counters, as a file of the bench has them, show between two moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedline.common.stages import Stages
from feedline.trainer.pool.spans import span_between, taken_between
from feedline.trainer.pool.stats import DeliveryStats, PoolStats, ProducerStats
from feedline.trainer.verdict.report import Report

Document = Mapping[str, Any]


def report_of(measured: Document) -> Report | None:
    """Judge one measurement of Feedline; None of a file that an earlier version wrote."""
    before, after = (measured["details"].get(when, {}) for when in ("before", "after"))
    if "taken" not in before or "taken" not in after:
        return None
    then, now = _pool_stats(before), _pool_stats(after)
    return Report.of(span_between(then, now, taken_between(then.taken, now.taken), embedded=True))


def _pool_stats(document: Document) -> PoolStats:
    known = {name: document[name] for name in PoolStats.__slots__ if name in document}
    producers = tuple(_producer_stats(one) for one in document["producers"])
    return PoolStats(**known | {"producers": producers, "taken": DeliveryStats(**document["taken"])})


def _producer_stats(document: Document) -> ProducerStats:
    return ProducerStats(**{**document, "stages": Stages(**document["stages"])})
