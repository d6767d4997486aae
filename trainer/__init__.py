"""The trainer: the public face of Feedline. Names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.ct import CTWindows
    from trainer.dataset import ImageDataset
    from trainer.dicom_index import build_index
    from trainer.keras_layers import from_keras_layers
    from trainer.pool import ProducerPool
    from trainer.remote import RemoteSequence
    from trainer.samplers import BalancedSampler, KeepProbabilitySampler, WeightedSampler
    from trainer.sequence import BatchSequence

__all__ = [
    "BalancedSampler",
    "BatchSequence",
    "CTWindows",
    "ImageDataset",
    "KeepProbabilitySampler",
    "ProducerPool",
    "RemoteSequence",
    "WeightedSampler",
    "build_index",
    "from_keras_layers",
]

_HOMES = {
    "BalancedSampler": "trainer.samplers",
    "BatchSequence": "trainer.sequence",
    "CTWindows": "common.ct",
    "ImageDataset": "trainer.dataset",
    "KeepProbabilitySampler": "trainer.samplers",
    "ProducerPool": "trainer.pool",
    "RemoteSequence": "trainer.remote",
    "from_keras_layers": "trainer.keras_layers",
    "WeightedSampler": "trainer.samplers",
    "build_index": "trainer.dicom_index",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
