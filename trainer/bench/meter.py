"""Takes the time of a stream of batches. Knows no clock but the one it is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Measured:
    """One measurement of one contender.

    Attributes
    ----------
    num_images, num_batches : int
        That came in `seconds`.
    first_waits_ms : list of float
        Wait for the first batch of each epoch that began meanwhile.
    wait_s, device_s : float
        Waits for batches, and emulated steps, within `seconds`.
    trainer_cpu_s, workers_cpu_s : float
        Of the process that takes the batches, and of its children.
    details : dict
        Whatever the contender knows about itself.
    """

    num_images: int = 0
    num_batches: int = 0
    seconds: float = 0.0
    wait_s: float = 0.0
    device_s: float = 0.0
    first_waits_ms: list[float] = field(default_factory=list)
    trainer_cpu_s: float = 0.0
    workers_cpu_s: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def images_per_s(self) -> float:
        """Images per second."""
        return self.num_images / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the rate."""
        return asdict(self) | {"images_per_s": self.images_per_s}


class Meter:
    """Counts batches as they come, from the end of the warm-up on.

    Parameters
    ----------
    warm_batches : int
        Left out: they may have been ready before.
    seconds : float
        Count for so long.
    step_s : float
        After each batch the consumer is away for so long, as with a device that computes: its core is
        free meanwhile.
    on_start : callable
        Called when the warm-up is over.
    """

    def __init__(
        self,
        warm_batches: int,
        seconds: float,
        step_s: float = 0.0,
        on_start: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._num_warm = warm_batches
        self._seconds = seconds
        self._step_s = step_s
        self._on_start = on_start
        self._clock, self._sleep = clock, sleep
        self._num_seen = 0
        self._asked_at = self._began_at = clock()
        self.measured = Measured()

    @property
    def is_done(self) -> bool:
        """Whether it counted for long enough."""
        return self._num_seen > self._num_warm and self.measured.seconds >= self._seconds

    def take(self, num_images: int, *, first_of_epoch: bool) -> None:
        """A batch came."""
        now = self._clock()
        self._num_seen += 1
        if self._num_seen > self._num_warm:
            self._count(num_images, now, first_of_epoch=first_of_epoch)
        if self._step_s:
            self._step(now)
        self._asked_at = self._clock()
        if self._num_seen == self._num_warm:
            self._on_start()
            self._began_at = self._asked_at = self._clock()
        elif self._step_s:
            # The last step belongs to the time, too.
            self.measured.seconds = self._asked_at - self._began_at

    def _count(self, num_images: int, now: float, *, first_of_epoch: bool) -> None:
        measured = self.measured
        measured.num_images += num_images
        measured.num_batches += 1
        measured.wait_s += now - self._asked_at
        measured.seconds = now - self._began_at
        if first_of_epoch:
            measured.first_waits_ms.append((now - self._asked_at) * 1e3)

    def _step(self, now: float) -> None:
        while (left := now + self._step_s - self._clock()) > 0:
            self._sleep(left)
        if self._num_seen > self._num_warm:
            self.measured.device_s += self._step_s
