"""Where the time of batches goes, added up since the pool was made."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from common.stages import Stages


@dataclass(frozen=True, slots=True)
class ProducerStats:
    """What one producer has done for a pool.

    Attributes
    ----------
    name : str
        As in log lines.
    pid : int
        Its process, on its own host.
    num_batches : int
        Batches that came from it and were wanted.
    stages : Stages
        Where its time went.
    transfer_s : float
        Seconds from ticket to answer in which it did neither build nor queue: on the way, and until
        somebody woke up.
    """

    name: str
    pid: int
    num_batches: int = 0
    stages: Stages = field(default_factory=Stages)
    transfer_s: float = 0.0

    def with_batch(self, stages: Stages, answer_s: float) -> ProducerStats:
        """One batch more, `answer_s` seconds after its ticket was sent."""
        way_s = max(0.0, answer_s - (stages.build_us + stages.queued_us) / 1e6)
        return replace(
            self,
            num_batches=self.num_batches + 1,
            stages=self.stages + stages,
            transfer_s=self.transfer_s + way_s,
        )


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What a pool has done so far.

    Attributes
    ----------
    producers : tuple of ProducerStats
        Those that are connected, in the order in which they joined.
    num_delivered : int
        Batches handed to consumers.
    hand_over_s : float
        Seconds from the pool's thread having a batch, and somebody waiting for it, to its arrays being
        in the waiting thread's hands; added up.
    thread_cpu_s : float
        CPU seconds of the pool's thread.
    """

    producers: tuple[ProducerStats, ...]
    num_delivered: int
    hand_over_s: float
    thread_cpu_s: float


@dataclass(slots=True)
class ProducerCounts:
    """Counts by producer. Used by the pool's thread alone."""

    _by_id: dict[bytes, ProducerStats] = field(default_factory=dict)

    def joined(self, producer_id: bytes, name: str, pid: int) -> None:
        """Begin to count for a producer."""
        self._by_id[producer_id] = ProducerStats(name, pid)

    def batch(self, producer_id: bytes, stages: Stages, answer_s: float) -> None:
        """A batch came that was wanted."""
        if producer_id in self._by_id:
            self._by_id[producer_id] = self._by_id[producer_id].with_batch(stages, answer_s)

    def of(self, connected: Mapping[bytes, object]) -> tuple[ProducerStats, ...]:
        """The counts of those that are connected; the others' are dropped."""
        self._by_id = {i: stats for i, stats in self._by_id.items() if i in connected}
        return tuple(self._by_id.values())


class HandOver:
    """Counts deliveries. Thread-safe: any thread may take a batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.num_delivered = 0
        self.seconds = 0.0

    def count(self, seconds: float) -> None:
        """One more, that took so long."""
        with self._lock:
            self.num_delivered += 1
            self.seconds += seconds
