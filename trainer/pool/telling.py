"""What a pool tells those who watch, once a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from feedline.trainer.dispatch.standings import ProducerStanding
from feedline.trainer.monitor.facts import Facts, JobFacts, ProducerFacts
from feedline.trainer.pool.exchange import Exchange
from feedline.trainer.pool.stats import ProducerStats
from feedline.trainer.pool.watch import PoolWatch


def facts_of(exchange: Exchange, watch: PoolWatch, now: float, num_asked: int | None) -> Callable[[], Facts]:
    """Note how things stand, in the pool's thread; what is returned makes more of it, in any other.

    Parameters
    ----------
    now : float
        On the pool's clock.
    num_asked : int or None
        See `Facts`.
    """
    judged = watch.with_report(exchange, embedded=num_asked is not None)
    standings, producer_ids = exchange.standings, exchange.producer_ids
    places = {job_id: (*shelf.next_key, len(shelf)) for job_id, shelf in exchange.shelves.items()}
    events = exchange.chronicle.events

    def facts() -> Facts:
        stats = judged()
        producers = zip(producer_ids, stats.producers, strict=True)
        return Facts(
            at_s=now,
            report=stats.report,
            num_images=stats.taken.num_samples,
            num_batches=stats.taken.num_batches,
            wait_s=stats.taken.trainer_wait_s,
            producers=tuple(
                _producer(one, producer_id, standings.producers) for producer_id, one in producers
            ),
            jobs=tuple(JobFacts(job, *places.get(job.job_id, (0, 0, 0))) for job in standings.jobs),
            slots=standings.slots,
            events=events,
            num_asked=num_asked,
            memory_budget=stats.memory_budget,
            refused=stats.refused,
        )

    return facts


def _producer(
    one: ProducerStats, producer_id: bytes, standings: Mapping[bytes, ProducerStanding]
) -> ProducerFacts:
    standing = standings.get(producer_id, ProducerStanding())
    counts = one.num_batches, one.frame_bytes, one.stages, one.num_failures, one.last_error
    return ProducerFacts(one.name, one.host, one.pid, standing, *counts)
