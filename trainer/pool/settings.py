"""Where a pool listens, and with what limits: checked before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from feedline.common.arguments import whole, yes_or_no
from feedline.common.errors import ConfigurationError
from feedline.common.keys.files import VARIABLE, TrainerKeys
from feedline.common.processes.children import usable_cores
from feedline.common.wire.endpoints import check_endpoint, is_tcp
from feedline.trainer.verdict.sizing import Workers

Folder = str | os.PathLike[str]

WorkersArgument = int | str | Sequence[int] | Workers | None
"""A number, ``"auto"``, (min, max), what was made of one of these, or None for the usable cores."""

TRANSPORTS = ("auto", "frames")
"""How batches come: in shared memory where there is any, or always over the socket."""


MAX_WORKERS = 4096
"""More processes than any one machine has cores."""

AUTO, AUTO_PER_CORE = "auto", 4
"""``"auto"`` is from 1 to so many for each core: those that wait for files take none."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What a pool was told; see `ProducerPool`.

    Attributes
    ----------
    endpoint : str or None
        Where to listen; None for a private socket and embedded producers.
    memory_budget : int
        Bytes, bound on all slots.
    keys : path or None
        The folder of keys, by default the environment's; for TCP alone.
    checksums : bool
        Have producers add up what they send over TCP, and look.
    trainer_keys : TrainerKeys or None
        What is in that folder.
    """

    endpoint: str | None
    memory_budget: int
    insecure: bool = False
    strict_versions: bool = False
    transport: str = "auto"
    keys: Folder | None = None
    checksums: bool = True
    trainer_keys: TrainerKeys | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        budget = whole("memory_budget", self.memory_budget, at_least=1, at_most=None, unit=" of bytes")
        object.__setattr__(self, "memory_budget", budget)
        for name in ("insecure", "strict_versions", "checksums"):
            object.__setattr__(self, name, yes_or_no(name, getattr(self, name)))
        if self.transport not in TRANSPORTS:
            raise ConfigurationError(f"transport must be one of {TRANSPORTS}, got {self.transport!r}")
        folder = self._keys_folder()
        if self.endpoint is not None:
            check_endpoint(self.endpoint, insecure=self.insecure, has_keys=folder is not None)
        if folder is not None:
            object.__setattr__(self, "trainer_keys", TrainerKeys.read(folder))

    @property
    def adds_up(self) -> bool:
        """Whether batches come with checksums: where they come through a network."""
        return self.checksums and self._is_tcp

    @property
    def _is_tcp(self) -> bool:
        return self.endpoint is not None and is_tcp(self.endpoint)

    def _keys_folder(self) -> Folder | None:
        """The folder of keys, where any are wanted; ConfigurationError if they are for nothing."""
        if self.keys is None:
            return (os.environ.get(VARIABLE) or None) if self._is_tcp else None
        if not isinstance(self.keys, str | os.PathLike):
            raise ConfigurationError(f"keys is a folder that `feedline keygen` made, got {self.keys!r}")
        if not self._is_tcp:
            raise ConfigurationError(
                f"keys={os.fspath(self.keys)!r} are for an endpoint tcp://HOST:PORT, got {self.endpoint!r}:"
                " others are guarded by the modes of their folders. Leave keys out"
            )
        return self.keys


def workers_of(value: WorkersArgument) -> Workers:
    """Read how many embedded producers there may be; ConfigurationError if it says no such thing."""
    if isinstance(value, Workers):
        return value
    if value is None:
        return _exactly(usable_cores())
    if isinstance(value, str) and value == AUTO:
        return Workers(1, min(MAX_WORKERS, AUTO_PER_CORE * usable_cores()))
    if isinstance(value, tuple | list):
        return _between(value)
    if not hasattr(value, "__index__"):
        raise ConfigurationError(
            f"workers must be a whole number, at least 1, {AUTO!r} or (min, max), got {value!r}"
        )
    return _exactly(whole("workers", value, at_least=1, at_most=MAX_WORKERS))


def _exactly(num: int) -> Workers:
    return Workers(num, num)


def _between(pair: Sequence[int]) -> Workers:
    if len(pair) != 2:
        raise ConfigurationError(f"workers must be (min, max), two whole numbers, got {pair!r}")
    least, most = (whole(f"workers={pair!r}: each", one, at_least=1, at_most=MAX_WORKERS) for one in pair)
    return Workers(least, most)


def check_source(endpoint: str | None, workers: WorkersArgument) -> None:
    """Refuse two answers to where producers come from."""
    if endpoint is not None and workers is not None:
        raise ConfigurationError(
            "workers are embedded producers, an endpoint is for producers elsewhere: pass one of them"
        )
    workers_of(workers)
