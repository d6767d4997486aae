"""Where a pool listens, and with what limits: checked before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass

from feedline.common.arguments import whole
from feedline.common.errors import ConfigurationError
from feedline.common.wire.endpoints import check_endpoint

TRANSPORTS = ("auto", "frames")
"""How batches come: in shared memory where there is any, or always over the socket."""


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
        whole("memory_budget", self.memory_budget, at_least=1, unit=" of bytes")
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
        whole("workers", workers, at_least=1)
