"""Where the time of a batch goes at its producer."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Stage(IntEnum):
    """What a producer can be at, in the order of the first of `Stages`."""

    IDLE = 0
    QUEUED = 1
    READ = 2
    DECODE = 3
    TRANSFORM = 4


@dataclass(frozen=True, slots=True)
class Stages:
    """Where the time of one batch, or of many, went at the producer; whole microseconds.

    Attributes
    ----------
    idle_us : int
        The producer had no ticket: the trainer had no free slot for it, or was slow to ask.
    queued_us : int
        The ticket was there, and waited for the batch before it.
    read_us, decode_us, transform_us : int
        Finding and reading the files; decoding and resizing; everything after that.
    cpu_us : int
        CPU time of the producer's process, in whatever stage: what is missing from the sum of the three was
        spent waiting for a file, a lock or a core.
    """

    idle_us: int = 0
    queued_us: int = 0
    read_us: int = 0
    decode_us: int = 0
    transform_us: int = 0
    cpu_us: int = 0

    def to_wire(self) -> tuple[int, ...]:
        """Plain values for a message."""
        return (
            self.idle_us,
            self.queued_us,
            self.read_us,
            self.decode_us,
            self.transform_us,
            self.cpu_us,
        )

    @classmethod
    def from_wire(cls, wire: Sequence[int]) -> Stages:
        """Undo `to_wire`; anything else is all zero: nothing depends on these numbers."""
        return cls(*wire) if len(wire) == NUM_TIMES else cls()

    @property
    def build_us(self) -> int:
        """What the producer was busy with this batch."""
        return self.read_us + self.decode_us + self.transform_us

    def __add__(self, other: Stages) -> Stages:
        """Both together."""
        return Stages(*map(operator.add, self.to_wire(), other.to_wire()))

    def __sub__(self, other: Stages) -> Stages:
        """What these have beyond others, which were counted before."""
        return Stages(*map(operator.sub, self.to_wire(), other.to_wire()))


NUM_TIMES = len(Stages().to_wire())
"""Numbers in a message."""
