"""What a sequence asks of the cache of its producers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from feedline.common.arguments import one_of, whole
from feedline.common.errors import ConfigurationError


class CacheKind(StrEnum):
    """Where decoded samples are kept for the next epoch."""

    MEMORY = "memory"
    """In shared memory, until the last producer that uses them ends."""

    DISK = "disk"
    """In a file that outlives the run, and serves the next one."""


@dataclass(frozen=True, slots=True)
class CacheSpec:
    """One job's wish; folder and limit of a producer are its operator's.

    Attributes
    ----------
    kind : CacheKind
        Where.
    num_bytes : int or None
        All caches of this kind on a host may take so much together; None leaves it to the producer.
    num_rows : int
        Rows of the dataset; tickets name samples by them.

    Raises
    ------
    ConfigurationError
        If a value cannot work; quotes it.
    """

    kind: CacheKind
    num_bytes: int | None
    num_rows: int

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        object.__setattr__(self, "kind", one_of(CacheKind, "cache", self.kind))
        if self.num_bytes is not None:
            object.__setattr__(
                self, "num_bytes", whole("cache_bytes", self.num_bytes, at_least=1, unit=" of bytes")
            )
        object.__setattr__(self, "num_rows", whole("num_rows", self.num_rows))

    @classmethod
    def of(cls, cache: str | None, cache_bytes: int | None, num_rows: int) -> Self | None:
        """Read the arguments of a `BatchSequence`."""
        if cache is not None:
            return cls(one_of(CacheKind, "cache", cache), cache_bytes, num_rows)
        if cache_bytes is not None:
            raise ConfigurationError(
                f"cache_bytes={cache_bytes} limits a cache: say cache='memory' or cache='disk', too"
            )
        return None

    def to_wire(self) -> list[Any]:
        """Plain values for msgpack."""
        return [str(self.kind), self.num_bytes, self.num_rows]

    @classmethod
    def from_wire(cls, wire: list[Any]) -> Self:
        """Undo `to_wire`."""
        kind, num_bytes, num_rows = wire
        return cls(kind, num_bytes, int(num_rows))
