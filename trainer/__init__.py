"""The trainer: the public face of Feedline. Names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.dataset import ImageDataset
    from trainer.pool import ProducerPool
    from trainer.remote import RemoteSequence
    from trainer.sequence import BatchSequence

__all__ = ["BatchSequence", "ImageDataset", "ProducerPool", "RemoteSequence"]

_HOMES = {
    "BatchSequence": "trainer.sequence",
    "ImageDataset": "trainer.dataset",
    "ProducerPool": "trainer.pool",
    "RemoteSequence": "trainer.remote",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
