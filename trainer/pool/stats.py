"""Where the time of batches goes, added up since the pool or the sequence was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from feedline.common.stages import Stages


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
    refused : mapping of str to int
        Messages that were refused since the pool was made, by the rule that they broke: see
        `feedline.trainer.pool.verification.Breach`. Empty while only honest producers came.
    """

    producers: tuple[ProducerStats, ...]
    num_delivered: int
    hand_over_s: float
    thread_cpu_s: float
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryStats:
    """What a sequence has handed to Keras since it was made.

    Attributes
    ----------
    num_batches, num_samples : int
        Delivered, peeks and repetitions included.
    wait_s : float
        Seconds that ``__getitem__`` waited for them.
    """

    num_batches: int = 0
    num_samples: int = 0
    wait_s: float = 0.0


@dataclass(slots=True)
class ProducerCount:
    """Counts for one producer: what `ProducerStats` shows, to be added to a thousand times a second."""

    num_batches: int = 0
    stages: Stages = field(default_factory=Stages)
    transfer_s: float = 0.0

    def batch(self, stages: Stages, answer_s: float) -> None:
        """One batch more that was wanted, `answer_s` seconds after its ticket was sent."""
        self.num_batches += 1
        self.stages += stages
        self.transfer_s += max(0.0, answer_s - (stages.build_us + stages.queued_us) / 1e6)

    def shown(self, name: str, pid: int) -> ProducerStats:
        """The counts as they are now."""
        return ProducerStats(name, pid, self.num_batches, self.stages, self.transfer_s)
