"""How long producers take, and what follows for the leases that they hold and for those that they are given.

A producer works on its leases one after another, in the order in which it got them.
"""

from __future__ import annotations

from collections.abc import Iterable

from feedline.trainer.dispatch.peers import Lease, Peer
from feedline.trainer.dispatch.works import Work

SLOW_FACTOR = 2.0
"""A producer that takes so many times what others take is slow."""

LEARNING_RATE = 0.2
"""What one more batch counts for, beside all before it."""

LARGEST_STEP = 4.0
"""... but what takes more than so many times the usual counts as if it had not: a pause is no pace."""

SHORTEST_S = 0.03
"""Shorter times are not told apart."""

MOST_STEPS_AHEAD = 1000
"""A slow producer is not given steps farther ahead."""


def learn_rhythm(peer: Peer, lease: Lease) -> None:
    """A producer has answered; of answers that are read together all but the first took no time."""
    peer.rhythm_s += LEARNING_RATE * (lease.took_s - peer.rhythm_s)


def learn_pace(peer: Peer, work: Work, lease: Lease) -> None:
    """A producer has built a batch of a job. Of answers that are read together the first says how long."""
    if lease.took_s == 0:
        return
    if work.job_id in peer.guessed:
        peer.guessed.remove(work.job_id)
        del peer.paces[work.job_id]
    peer.paces[work.job_id] = _mean(peer.paces.get(work.job_id, 0.0), lease.took_s)
    work.pace_s = _low(work.pace_s, lease.took_s)


def guess_pace(peer: Peer, work: Work, now: float) -> None:
    """A producer does not come to the end of what it is at, or would not in time: all that is known of it."""
    first = next(iter(peer.leases.values()), None)
    if first is None or first.slot.job_id != work.job_id:
        return
    guess_s = 2 * (now - begun_at(peer, first))
    if guess_s > peer.paces.get(work.job_id, 0.0):
        peer.guessed.add(work.job_id)
        peer.paces[work.job_id] = guess_s


def forget_job(peer: Peer, job_id: int) -> None:
    """A job was closed."""
    peer.paces.pop(job_id, None)
    peer.guessed.discard(job_id)


def _mean(known_s: float, new_s: float) -> float:
    new_s = max(new_s, SHORTEST_S)
    return known_s + LEARNING_RATE * (min(new_s, LARGEST_STEP * known_s) - known_s) if known_s else new_s


def _low(known_s: float, new_s: float) -> float:
    """Of many producers, what the fast ones take."""
    new_s = max(new_s, SHORTEST_S)
    rate = LEARNING_RATE / 2 if new_s > known_s else 2 * LEARNING_RATE
    return known_s + rate * (min(new_s, LARGEST_STEP * known_s) - known_s) if known_s else new_s


def is_slow(peer: Peer, work: Work) -> bool:
    """Whether others are much faster; of one that has built nothing yet, no."""
    return peer.paces.get(work.job_id, 0.0) > SLOW_FACTOR * work.pace_s


def begun_at(peer: Peer, lease: Lease) -> float:
    """When a producer began with the first of its leases."""
    return max(lease.leased_at, peer.answered_at)


def is_begun(peer: Peer, lease: Lease) -> bool:
    """Whether a producer can be at a lease already."""
    return next(iter(peer.leases.values()), None) is lease


def left_s(peer: Peer, now: float) -> dict[int, float]:
    """Seconds until each of a producer's leases is answered, by lease_id, as far as one can tell."""
    left: dict[int, float] = {}
    total = 0.0
    for lease in peer.leases.values():
        pace_s = peer.paces.get(lease.slot.job_id, 0.0)
        if not left:
            total = _rest_s(pace_s, now - begun_at(peer, lease))
        elif not lease.void:
            total += pace_s
        left[lease.lease_id] = total
    return left


def free_in_s(peer: Peer, now: float) -> float:
    """Seconds until a producer could begin with something new."""
    return max(left_s(peer, now).values(), default=0.0)


def _rest_s(pace_s: float, elapsed_s: float) -> float:
    """What has lasted longer than it should lasts, by experience, as long again."""
    return pace_s - elapsed_s if elapsed_s <= pace_s else elapsed_s


def num_ahead(slow: Peer, work: Work, peers: Iterable[Peer], now: float) -> int:
    """How many steps others take before a slow producer would have built its next one.

    It is to be given the step after those, so that nobody has to wait for it.
    """
    takes_s = free_in_s(slow, now) + slow.paces[work.job_id]
    rate = sum(1 / pace for peer in peers if (pace := peer.paces.get(work.job_id)))
    return min(max(0, int(takes_s * rate) - len(work.leased)), MOST_STEPS_AHEAD)
