"""Where a pool listens, and with what limits: checked before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass

from feedline.common.arguments import whole, yes_or_no
from feedline.common.errors import ConfigurationError
from feedline.common.wire.endpoints import check_endpoint

TRANSPORTS = ("auto", "frames")
"""How batches come: in shared memory where there is any, or always over the socket."""


MAX_WORKERS = 4096
"""More processes than any one machine has cores."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What a pool was told; see `ProducerPool`.

    Attributes
    ----------
    endpoint : str or None
        Where to listen; None for a private socket and embedded producers.
    memory_budget : int
        Bytes, bound on all slots.
    """

    endpoint: str | None
    memory_budget: int
    insecure: bool = False
    strict_versions: bool = False
    transport: str = "auto"

    def __post_init__(self) -> None:
        """Bring every value into one form, or refuse it."""
        budget = whole("memory_budget", self.memory_budget, at_least=1, at_most=None, unit=" of bytes")
        object.__setattr__(self, "memory_budget", budget)
        for name in ("insecure", "strict_versions"):
            object.__setattr__(self, name, yes_or_no(name, getattr(self, name)))
        if self.transport not in TRANSPORTS:
            raise ConfigurationError(f"transport must be one of {TRANSPORTS}, got {self.transport!r}")
        if self.endpoint is not None:
            check_endpoint(self.endpoint, insecure=self.insecure)


def check_source(endpoint: str | None, workers: int | None) -> None:
    """Refuse two answers to where producers come from."""
    if endpoint is not None and workers is not None:
        raise ConfigurationError(
            "workers are embedded producers, an endpoint is for producers elsewhere: pass one of them"
        )
    if workers is not None:
        whole("workers", workers, at_least=1, at_most=MAX_WORKERS)
