"""From measurements to figures: medians, spreads and ratios. Nothing here measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

STAGES = ("idle", "queued", "read", "decode", "transform")


@dataclass(frozen=True, slots=True)
class Figure:
    """Several measurements of one thing.

    Attributes
    ----------
    median, lowest, highest : float
        Of all rounds.
    """

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Sum up at least one measurement."""
        return cls(float(median(values)), float(min(values)), float(max(values)))

    @property
    def spread(self) -> float:
        """Highest minus lowest, as a share of the median."""
        return (self.highest - self.lowest) / self.median if self.median else 0.0


def ratio(values: Sequence[float], others: Sequence[float]) -> Figure:
    """Median of the ratios round by round: what slows both in one round falls out.

    Parameters
    ----------
    values, others : sequence of float
        Of the same rounds, in the same order.
    """
    return Figure.of([a / b for a, b in zip(values, others, strict=True) if b > 0] or [0.0])


def rates(rounds: Sequence[Mapping[str, Any]]) -> list[float]:
    """Images per second, round by round."""
    return [float(measured["images_per_s"]) for measured in rounds]


def per_batch_ms(rounds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Where the time of a Feedline batch went, in milliseconds, by stage; over all rounds.

    Its keys are `STAGES`, ``transfer`` and ``hand-over``, and ``pool thread`` for the CPU time of that.
    """
    spans = [_Span(measured["details"]["before"], measured["details"]["after"]) for measured in rounds]
    built, taken = sum(span.num_built for span in spans), sum(span.num_taken for span in spans)
    if not built or not taken:
        return {}
    stages = {name: sum(span.stage_us(name) for span in spans) / built / 1e3 for name in STAGES}
    stages["transfer"] = sum(span.transfer_s for span in spans) / built * 1e3
    stages["hand-over"] = sum(span.of("hand_over_s") for span in spans) / taken * 1e3
    stages["pool thread"] = sum(span.of("thread_cpu_s") for span in spans) / taken * 1e3
    return stages


@dataclass(frozen=True, slots=True)
class _Span:
    """What a pool's counters (`feedline.trainer.pool.stats.PoolStats`) gained between two moments."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def of(self, name: str) -> float:
        return float(self.after[name] - self.before[name])

    def stage_us(self, name: str) -> float:
        return self._of_producers(lambda producer: float(producer["stages"][f"{name}_us"]))

    @property
    def num_built(self) -> float:
        return self._of_producers(lambda producer: float(producer["num_batches"]))

    @property
    def num_taken(self) -> float:
        return self.of("num_delivered")

    @property
    def transfer_s(self) -> float:
        return self._of_producers(lambda producer: float(producer["transfer_s"]))

    def _of_producers(self, count: Callable[[Mapping[str, Any]], float]) -> float:
        return sum(map(count, self.after["producers"])) - sum(map(count, self.before["producers"]))


def cpu_per_1000(rounds: Sequence[Mapping[str, Any]], who: str) -> float:
    """CPU seconds for 1000 images, of the ``trainer`` or the ``workers``."""
    num = sum(measured["num_images"] for measured in rounds)
    return 1000 * sum(float(measured[f"{who}_cpu_s"]) for measured in rounds) / num if num else 0.0


def utilisation(measured: Mapping[str, Any]) -> float:
    """Share of the time in which the emulated device had work, 0 to 1."""
    return float(measured["device_s"] / measured["seconds"]) if measured["seconds"] else 0.0


def first_wait_ms(rounds: Sequence[Mapping[str, Any]]) -> float:
    """Median wait for the first batch of an epoch; the very first epoch is warm-up."""
    waits = [wait for measured in rounds for wait in measured["first_waits_ms"]]
    return float(median(waits)) if waits else 0.0
