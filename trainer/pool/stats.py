"""Where the time of batches goes, added up since the pool or the sequence was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from feedline.common.stages import Stages
from feedline.common.wire.protocol import Failure
from feedline.trainer.verdict.report import Report


@dataclass(frozen=True, slots=True)
class ProducerStats:
    """What one producer has done for a pool.

    Attributes
    ----------
    name : str
        As in log lines.
    pid, host : int, str
        Its process, on its own host; and that.
    num_batches : int
        Batches that came from it and were wanted.
    stages : Stages
        Where its time went.
    transfer_s : float
        Seconds from ticket to answer in which it did neither build nor queue: on the way, and until
        somebody woke up.
    num_framed, frame_bytes : int
        Of its batches, those that came over the socket and not in shared memory; and their bytes.
    is_able : bool
        Whether it gets tickets: its reads have not failed too often.
    num_failures : int
        Batches that it could not build.
    last_error : str
        Why not, of the last of them; empty while there was none.
    """

    name: str
    pid: int
    num_batches: int = 0
    stages: Stages = field(default_factory=Stages)
    transfer_s: float = 0.0
    host: str = ""
    num_framed: int = 0
    frame_bytes: int = 0
    is_able: bool = True
    num_failures: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryStats:
    """What a sequence has handed to Keras since it was made.

    Attributes
    ----------
    num_batches, num_samples : int
        Delivered, peeks and repetitions included.
    wait_s : float
        Seconds that ``__getitem__`` waited for them.
    trainer_wait_s : float
        Seconds of these in which the trainer itself had nothing to do: TensorFlow reads ahead of it.
    num_uncertain : int
        Batches for which that is not known, and the whole wait was counted.
    """

    num_batches: int = 0
    num_samples: int = 0
    wait_s: float = 0.0
    trainer_wait_s: float = 0.0
    num_uncertain: int = 0


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
    thread_cpu_s, trainer_cpu_s : float
        CPU seconds of the pool's thread, and of the whole process.
    at_s : float
        When this was so, in seconds of `time.perf_counter`.
    taken : DeliveryStats
        What its sequences, all together, have handed to Keras.
    memory_budget : int
        Bytes that all batches in hand may take.
    report : Report or None
        What the last seconds show; ``str()`` of it says so in words.
    refused : mapping of str to int
        Messages that were refused since the pool was made, by the rule that they broke: see
        `feedline.trainer.pool.verification.Breach`. Empty while only honest producers came.
    short_s : float
        Seconds of waiting for batches of the open sequences that longer queues would have saved.
    waiting_s : float
        Seconds that the trainer has waited so far for batches that have not come.
    """

    producers: tuple[ProducerStats, ...]
    num_delivered: int
    hand_over_s: float
    thread_cpu_s: float
    trainer_cpu_s: float = 0.0
    at_s: float = 0.0
    taken: DeliveryStats = field(default_factory=DeliveryStats)
    memory_budget: int = 0
    report: Report | None = field(default=None, compare=False)
    refused: Mapping[str, int] = field(default_factory=dict)
    short_s: float = 0.0
    waiting_s: float = 0.0

    def __str__(self) -> str:
        return repr(self) if self.report is None else str(self.report)


@dataclass(slots=True)
class ProducerCount:
    """Counts for one producer: what `ProducerStats` shows, to be added to a thousand times a second."""

    num_batches: int = 0
    stages: Stages = field(default_factory=Stages)
    transfer_s: float = 0.0
    num_framed: int = 0
    frame_bytes: int = 0
    num_failures: int = 0
    last_error: str = ""

    def failed(self, failure: Failure) -> None:
        """One batch more that it could not build."""
        self.num_failures += 1
        reason = next(iter(failure.text.splitlines()), "")
        self.last_error = f"{failure.path}: {reason}" if failure.path else reason

    def batch(self, stages: Stages, answer_s: float, frame_bytes: int = 0) -> None:
        """One batch more that was wanted, `answer_s` seconds after its ticket was sent."""
        self.num_batches += 1
        self.num_framed += frame_bytes > 0
        self.frame_bytes += frame_bytes
        self.stages += stages
        self.transfer_s += max(0.0, answer_s - (stages.build_us + stages.queued_us) / 1e6)

    def shown(self, name: str, pid: int, host: str = "") -> ProducerStats:
        """The counts as they are now."""
        counted = self.num_batches, self.stages, self.transfer_s, host, self.num_framed, self.frame_bytes
        return ProducerStats(name, pid, *counted, num_failures=self.num_failures, last_error=self.last_error)
