"""What happened in a span of time, as far as a verdict depends on it: differences of a pool's counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from feedline.common.errors import ConfigurationError
from feedline.common.stages import Stages

MIN_BATCHES = 8
"""Fewer say nothing: the first ones of an epoch were built before it began."""


class Certainty(StrEnum):
    """How well the trainer's wait is known."""

    EXACT = "exact"
    """Measured where the trainer itself waits."""

    AT_MOST = "at most"
    """Measured where somebody reads ahead of the trainer, who may have had a batch in hand meanwhile."""


class CacheState(StrEnum):
    """What has become of the cache that a sequence asked for."""

    NONE = "none"
    FILLING = "filling"
    """Not every sample was delivered before the span began."""

    FILLED = "filled"
    """... every sample was, as far as there was room."""


@dataclass(frozen=True, slots=True)
class ProducerSpan:
    """What one producer did in a span.

    Attributes
    ----------
    name, host : str
        As in log lines; where it runs.
    present_s : float
        How much of the span it was there.
    num_batches : int
        Batches that came from it and were wanted.
    stages : Stages
        Where its time went.
    transfer_s : float
        Seconds in which its tickets and batches were on the way, added up; two may be at a time.
    num_framed, frame_bytes : int
        Of its batches, those that came over the socket and not in shared memory; and their bytes.
    pid : int
        Its process, there; 0: not known. Several on one host may have one name.
    """

    name: str
    host: str
    present_s: float
    num_batches: int = 0
    stages: Stages = field(default_factory=Stages)
    transfer_s: float = 0.0
    num_framed: int = 0
    frame_bytes: int = 0
    pid: int = 0

    @property
    def busy_s(self) -> float:
        """Seconds that it built, at most all that it was there."""
        return min(self.stages.build_us / 1e6, self.present_s)

    @property
    def busy_share(self) -> float:
        """Share of the time in which it built, 0 to 1."""
        return self.busy_s / self.present_s if self.present_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A span of time of a pool, or of one of its sequences.

    Attributes
    ----------
    seconds : float
        Its length, above 0.
    num_batches, num_samples : int
        Delivered to the trainer.
    wait_s : float
        Seconds of it that the trainer waited for them, 0 to `seconds`.
    certainty : Certainty
        Whether it may have waited less.
    hand_over_s : float
        Of the wait, from a batch being there to its arrays being in the trainer's hands.
    thread_cpu_s : float
        CPU seconds of the pool's thread.
    trainer_cpu_s : float
        CPU seconds of the whole trainer process.
    producers : tuple of ProducerSpan
        Those connected at its end.
    num_able : int
        How many of them get tickets: not those whose reads have failed too often.
    cores : int or None
        What the producers share with the trainer, if all are on its machine; else None.
    embedded : bool
        Whether the trainer starts the producers itself.
    slot_bytes, memory_budget : int
        Of a full batch, with which a slot is made; and what all slots may take. 0: not known.
    cache : CacheState
        Of the sequence.
    short_s : float
        Seconds of waiting that longer queues would have saved.

    Raises
    ------
    ConfigurationError
        Numbers that no span can have, quoted.
    """

    seconds: float
    num_batches: int
    num_samples: int
    wait_s: float
    certainty: Certainty = Certainty.EXACT
    hand_over_s: float = 0.0
    thread_cpu_s: float = 0.0
    trainer_cpu_s: float = 0.0
    producers: tuple[ProducerSpan, ...] = ()
    num_able: int = 0
    cores: int | None = None
    embedded: bool = True
    slot_bytes: int = 0
    memory_budget: int = 0
    cache: CacheState = CacheState.NONE
    short_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no span; a wait that began before it counts from its beginning."""
        if not self.seconds > 0:
            raise ConfigurationError(f"a span must have a length above 0 seconds, got {self.seconds!r}")
        for name in ("num_batches", "num_samples", "wait_s", "hand_over_s", "thread_cpu_s", "trainer_cpu_s"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name} of a span must be at least 0, got {getattr(self, name)!r}")
        if not 0 <= self.num_able <= len(self.producers):
            raise ConfigurationError(
                f"num_able must be 0 to {len(self.producers)}, the producers there are, got {self.num_able}"
            )
        object.__setattr__(self, "wait_s", min(self.wait_s, self.seconds))
        object.__setattr__(self, "short_s", min(self.short_s, self.wait_s))

    @property
    def images_per_s(self) -> float:
        """Samples delivered per second."""
        return self.num_samples / self.seconds

    @property
    def batches_per_s(self) -> float:
        """Batches delivered per second."""
        return self.num_batches / self.seconds

    @property
    def samples_per_batch(self) -> float:
        """Mean size of a batch; 0 if there was none."""
        return self.num_samples / self.num_batches if self.num_batches else 0.0

    @property
    def wait_share(self) -> float:
        """Share of the time that the trainer waited, 0 to 1."""
        return self.wait_s / self.seconds

    @property
    def step_s(self) -> float:
        """Seconds that the trainer itself took for a batch; 0 if none was delivered."""
        return (self.seconds - self.wait_s) / self.num_batches if self.num_batches else 0.0

    @property
    def num_built(self) -> int:
        """Batches that came from producers."""
        return sum(one.num_batches for one in self.producers)

    @property
    def stages(self) -> Stages:
        """Where the time of all producers went."""
        return sum((one.stages for one in self.producers), Stages())

    @property
    def busy_share(self) -> float:
        """Share of the producers' time in which they built, 0 to 1."""
        present_s = self._sum(lambda one: one.present_s)
        return self._sum(lambda one: one.busy_s) / present_s if present_s > 0 else 0.0

    @property
    def build_s(self) -> float:
        """Seconds that a producer took for a batch; 0 if none was built."""
        return self.stages.build_us / 1e6 / self.num_built if self.num_built else 0.0

    @property
    def transfer_s(self) -> float:
        """Seconds that a batch and its ticket were on the way; 0 if none was built."""
        return self._sum(lambda one: one.transfer_s) / self.num_built if self.num_built else 0.0

    @property
    def comes_in_frames(self) -> bool:
        """Whether most batches came over a socket."""
        return 2 * sum(one.num_framed for one in self.producers) > self.num_built

    @property
    def hand_over_share(self) -> float:
        """Share of the time in which batches were only handed on, in the trainer; may exceed 1."""
        return (self.hand_over_s + self.thread_cpu_s) / self.seconds

    @property
    def cpu_share(self) -> float:
        """Share of all cores' time that trainer and producers used, 0 to 1; 0 if not known."""
        if not self.cores:
            return 0.0
        return min(1.0, (self.trainer_cpu_s + self.stages.cpu_us / 1e6) / (self.cores * self.seconds))

    def _sum(self, value: Callable[[ProducerSpan], float]) -> float:
        return sum(map(value, self.producers))
