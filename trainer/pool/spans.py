"""From the counters at two moments to what happened between them."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence

from feedline.common.processes.children import usable_cores
from feedline.trainer.pool.stats import DeliveryStats, PoolStats, ProducerStats
from feedline.trainer.verdict.snapshot import MIN_BATCHES, CacheState, Certainty, ProducerSpan, Snapshot

WINDOW_S = 10
"""What is said of a pool is about so many seconds, or about more where steps are slow."""

STEPS_OF_REST = 3
"""Who has taken nothing for the time of so many steps does something else."""

FEW_UNCERTAIN = 0.1
"""A share of batches of which it is not known how long the trainer waited, which changes little."""


def span_between(
    before: PoolStats,
    after: PoolStats,
    taken: DeliveryStats,
    *,
    embedded: bool,
    slot_bytes: int = 0,
    cache: CacheState = CacheState.NONE,
) -> Snapshot:
    """What a pool did between two moments, and what one of its sequences, or all, took meanwhile.

    Parameters
    ----------
    before, after : PoolStats
        In this order; `after` a moment later.
    taken : DeliveryStats
        In between.
    embedded : bool
        Whether the pool starts its producers itself.
    slot_bytes, cache
        See `Snapshot`.
    """
    producers = tuple(_producers(before, after))
    seconds = max(after.at_s - before.at_s, 1e-6)
    uncertain = taken.num_uncertain > FEW_UNCERTAIN * taken.num_batches
    return Snapshot(
        seconds,
        taken.num_batches,
        taken.num_samples,
        min(taken.trainer_wait_s, seconds),
        certainty=Certainty.AT_MOST if uncertain else Certainty.EXACT,
        hand_over_s=after.hand_over_s - before.hand_over_s,
        thread_cpu_s=max(0.0, after.thread_cpu_s - before.thread_cpu_s),
        trainer_cpu_s=max(0.0, after.trainer_cpu_s - before.trainer_cpu_s),
        producers=producers,
        num_able=sum(one.is_able for one in after.producers),
        cores=_shared_cores(after.producers),
        embedded=embedded,
        slot_bytes=slot_bytes,
        memory_budget=after.memory_budget,
        cache=cache,
        short_s=max(0.0, after.short_s - before.short_s),
    )


def looked_back_to(notes: Sequence[PoolStats], now: PoolStats, idle_s: float) -> PoolStats | None:
    """The note from which on a pool is judged; None if there is none.

    It is `WINDOW_S` old, or as old as it has to be for `MIN_BATCHES` to have been taken since. None is from
    before the first batch, when everybody had to begin, if there are others.

    Parameters
    ----------
    notes : sequence of PoolStats
        In the order of their times; at least `WINDOW_S` of them are near the end.
    now : PoolStats
        How it is.
    idle_s : float
        How long nothing was taken, and nobody has waited: not for slow steps, but for none.
    """
    started = [one for one in notes if one.taken.num_batches] or list(notes[:1])
    if not started:
        return None
    recent = next((one for one in started if now.at_s - one.at_s <= WINDOW_S + 1), started[-1])
    before = [one for one in started if one.at_s <= recent.at_s]
    enough = (one for one in reversed(before) if _num_taken(one, now) >= MIN_BATCHES)
    chosen = next(enough, before[0])
    step_s = (now.at_s - chosen.at_s) / max(1, _num_taken(chosen, now))
    return chosen if idle_s <= max(WINDOW_S, STEPS_OF_REST * step_s) else recent


def _num_taken(before: PoolStats, now: PoolStats) -> int:
    return now.taken.num_batches - before.taken.num_batches


def taken_between(before: DeliveryStats, after: DeliveryStats) -> DeliveryStats:
    """What was taken between two moments."""
    return DeliveryStats(
        after.num_batches - before.num_batches,
        after.num_samples - before.num_samples,
        after.wait_s - before.wait_s,
        after.trainer_wait_s - before.trainer_wait_s,
        after.num_uncertain - before.num_uncertain,
    )


def _producers(before: PoolStats, after: PoolStats) -> Iterator[ProducerSpan]:
    seconds = after.at_s - before.at_s
    known = {(one.host, one.pid, one.name): one for one in before.producers}
    for one in after.producers:
        old = known.get((one.host, one.pid, one.name))
        yield _span(one, old, seconds)


def _span(one: ProducerStats, old: ProducerStats | None, seconds: float) -> ProducerSpan:
    """Of a producer that joined meanwhile, it is known how long it built, and had nothing to do."""
    if old is None or old.num_batches > one.num_batches:
        present_s = min(seconds, (one.stages.idle_us + one.stages.build_us) / 1e6)
        counts = one.num_batches, one.stages, one.transfer_s, one.num_framed, one.frame_bytes
    else:
        present_s = seconds
        counts = (
            one.num_batches - old.num_batches,
            one.stages - old.stages,
            one.transfer_s - old.transfer_s,
            one.num_framed - old.num_framed,
            one.frame_bytes - old.frame_bytes,
        )
    return ProducerSpan(one.name, one.host, present_s, *counts, pid=one.pid)


def _shared_cores(producers: tuple[ProducerStats, ...]) -> int | None:
    """The cores that all producers share with the trainer; None if some are elsewhere."""
    is_here = all(one.host == platform.node() for one in producers)
    return usable_cores() if is_here else None
